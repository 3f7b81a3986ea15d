"""The page at `/docs`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from serving.api_docs.view import list_operations, list_shapes
from serving.routes.direct import DirectRoute
from serving.templates import make_templates

if TYPE_CHECKING:
    from fastapi import FastAPI
    from jinja2 import Environment

__all__ = ["docs_router"]

_STYLE: Final = "/static/docs.css"
_CODE: Final = re.compile(r"`([^`\n]+)`")


def docs_router(app: FastAPI) -> APIRouter:
    """Make the routes of the page.

    Parameters
    ----------
    app : FastAPI
        Whose description is shown: that of one version.

    Returns
    -------
    APIRouter
        Left out of the description itself.
    """
    router = APIRouter(include_in_schema=False, route_class=DirectRoute)
    made: list[str] = []

    async def docs(_: Request) -> Response:
        if not made:  # the description is complete once all routes are there
            made.append(_write(app))
        return HTMLResponse(made[0])

    router.add_api_route("/docs", docs, methods=["GET"])
    router.add_api_route(_STYLE, _style, methods=["GET"])
    return router


def _write(app: FastAPI) -> str:
    document = app.openapi()
    return (
        _environment()
        .get_template("docs.html.j2")
        .render(
            info={"description": ""} | document["info"],
            operations=list_operations(document),
            shapes=list_shapes(document),
            style=_STYLE,
        )
    )


async def _style(_: Request) -> Response:
    text = files("serving.api_docs").joinpath("static", "docs.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css")


@cache
def _environment() -> Environment:
    return make_templates("serving.api_docs", prose=_prose)


def _prose(text: str) -> Markup:
    """Paragraphs and code of a docstring; all else is escaped."""
    paragraphs = (
        _CODE.sub(r"<code>\1</code>", str(escape(part))) for part in text.split("\n\n") if part.strip()
    )
    return Markup("".join(f"<p>{part}</p>" for part in paragraphs))  # noqa: S704  # nosec B704

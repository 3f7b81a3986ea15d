"""The OpenAPI document: what FastAPI finds out by itself, and what it cannot know."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from serving.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from pydantic import BaseModel

__all__ = ["DIALECT", "describe_with", "json_body", "problems"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/components/schemas/{model}"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problem documents that an operation may answer with, for its `responses`.

    Parameters
    ----------
    *statuses : int

    Returns
    -------
    dict
    """
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Body of an operation that reads it from the request itself, for its `openapi_extra`.

    Parameters
    ----------
    model : type of BaseModel

    Returns
    -------
    dict
    """
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe_with(
    app: FastAPI, *models: type[BaseModel], amend: Callable[[dict[str, Any]], None] | None = None
) -> Callable[[], dict[str, Any]]:
    """Make the function that FastAPI asks for its document.

    Parameters
    ----------
    app : FastAPI
    *models : type of BaseModel
        Named by `json_body`; they and `Problem` become components.
    amend : callable, optional
        Changes the finished document.

    Returns
    -------
    callable
        Gives the document, made at the first call.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            wanted = [(model, "validation") for model in models] + [(Problem, "validation")]
            _, named = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]
            made["components"]["schemas"] |= named["$defs"]
            if amend is not None:
                amend(made)
            app.openapi_schema = made
        return app.openapi_schema

    return document

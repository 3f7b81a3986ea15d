"""Signing in to the page, and out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from serving.access.csrf import csrf_token
from serving.access.forms import parse_form
from serving.access.pages import STYLE, make_login_page, read_style
from serving.access.rules import local_path
from serving.problems import ProblemError
from serving.routes.direct import DirectRoute

if TYPE_CHECKING:
    from serving.access.layer import Access

__all__ = ["access_router"]


def access_router() -> APIRouter:
    """Make the routes of signing in.

    Returns
    -------
    APIRouter
        Left out of the API's description: it answers people.
    """
    router = APIRouter(include_in_schema=False, route_class=DirectRoute)
    router.add_api_route("/login", _form, methods=["GET"])
    router.add_api_route("/login", _sign_in, methods=["POST"])
    router.add_api_route("/logout", _sign_out, methods=["POST"])
    router.add_api_route(STYLE, _style, methods=["GET"])
    return router


async def _form(request: Request) -> Response:
    if _access(request).credentials.keys is None:
        raise ProblemError(404, "nobody signs in here: there are no API keys")
    return make_login_page(csrf_token(request), _wanted(request.scope["query_string"].decode("latin-1")))


async def _sign_in(request: Request) -> Response:
    access, fields = _access(request), parse_form(await request.body())
    wanted = local_path(fields.get("next", "/"))
    try:
        key = access.credentials.sign_in(fields.get("key", "").strip())
    except ProblemError as problem:
        access.count_failure(request.scope)
        return make_login_page(csrf_token(request), wanted, problem)
    session = access.credentials.sessions.begin(key.id)
    return RedirectResponse(wanted, 303, headers={"Set-Cookie": access.cookie_of(session)})


async def _sign_out(request: Request) -> Response:
    access = _access(request)
    if request.state.session is not None:
        access.credentials.end(request.state.session)
    where = "/" if access.credentials.keys is None else "/login"
    return RedirectResponse(where, 303, headers={"Set-Cookie": access.cookie_of(None)})


async def _style(_: Request) -> Response:
    return Response(read_style(), media_type="text/css")


def _access(request: Request) -> Access:
    access: Access = request.state.access
    return access


def _wanted(query: str) -> str:
    return local_path(parse_qs(query, max_num_fields=10).get("next", ["/"])[0])

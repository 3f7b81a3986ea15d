"""How a request is refused: with a page for a person, with a problem document for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.access.credentials import says_who
from serving.access.pages import make_refusal_page
from serving.problems import MEDIA_TYPE, ProblemError, make_problem_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

__all__ = ["answer_failure", "answer_problem", "is_for_a_person", "make_failure", "refuse"]


def refuse(scope: Scope, problem: ProblemError) -> Response:
    """Write a problem as whoever asked can read it.

    Parameters
    ----------
    scope : Scope
        Of the request.
    problem : ProblemError

    Returns
    -------
    Response
    """
    return make_refusal_page(problem) if is_for_a_person(scope) else make_problem_response(problem)


def is_for_a_person(scope: Scope) -> bool:
    """Whether a browser asks for a page; a program, or our page's script, says that it is none."""
    headers = dict(scope["headers"])
    accept = headers.get(b"accept", b"")
    return b"text/html" in accept and MEDIA_TYPE.encode() not in accept and not says_who(headers)


def make_failure() -> ProblemError:
    """Make the answer to an error that nobody expected, without its details."""
    return ProblemError(500, "the service failed; its log has the reason under this X-Request-ID")


async def answer_problem(request: Request, error: Exception) -> Response:
    """Turn a `ProblemError` into its response, as FastAPI's exception handlers are called."""
    if not isinstance(error, ProblemError):
        raise error
    return refuse(request.scope, error)


async def answer_failure(request: Request, _: Exception) -> Response:
    """Answer an error that nobody expected, within a version's application; `Boundary` logs it."""
    return refuse(request.scope, make_failure())

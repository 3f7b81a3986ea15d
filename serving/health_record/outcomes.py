"""Errors of the health record's routes: an OperationOutcome, without anything that was sent."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json
from starlette.responses import Response

from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request

__all__ = ["FHIR_JSON", "answering_outcomes", "make_outcome"]

FHIR_JSON: Final = "application/fhir+json"

_CODES: Final = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    412: "required",
    415: "not-supported",
    422: "invalid",
    503: "transient",
}
"""IssueType of FHIR R4 by HTTP status."""


def make_outcome(problem: ProblemError, media_type: str) -> Response:
    """Write a problem as an OperationOutcome.

    Parameters
    ----------
    problem : ProblemError
    media_type : str

    Returns
    -------
    Response
    """
    details = [f"{error.field} {error.detail}" for error in problem.errors] or [problem.detail]
    code = _CODES.get(problem.status, "processing")
    issues = [{"severity": "error", "code": code, "diagnostics": detail} for detail in details]
    body = to_json({"resourceType": "OperationOutcome", "issue": issues})
    return Response(body, problem.status, problem.headers, media_type=media_type)


def answering_outcomes(
    media_type: str,
) -> Callable[
    [Callable[[Request], Coroutine[None, None, Response]]],
    Callable[[Request], Coroutine[None, None, Response]],
]:
    """Make a decorator of endpoints that turns a `ProblemError` into an OperationOutcome.

    Parameters
    ----------
    media_type : str
        Of the answer.

    Returns
    -------
    callable
    """

    def decorate(
        endpoint: Callable[[Request], Coroutine[None, None, Response]],
    ) -> Callable[[Request], Coroutine[None, None, Response]]:
        @wraps(endpoint)
        async def answered(request: Request) -> Response:
            try:
                return await endpoint(request)
            except ProblemError as problem:
                return make_outcome(problem, media_type)

        return answered

    return decorate

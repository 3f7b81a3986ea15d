"""Problem documents (RFC 9457): what was wrong, where, and what is allowed; never what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

__all__ = ["MEDIA_TYPE", "FieldProblem", "Problem", "ProblemError", "make_problem_response"]

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(BaseModel):
    """What is wrong with one member of the request."""

    field: str = Field(
        description="JSON Pointer (RFC 6901) into the request body.", examples=["/patient/age"]
    )
    detail: str = Field(description="What is allowed there.", examples=["must be a number from 18 to 100"])


class Problem(BaseModel):
    """Why a request was not answered; it never repeats a value that was sent."""

    type: str = Field(description="Always about:blank: the status says what kind of problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong and what to do.")
    errors: list[FieldProblem] | None = Field(None, description="By field; only with status 422.")


class ProblemError(Exception):
    """Ends a request with a problem document.

    Parameters
    ----------
    status : int
    detail : str
    errors : sequence of FieldProblem
    headers : mapping of str to str, optional
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def make_problem_response(problem: ProblemError) -> Response:
    """Write a problem as a response.

    Parameters
    ----------
    problem : ProblemError

    Returns
    -------
    Response
        `application/problem+json`.
    """
    document = Problem(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=list(problem.errors) or None,
    )
    return Response(
        to_json(document, exclude_none=True), problem.status, problem.headers, media_type=MEDIA_TYPE
    )

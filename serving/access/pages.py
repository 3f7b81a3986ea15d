"""The pages of signing in: small, without a script, and legible in light and dark."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from serving.access.csrf import CSRF_FIELD
from serving.templates import make_templates

if TYPE_CHECKING:
    from jinja2 import Template

    from serving.problems import ProblemError

__all__ = ["STYLE", "make_login_page", "make_refusal_page", "read_style"]

STYLE: Final = "/static/access.css"
"""Where the pages' style sheet is served."""


def make_login_page(token: str, wanted: str, problem: ProblemError | None = None) -> Response:
    """Ask for an API key.

    Parameters
    ----------
    token : str
        Of the session in which the form will be sent.
    wanted : str
        Where to go then.
    problem : ProblemError, optional
        Why the last attempt failed.

    Returns
    -------
    Response
    """
    detail = None if problem is None else problem.detail
    text = _template("login.html.j2").render(
        field=CSRF_FIELD, token=token, wanted=wanted, problem=detail, style=STYLE
    )
    return Response(text, 200 if problem is None else problem.status, media_type="text/html")


def make_refusal_page(problem: ProblemError) -> Response:
    """Tell a person, not a program, why a request was refused.

    Parameters
    ----------
    problem : ProblemError

    Returns
    -------
    Response
    """
    text = _template("refused.html.j2").render(problem=problem, style=STYLE)
    return Response(text, problem.status, problem.headers, media_type="text/html")


def read_style() -> str:
    """Read the pages' style sheet."""
    return files("serving.access").joinpath("static", "access.css").read_text(encoding="utf-8")


@cache
def _template(name: str) -> Template:
    return make_templates("serving.access").get_template(name)

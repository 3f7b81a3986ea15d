"""Proof that a form was filled on our own page, not on one that a clinician happens to have open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["CSRF_FIELD", "CSRF_HEADER", "csrf_token"]

CSRF_FIELD: Final = "csrf_token"
"""Name of the hidden field that carries the token in a form."""

CSRF_HEADER: Final = "x-csrf-token"
"""Header that carries it in a request of a script."""


def csrf_token(request: Request) -> str:
    """Give the token of the session in which a page is asked for.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str
        To stand in the form as `CSRF_FIELD`. Empty if the request did not come through `Access`.
    """
    token: str = getattr(request.state, "csrf_token", "")
    return token

"""Calls from a page of a health record that runs in a browser (CORS), for CDS Hooks services alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["CdsCors"]

_ROOT: Final = "/cds-services"


class CdsCors:
    """Lets pages of the listed origins call; no other route ever says that a foreign page may read it.

    Parameters
    ----------
    app : ASGIApp
    origins : tuple of str
        Without any, it does nothing.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type"),
            allow_credentials=False,  # a token is sent on purpose; cookies never
            max_age=600,
        )
        self._is_on = bool(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        concerned = self._is_on and (path == _ROOT or path.startswith(f"{_ROOT}/"))
        await (self._open if concerned else self._app)(scope, receive, send)

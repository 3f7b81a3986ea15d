"""Routes without FastAPI's dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Response
    from starlette.types import Receive, Scope, Send

__all__ = ["DirectRoute"]


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response: FastAPI has nothing to solve.

    Dependencies would cost a tenth of a prediction, and as much again what is kept open for them until the
    response has been sent; the route stays in the OpenAPI document.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = self._answer

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """Give the endpoint itself, for routers that include the route."""
        endpoint: Callable[[Request], Coroutine[None, None, Response]] = self.endpoint
        return endpoint

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors go to the application's handlers."""
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

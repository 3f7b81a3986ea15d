"""Routes without FastAPI's dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

__all__ = ["DirectRoute"]


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response: FastAPI has nothing to solve.

    Dependencies would cost a tenth of a prediction; the route stays in the OpenAPI document.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """Give the endpoint itself."""
        endpoint: Callable[[Request], Coroutine[None, None, Response]] = self.endpoint
        return endpoint

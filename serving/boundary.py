"""What surrounds every request: limits of its size and time, its line in the log, an answer to any error."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, Final

from serving.logs import place_of
from serving.problems import ProblemError
from serving.refusals import make_failure, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

__all__ = ["Boundary", "LimitBody", "LimitTime"]

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
_DISCARDED: Final = 33_554_432
"""Bytes of a body above the limit that are read and thrown away, so that the client gets to see the 413."""


class Boundary:
    """Outermost layer: request id, log line, and a 500 without details for what nobody expected.

    The line holds the route's template, never the path or the query. The id is made here, not taken
    from the client, whose own id may tell who the patient is.

    Parameters
    ----------
    app : ASGIApp
    log : FilteringBoundLogger
        Of what goes wrong.
    log_request : callable
        From `make_request_log`.
    """

    def __init__(
        self,
        app: ASGIApp,
        log: FilteringBoundLogger,
        log_request: Callable[[str, str, str, int, float], None],
    ) -> None:
        self.app = app
        self.log = log
        self.log_request = log_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, request_id, status = perf_counter(), token_hex(16), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
                message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as exc:
            # Neither message nor traceback is logged: both may quote a value of the request.
            self.log.error("failed", id=request_id, error=type(exc).__name__, place=place_of(exc))  # noqa: TRY400
            if not status:
                await refuse(scope, make_failure())(scope, receive, send_with_id)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unknown")
        self.log_request(request_id, method, route, status, (perf_counter() - start) * 1e3)


class LimitBody:
    """Refuse a body above the limit; no more than the limit is ever held in memory.

    Parameters
    ----------
    app : ASGIApp
    limit : int
        In bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                stated = value
        if stated is not None and stated.isdigit() and int(stated) > self.limit:
            await _discard(receive, _DISCARDED)
            await refuse(scope, self._problem())(scope, receive, send)
        elif stated is not None:
            await self.app(scope, receive, send)  # the server reads no more than was stated
        else:
            await self.app(scope, self._counting(receive), send)

    def _problem(self) -> ProblemError:
        return ProblemError(413, f"the body is too large; at most {self.limit} bytes are read")

    def _counting(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                if message.get("more_body", False):
                    await _discard(receive, _DISCARDED)
                raise self._problem()
            return message

        return counted


class LimitTime:
    """Refuse a body that trickles: each would hold its connection and its memory for ever.

    Parameters
    ----------
    app : ASGIApp
    seconds : float
        In which the whole of a request must have arrived.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        until = asyncio.get_running_loop().time() + self.seconds
        is_whole = False

        async def timed() -> Message:
            nonlocal is_whole
            if is_whole:  # what follows is the wait for the client to go
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _TooSlowError(self.seconds) from None
            is_whole = not message.get("more_body", False)
            return message

        try:
            await self.app(scope, timed, send)
        except _TooSlowError as problem:  # raised before any route could answer it
            await refuse(scope, problem)(scope, receive, send)


class _TooSlowError(ProblemError):
    """The rest of a body did not come."""

    def __init__(self, seconds: float) -> None:
        detail = f"the request did not arrive within {seconds:g} seconds"
        super().__init__(408, detail, headers={"Connection": "close"})


async def _discard(receive: Receive, most: int) -> None:
    """Let the client finish: most send all before they read, and would see a broken connection."""
    more = True
    while more and most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)

"""Connections that send no request, or headers without end, are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport

__all__ = ["GuardedProtocol"]

_SECONDS: Final = 15.0
_LARGEST: Final = 65_536


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with limits for what precedes a request: time, and the size of its headers.

    Without them each connection that trickles its headers would hold a place for ever, and one whose
    headers do not end would fill the memory.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = True
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Give a new connection its time."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to headers that have not ended."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._timer is None:
                self._timer = self.loop.call_later(_SECONDS, self.transport.close)
        super().data_received(data)
        if self._in_head and self._head_bytes > _LARGEST and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_headers_complete(self) -> None:
        """A request has begun: from here on, the application limits its time and size."""
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next are the headers of another request."""
        self._stop_timer()
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Nobody reads the rest of a request that was refused before it had come: it must not last."""
        super().on_response_complete()
        if not self._in_head and self._timer is None:
            self._timer = self.loop.call_later(_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""The swap: a newer version is loaded beside the one that answers, checked, and takes over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse
from starlette.routing import Router

from features.errors import UserError
from serving.loading import check_record, load_served, warm_up
from serving.logs import place_of
from serving.problems import ProblemError
from serving.refusals import refuse
from serving.state import Following, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from models.registry import Located
    from serving.loading import Served
    from serving.records.recorder import Recorder
    from serving.runtime_folder import RuntimeFolder

__all__ = ["Source", "SwappingApp"]

_TICK: Final = 1.0
"""Seconds between two looks: at the runtime folder, which is one `stat`, and at the record of what is served,
which is one signature."""
_AGAIN: Final = 10.0
"""Seconds after which a worker without a version tries again to load the last good one."""
_STAYS: Final = {"/healthz", "/metrics"}
"""What goes on answering while no version may."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where newer versions come from.

    Parameters
    ----------
    runtime : RuntimeFolder
    located : Located or None
        The version that the service begins with; None if nobody knows it any more.
    trusted : Path
        Folder of the public keys whose records are believed.
    retry_seconds : int
        After which a refused version is tried again: a key may have been added. 0 never.
    """

    runtime: RuntimeFolder
    located: Located | None
    trusted: Path
    retry_seconds: int


@dataclass(frozen=True, slots=True)
class _Current:
    served: Served
    app: ASGIApp


class SwappingApp:
    """Hands each request to the version that is current when it arrives.

    A version is an application of its own, because its cohort file decides the routes' schemas: a request
    is read, checked, answered and described by one version, whatever is swapped meanwhile. The old one is
    forgotten with its last request.

    Parameters
    ----------
    served : Served or None
        The version to begin with; None if it may not be served, or cannot be loaded.
    make_app : callable
        Makes the application of a version.
    source : Source or None
    log : FilteringBoundLogger
    recorder : Recorder, optional
        Of what every version answers; without it nothing is recorded.
    problem : str, optional
        Why there is no version to begin with.

    Notes
    -----
    What may not be served at start may not be served later either: the record of the version that answers is
    verified again and again. Once it no longer holds, as when its key is not trusted any more, every request
    but those about the process gets 503, until it holds again or another version takes over.
    """

    def __init__(
        self,
        served: Served | None,
        make_app: Callable[[Served], ASGIApp],
        source: Source | None,
        log: FilteringBoundLogger,
        recorder: Recorder | None = None,
        problem: str | None = None,
    ) -> None:
        self._recorder = recorder
        self._make_app = make_app
        self._source = source
        self._log = log
        self._current = None if served is None else _Current(served, make_app(served))
        self._located = None if source is None or served is None else source.located
        self._withdrawn = problem
        self._doubts = 0
        self._tried = time.monotonic()
        self._following = Following()
        self._running = False
        self._lifespan = Router(lifespan=self._live)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live from start to stop."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        current, withdrawn = self._current, self._withdrawn  # read once: one version for the whole request
        if current is None or (withdrawn is not None and scope["path"] not in _STAYS):
            await _answer_without(withdrawn or "it has no version", scope)(scope, receive, send)
            return
        if self._running:
            state = {"served": current.served, "following": self._following, "recorder": self._recorder}
            scope["state"] = {**scope.get("state", {}), **state}
        await current.app(scope, receive, send)

    @asynccontextmanager
    async def _live(self, _: object) -> AsyncIterator[None]:
        if self._current is not None:
            warm_up(self._current.served)
        if self._recorder is not None:
            self._recorder.start()
        self._running = True
        task = asyncio.create_task(self._follow())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if self._recorder is not None:
            await self._recorder.stop()

    async def _follow(self) -> None:
        seen: int | None = None
        tried = time.monotonic()
        while True:
            if _is_orphan():
                os.kill(os.getpid(), signal.SIGTERM)  # ends gracefully; or it would hold the address for ever
                return
            if self._source is not None:
                stamp = self._source.runtime.stamp()
                if stamp is not None and (stamp != seen or self._is_to_retry(self._source, tried)):
                    seen, tried = stamp, time.monotonic()
                    await asyncio.to_thread(self._take_newest, self._source)
                await asyncio.to_thread(self._verify, self._source)
            await asyncio.sleep(_TICK)

    def _is_to_retry(self, source: Source, tried: float) -> bool:
        wait = source.retry_seconds
        return self._following.refused is not None and 0 < wait <= time.monotonic() - tried

    def _take_newest(self, source: Source) -> None:
        """Load what the registry names beside what is served, and swap if it is good."""
        published = source.runtime.published()
        if published is None:
            return
        refused = None
        if published.located != self._located:
            try:
                self._swap(source, published.located)
            except Exception as exc:  # whatever is wrong with it must not end what is served
                refused = self._refuse(source, published.located, _reason(exc))
        self._following = Following(refused, published.problem)

    def _verify(self, source: Source) -> None:
        """Stop answering once the record of what is served no longer holds, and begin again when it does."""
        located = self._located or source.located
        if located is None:
            return
        try:
            check_record(located, source.trusted)
            if self._current is None:
                self._begin(source, located)
        except Exception as exc:  # whatever is wrong, nothing vouches for it
            self._doubts += 1
            # Twice: a key that is being copied is not whole yet.
            if self._doubts > 1 and self._withdrawn is None:
                self._withdrawn = _reason(exc)
                self._tell("withdrawn", located, self._withdrawn)
            return
        self._doubts = 0
        if self._withdrawn is not None and self._current is not None:
            self._withdrawn = None
            self._tell("restored", located, "its validation record holds")

    def _begin(self, source: Source, located: Located) -> None:
        """Load the last good version in a worker that had none."""
        if time.monotonic() - self._tried >= _AGAIN:
            self._tried = time.monotonic()
            self._swap(source, located)

    def _tell(self, event: str, located: Located, reason: str) -> None:
        self._log.error(event, model=located.name, version=located.version, reason=reason)

    def _swap(self, source: Source, located: Located) -> None:
        served = load_served(located, source.trusted)
        warm_up(served)
        current = _Current(served, self._make_app(served))
        source.runtime.keep(located)
        self._following = Following(problem=self._following.problem)  # what was refused is this, or history
        self._current, self._located = current, located
        self._log.info(
            "swapped",
            model=served.name,
            version=served.version,
            digest=served.digest,
            validated=served.validated,
        )

    def _refuse(self, source: Source, located: Located, reason: str) -> Refused:
        # Each move of the alias brings a folder of its own.
        if source.runtime.claim(str(located.folder), reason):
            self._log.error("refused", model=located.name, version=located.version, reason=reason)
        return Refused(located.version, reason)


def _answer_without(reason: str, scope: Scope) -> Response:
    """Answer while no version may: the process is up, and says why it is of no use."""
    if scope["path"] == "/healthz":
        return JSONResponse({"status": "up"})
    told = reason if scope["path"] == "/readyz" else "GET /readyz says why"
    detail = f"the version that this service has may not be served: {told}"
    return refuse(scope, ProblemError(503, detail, headers={"Retry-After": "60"}))


def _reason(exc: Exception) -> str:
    if isinstance(exc, UserError):
        return str(exc)
    return f"it cannot be loaded ({type(exc).__name__} at {place_of(exc)})"


def _is_orphan() -> bool:
    """Whether this is a worker whose service has died."""
    service = parent_process()
    return service is not None and not service.is_alive()

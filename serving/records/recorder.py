"""The recorder of a worker: a thread that writes, and requests that wait until it has written."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from serving.records.chain import read_chain
from serving.records.database import name_of
from serving.records.entries import RecordsUnavailable
from serving.records.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from serving.records.chain import Chain
    from serving.records.entries import Attachment, Prediction
    from serving.settings import Settings

__all__ = ["RETENTION", "Recorder", "make_recorder"]

RETENTION: Final = "retention"
"""Who erases what is older than it may be, in the audit trail."""

_BATCH: Final = 256
_PATIENCE: Final = 10.0
"""Seconds after which a request no longer waits: a disk may hang without an error."""
_LONGEST_QUEUE: Final = 2_000
_LEEWAY: Final = 0.005
"""Seconds for which requests stand still while a batch is written: beside busy ones, which hold Python's
lock, the thread waits for its turn at every statement. A slower disk is waited for without standing still."""
_ROUNDS: Final = 4
"""Rounds of the event loop for which a batch gathers: microseconds where nothing else is to do, and under
load enough for those who have just been answered to ask again."""
_PROBE: Final = 1.0
_RETENTION_SECONDS: Final = 3_600.0

Waiting = tuple["Prediction | Attachment", "asyncio.Future[bool]"]


class Recorder:
    """Stores what this worker answers, and says when it is on disk.

    One thread has the database: a lock or a slow disk delays those who wait for it and nobody else. What
    gathers while it writes is its next transaction, so that under load many share the cost of one flush,
    and of one change of threads.

    Parameters
    ----------
    records : str
        Address, as `database.read_url` takes.
    chain : Chain
    keeps_inputs : bool
    keep_days : int
        Days after which content is erased; 0 never.
    log : FilteringBoundLogger
    """

    def __init__(
        self, records: str, chain: Chain, keeps_inputs: bool, keep_days: int, log: FilteringBoundLogger
    ) -> None:
        self.keeps_inputs = keeps_inputs
        self.problem: str | None = None
        """Why the records cannot be written to, as far as is known."""
        self._store = Store(records, chain)
        self._chain = chain
        self._keep_days = keep_days
        self._erased = float("-inf")
        self._log = log
        self._waiting: list[Waiting] = []
        self._is_writing = False
        self._written = Event()
        self._batches: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to write, for requests of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, name="records", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what still waits, and end."""
        waiting, self._waiting = self._waiting, []
        self._batches.put(waiting)
        self._batches.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _PATIENCE)
        self._thread = self._loop = None

    def pseudonym(self, patient: str) -> str:
        """Hash what a caller calls a patient."""
        return self._chain.pseudonym(patient)

    async def store(self, prediction: Prediction) -> None:
        """Store a prediction; it is on disk once this returns.

        Parameters
        ----------
        prediction : Prediction

        Raises
        ------
        RecordsUnavailable
            If it could not be stored, or not soon enough.
        """
        await self._submit(prediction)

    async def attach(self, attachment: Attachment) -> bool:
        """Store what came back to a prediction.

        Parameters
        ----------
        attachment : Attachment

        Returns
        -------
        bool
            False if there is no such prediction, or it was erased.

        Raises
        ------
        RecordsUnavailable
            If it could not be stored, or not soon enough.
        """
        return await self._submit(attachment)

    async def _submit(self, entry: Prediction | Attachment) -> bool:
        if self._loop is None:
            raise RecordsUnavailable("the service starts or stops")
        if len(self._waiting) >= _LONGEST_QUEUE:
            raise RecordsUnavailable("too many wait for the records already")
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((entry, future))
        if not self._is_writing:
            self._is_writing = True
            self._gather(_ROUNDS)
        limit = self._loop.call_later(_PATIENCE, _give_up, future)  # a third of what `wait_for` costs
        try:
            return await future
        finally:
            limit.cancel()

    def _gather(self, rounds: int) -> None:
        """Let others join the batch: those whose requests are there already, or come at once."""
        if self._loop is not None and rounds:
            self._loop.call_soon(self._gather, rounds - 1)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the thread what waits, the oldest first; who has given up will not answer."""
        alive = [waiting for waiting in self._waiting if not waiting[1].done()]
        batch, self._waiting = alive[:_BATCH], alive[_BATCH:]
        self._is_writing = bool(batch)
        if batch:
            self._written.clear()
            self._batches.put(batch)
            self._written.wait(_LEEWAY)

    def _finish(self, batch: Sequence[Waiting], stored: Sequence[bool] | RecordsUnavailable) -> None:
        """Tell those who waited, and gather the next batch."""
        _resolve([future for _, future in batch], stored)
        self._gather(_ROUNDS)

    def _work(self) -> None:
        """Write until told to stop; the one thread that uses the store."""
        while True:
            try:
                batch = self._batches.get(timeout=_PROBE)
            except Empty:
                self._look_after()
                continue
            if batch is None:
                break
            if batch:
                self._write(batch)
            if self._is_due():
                self._look_after()
        self._store.close()

    def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            stored: Sequence[bool] | RecordsUnavailable = self._store.write([entry for entry, _ in batch])
            self._note(None)
        except RecordsUnavailable as exc:
            stored = exc
            self._note(str(exc))
        except Exception as exc:  # a mistake of ours must not end the thread that everybody waits for
            stored = RecordsUnavailable(name_of(exc))
            self._note(str(stored))
        self._written.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has been closed: nobody waits
                self._loop.call_soon_threadsafe(self._finish, batch, stored)

    def _look_after(self) -> None:
        """See whether records that failed are back, and erase what is too old."""
        try:
            if self.problem is not None:
                self._store.probe()
                self._note(None)
            if self._is_due():
                oldest = datetime.now(UTC) - timedelta(days=self._keep_days)
                self._store.erase_before(oldest, RETENTION)
                self._erased = time.monotonic()
        except RecordsUnavailable as exc:
            self._note(str(exc))
        except Exception as exc:  # likewise
            self._note(name_of(exc))

    def _is_due(self) -> bool:
        return self._keep_days > 0 and time.monotonic() - self._erased >= _RETENTION_SECONDS

    def _note(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            self._log.error("records", reason=problem)
        elif problem is None and self.problem is not None:
            self._log.info("records", reason="they can be written again")
        self.problem = problem


def make_recorder(settings: Settings, log: FilteringBoundLogger) -> Recorder | None:
    """Make the recorder that the settings ask for.

    Parameters
    ----------
    settings : Settings
    log : FilteringBoundLogger

    Returns
    -------
    Recorder or None
        None where records are switched off.

    Raises
    ------
    RecordsError
        If the address is none, or the key cannot be read.
    """
    if settings.records == "off":
        return None
    chain = read_chain(settings.records_key)
    return Recorder(settings.records, chain, settings.records_inputs, settings.records_days, log)


def _give_up(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_exception(RecordsUnavailable("the records did not answer in time"))


def _resolve(futures: Sequence[asyncio.Future[bool]], stored: Sequence[bool] | RecordsUnavailable) -> None:
    for number, future in enumerate(futures):
        if future.done():  # who waited has given up
            continue
        if isinstance(stored, RecordsUnavailable):
            future.set_exception(RecordsUnavailable(*stored.args))
        else:
            future.set_result(stored[number])

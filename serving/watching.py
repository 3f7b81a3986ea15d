"""The watcher: one process for the whole service that knows MLflow, and asks the registry what is current."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from multiprocessing import get_context, parent_process
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from features.errors import RegistryError, UserError
from serving.loading import prepare_process
from serving.runtime_folder import Published, RuntimeFolder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from models.registry import Located

__all__ = ["Watcher", "is_followed"]

_PATIENCE = 5.0
"""Seconds that the watcher has to end by itself."""


def is_followed(uri: str, seconds: int) -> bool:
    """Whether the version behind an address can change while it is served: only an alias moves.

    Parameters
    ----------
    uri : str
    seconds : int
        Between two questions to the registry; 0 asks once.

    Returns
    -------
    bool
    """
    return seconds > 0 and uri.startswith("models:/") and "@" in uri


class Watcher:
    """Finds the version that an address names, and goes on asking as long as the service runs.

    MLflow takes seconds to import and some 150 MB. So one process of its own has it, whatever the number of
    workers, and fetches files into the runtime folder. Nobody else asks the registry: a registry that is
    slow or away never delays a request. The process ends with the service, even if that is killed: both
    ends of its connection are held by nobody else.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
    runtime : RuntimeFolder
    seconds : int
        Between two questions; 0, or an address that cannot move, ends the process once the files are here.
    log_level : str
    """

    def __init__(self, uri: str, runtime: RuntimeFolder, seconds: int, log_level: str) -> None:
        self._uri = uri
        self._runtime = runtime
        self._seconds = seconds
        self._log_level = log_level
        self._stopping = Event()
        self._lock = Lock()
        self._process, self._connection = self._start()

    def first(self) -> Located:
        """Wait for what the address names.

        Returns
        -------
        Located

        Raises
        ------
        UserError
            If the registry does not answer, knows no such version, or its files cannot be fetched.
        """
        try:
            answer: Located | UserError = self._connection.recv()
        except EOFError:
            raise RegistryError("the process that asks the registry ended without an answer") from None
        if isinstance(answer, UserError):
            raise answer
        return answer

    def keep_running(self) -> None:
        """Start the process anew whenever it ends: nobody would miss it until a new version is not served."""
        if is_followed(self._uri, self._seconds):
            Thread(target=self._restart, name="keep-watching", daemon=True).start()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._stopping.set()
            self._connection.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> tuple[SpawnProcess, Connection]:
        # "spawn": a forked child would inherit, and on exit disturb, whatever the parent has opened.
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (self._uri, self._runtime.path, self._seconds, self._log_level, theirs)
        process = context.Process(target=_watch, args=arguments, name="watcher", daemon=True)
        process.start()
        theirs.close()  # or the end of the process would not be noticed
        return process, ours

    def _restart(self) -> None:
        while True:
            self._process.join()
            if self._stopping.wait(min(self._seconds, _PATIENCE)):
                return
            _log(self._log_level).error("watcher", reason="it ended unexpectedly; it is started anew")
            with self._lock:
                if self._stopping.is_set():
                    return
                self._connection.close()
                self._process, self._connection = self._start()


def _watch(uri: str, path: Path, seconds: int, log_level: str, connection: Connection) -> None:
    """Tell what the address names, then publish what changes, until the service closes the connection."""
    _prepare(path)
    runtime = RuntimeFolder(path)
    published = runtime.published()  # there already if this process replaces one that ended
    if published is None:
        try:
            published = Published(_locate(uri, runtime, None))
        except UserError as exc:
            connection.send(exc)
            return
        if is_followed(uri, seconds):
            runtime.publish(published)
        connection.send(published.located)
    gc.enable()
    if not is_followed(uri, seconds):
        return
    log = _log(log_level)
    while not connection.poll(seconds):  # the end of the connection counts as a message
        now = _ask(uri, runtime, published)
        if now == published:
            continue
        runtime.publish(now)
        if now.problem != published.problem:
            log.warning("registry", reason=now.problem or "it answers again")
        runtime.forget_others([now.located, published.located, runtime.good()])
        published = now
    shutil.rmtree(path, ignore_errors=True)  # the service has ended, or has died and cannot do it


def _ask(uri: str, runtime: RuntimeFolder, before: Published) -> Published:
    try:
        return Published(_locate(uri, runtime, before.located))
    except UserError as exc:
        return Published(before.located, str(exc))


def _locate(uri: str, runtime: RuntimeFolder, known: Located | None) -> Located:
    from models.registry import locate

    try:
        return locate(uri, known=known, into=runtime.path)
    except UserError:
        raise
    except Exception as exc:  # a full disk, or an error of MLflow's own: no reason to stop asking
        raise RegistryError(f"the registry could not be asked ({type(exc).__name__})") from exc


def _log(level: str) -> FilteringBoundLogger:
    from serving.logs import make_logger  # not above: the process that looks for the model starts sooner

    return make_logger(level)


def _prepare(path: Path) -> None:
    prepare_process()
    gc.disable()  # imports make many objects and no garbage: looking for it takes a fifth of their time
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # stderr is the log
    # The terminal sends its interrupt to every process; this one ends when the service does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_service, args=(path,), name="end-with-service", daemon=True).start()


def _end_with_service(path: Path) -> None:
    """End at once when the service has died, even in the midst of a question; and clean up behind it."""
    service = parent_process()
    if service is not None:
        service.join()
        shutil.rmtree(path, ignore_errors=True)
        os._exit(0)

"""Start the service: bind, find the model, load it, answer until told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

from features.errors import UserError
from models.registry import locate
from serving.loading import import_ahead, load_served, prepare_process, warm_up
from serving.runtime_folder import RuntimeFolder
from serving.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from models.registry import Located
    from serving.loading import Served
    from serving.settings import Settings

__all__ = ["AddressError", "run_service"]


class AddressError(UserError):
    """An address that cannot be listened on."""


def run_service(settings: Settings) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    UserError
        If the address is taken, keys cannot be read, the model cannot be found, has no valid record, or
        cannot be read, or the records cannot be opened.
    """
    listening = _bind(settings.host, settings.port)
    prepare_process()
    _check_access(settings)
    # Once requests are finished, uvicorn raises the signal anew: what was begun here is ended, then.
    signal.signal(signal.SIGTERM, _exit)
    with TemporaryDirectory(prefix="treatment-response-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before its library is imported, here or in a worker
        runtime = RuntimeFolder(Path(folder))
        with _found(settings, runtime) as located:
            # With several workers too: what may not be served or cannot be loaded fails here, with a message.
            served = load_served(located, settings.trusted_keys)
            warm_up(served)
            runtime.keep(located)
            _check_health_record(settings, served)
            _prepare_records(settings)
            _answer(settings, listening, runtime, served, located)


@contextmanager
def _found(settings: Settings, runtime: RuntimeFolder) -> Iterator[Located]:
    """Find the model, and watch its alias as long as it is served."""
    if not settings.model.startswith("models:/"):
        import_ahead()
        yield locate(settings.model)
        return
    watcher = Watcher(settings.model, runtime, settings.reload_seconds, settings.log_level)
    try:
        import_ahead()
        located = watcher.first()
        watcher.keep_running()
        yield located
    finally:
        watcher.stop()


def _check_access(settings: Settings) -> None:
    if settings.authenticates:
        from serving.access.making import check_access

        check_access(settings)


def _check_health_record(settings: Settings, served: Served) -> None:
    from serving.health_record.making import check_health_record

    check_health_record(settings, served)


def _prepare_records(settings: Settings) -> None:
    if settings.records != "off":
        from serving.records.migrating import prepare_records

        prepare_records(settings.records, settings.records_key)


def _answer(
    settings: Settings, listening: socket.socket, runtime: RuntimeFolder, served: Served, located: Located
) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from serving.connections import GuardedProtocol
    from serving.logs import configure_library_logs, make_logger

    configure_library_logs(settings.log_level)
    make_logger(settings.log_level).info(
        "serving",
        model=served.name,
        version=served.version,
        digest=served.digest,
        validated=served.validated,
        host=settings.host,
        port=listening.getsockname()[1],
        workers=settings.workers,
    )
    options: dict[str, Any] = {
        "workers": settings.workers,
        "loop": "auto",  # uvloop wherever it is installed
        "http": GuardedProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,  # it writes paths and queries; `serving.boundary` writes our own line
        "server_header": False,
        "timeout_graceful_shutdown": 10,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
        "ssl_certfile": settings.tls_certificate,
        "ssl_keyfile": settings.tls_key,
    }
    if settings.workers == 1:
        config = uvicorn.Config(_make_app(settings, runtime, served, located), **options)
        uvicorn.Server(config).run(sockets=[listening])
    else:
        # Plain values: they reach a worker before it has imported anything of ours.
        make = partial(make_worker_app, settings.model_dump(), str(runtime.path))
        Multiprocess(uvicorn.Config(make, factory=True, **options), sockets=[listening]).run()


def make_worker_app(settings: dict[str, Any], folder: str) -> ASGIApp:
    """Make the application in a worker process, from local files only.

    It begins with the last good version; what the registry has named since is tried as any newer one is. If
    that may not be served or loaded any more, the worker says so to whoever asks: one that ended would be
    started anew for ever.

    Parameters
    ----------
    settings : dict
        Fields of the `Settings` that the parent has checked.
    folder : str
        The runtime folder.

    Returns
    -------
    ASGIApp
    """
    prepare_process()
    import_ahead()
    from features.errors import ArtefactError
    from serving.logs import configure_library_logs, make_logger
    from serving.settings import Settings

    checked, runtime = Settings(**settings), RuntimeFolder(Path(folder))
    configure_library_logs(checked.log_level)
    located = runtime.good()
    try:
        if located is None:
            raise ArtefactError("the service's runtime folder is gone; start the service anew")
        served = load_served(located, checked.trusted_keys)
        warm_up(served)
    except UserError as exc:
        make_logger(checked.log_level).error("withdrawn", reason=str(exc))
        return _make_app(checked, runtime, None, located, str(exc))
    return _make_app(checked, runtime, served, located)


def _make_app(
    settings: Settings,
    runtime: RuntimeFolder,
    served: Served | None,
    located: Located | None,
    problem: str | None = None,
) -> ASGIApp:
    from serving.app import create_app
    from serving.swapping import Source

    source = Source(runtime, located, settings.trusted_keys, settings.reload_seconds)
    return create_app(settings, served, source, problem)


def _exit(*_: object) -> NoReturn:
    sys.exit(0)


def _bind(host: str, port: int) -> socket.socket:
    """Take the address before the model is loaded, so that a taken one is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as exc:
        listening.close()
        raise AddressError(
            f"cannot listen on {host} port {port}: {exc.strerror}; choose another --port"
        ) from exc
    listening.set_inheritable(True)
    return listening

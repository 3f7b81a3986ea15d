"""Start the service: bind, find the model, load it, answer until told to stop."""

from __future__ import annotations

import socket
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from features.errors import UserError
from serving.loading import find_model, load_served, prepare_process
from serving.logs import configure_library_logs, make_logger

if TYPE_CHECKING:
    from fastapi import FastAPI

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
        If the address is taken, or the model cannot be found or read.
    """
    listening = _bind(settings.host, settings.port)
    prepare_process()
    located = find_model(settings.model)
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    # With several workers too: what cannot be loaded fails here, once, with a message.
    served = load_served(located)
    configure_library_logs(settings.log_level)
    make_logger(settings.log_level).info(
        "serving",
        model=served.name,
        version=served.version,
        digest=served.digest,
        host=settings.host,
        port=listening.getsockname()[1],
        workers=settings.workers,
    )
    options: dict[str, Any] = {
        "workers": settings.workers,
        "loop": "auto",  # uvloop and httptools wherever they are installed
        "http": "auto",
        "ws": "none",
        "log_config": None,
        "access_log": False,  # it writes paths and queries; `serving.boundary` writes our own line
        "server_header": False,
        "timeout_graceful_shutdown": 10,
    }
    if settings.workers == 1:
        from serving.app import create_app

        config = uvicorn.Config(create_app(settings, served), **options)
        uvicorn.Server(config).run(sockets=[listening])
    else:
        # Plain values: they reach a worker before it has imported anything of ours.
        make = partial(make_worker_app, settings.model_dump(), asdict(located))
        Multiprocess(uvicorn.Config(make, factory=True, **options), sockets=[listening]).run()


def make_worker_app(settings: dict[str, Any], located: dict[str, Any]) -> FastAPI:
    """Make the application in a worker process, from local files only.

    Parameters
    ----------
    settings, located : dict
        Fields of the `Settings` and of the `Located` that the parent has checked.

    Returns
    -------
    FastAPI
    """
    prepare_process()
    from models.registry import Located
    from serving.app import create_app
    from serving.settings import Settings

    checked = Settings(**settings)
    configure_library_logs(checked.log_level)
    return create_app(checked, load_served(Located(**located)))


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

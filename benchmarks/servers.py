"""Servers that a benchmark starts and stops, each by its own handle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from serving.access.api_keys import add_key
from serving.access.key_file import KeyFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT: Final = 120.0  # seconds that a server may take to become ready


@dataclass(frozen=True)
class Service:
    """A server to start: its command, the address that answers once it is ready, more environment."""

    command: list[str]
    port: int
    ready: str
    environment: dict[str, str] = field(default_factory=dict)

    def address(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def started(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """A running server, in a process group of its own that ends with the block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            service.command,
            env=os.environ | service.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait(service, process)
            yield process
        except ChildProcessError as exc:
            log.seek(0)
            exc.add_note(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            with suppress(ProcessLookupError):  # ended by itself
                os.killpg(process.pid, signal.SIGTERM)  # MLflow's server is a child of its command
            process.wait()


def _wait(service: Service, process: subprocess.Popen[bytes]) -> None:
    end = time.perf_counter() + _WAIT
    while time.perf_counter() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(service.address(service.ready), timeout=5):
                return
        except OSError:  # not listening yet, or 503
            time.sleep(0.01)
    raise ChildProcessError(f"not ready: {' '.join(service.command)}")


def guarded(folder: Path, roles: list[str]) -> tuple[dict[str, str], str]:
    """Settings of a service with API keys, limits of rate and records in a file, `records.sqlite`; and a key.

    Parameters
    ----------
    folder : Path
        For all of these.
    roles : list of str
        Of who has the key.

    Returns
    -------
    environment : dict of str to str
    key : str
    """
    _, key = add_key(KeyFile(folder / "keys.json"), "benchmark", roles, 1)
    settings = {
        "api_keys": str(folder / "keys.json"),
        "rate_limit": "10000000",  # counted as any other, and never reached
        "records": f"sqlite:///{folder / 'records.sqlite'}",
        "records_key": str(folder / "records.key"),
    }
    return as_environment(settings), key


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """Settings of the service as variables."""
    return {f"TREATMENT_RESPONSE_{name.upper()}": value for name, value in settings.items()}


def spread(values: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

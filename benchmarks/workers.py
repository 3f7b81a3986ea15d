"""Workers of a running service, and which of them holds a connection."""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from typing import Final

import psutil

_WAIT: Final = 120.0
_PAUSE: Final = 0.1


def workers_of(service: int, port: int) -> list[psutil.Process]:
    """Processes that answer for a service: those of its children that listen on its port.

    Parameters
    ----------
    service : int
        Process id.
    port : int
    """
    found = []
    for child in psutil.Process(service).children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            listening = (c.laddr.port for c in child.net_connections("tcp") if c.status == "LISTEN")
            if port in listening:
                found.append(child)
    return found


def clients_of(worker: psutil.Process, port: int) -> set[int]:
    """Ports of the clients whose connections a worker holds."""
    with suppress(psutil.NoSuchProcess):
        return {
            c.raddr.port
            for c in worker.net_connections("tcp")
            if c.status == "ESTABLISHED" and c.laddr.port == port
        }
    return set()


def busiest_of(service: int, port: int) -> tuple[psutil.Process, set[int]]:
    """Find the worker with the most clients, and their ports."""
    held = [(worker, clients_of(worker, port)) for worker in workers_of(service, port)]
    return max(held, key=lambda one: len(one[1]))


def wait_for_replacement(service: int, port: int, before: set[int]) -> float:
    """Wait until a worker that was not there before has answered.

    Parameters
    ----------
    service, port : int
    before : set of int
        Process ids of the workers that were there.

    Returns
    -------
    float
        Seconds waited.

    Raises
    ------
    AssertionError
        If none does.
    """
    start = time.perf_counter()
    while time.perf_counter() - start < _WAIT:
        new = [worker for worker in workers_of(service, port) if worker.pid not in before]
        if any(_answers(worker, port) for worker in new):
            return time.perf_counter() - start
        time.sleep(_PAUSE)
    raise AssertionError(f"the worker was not replaced within {_WAIT:.0f} s")


def _answers(worker: psutil.Process, port: int) -> bool:
    """Whether a new connection is answered, and by this worker."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        response.read()
        mine = connection.sock.getsockname()[1]
        return response.status == 200 and mine in clients_of(worker, port)
    except OSError:
        return False
    finally:
        connection.close()

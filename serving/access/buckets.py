"""How often each caller may ask, counted together by all workers of the service.

The generic cell rate algorithm (ITU-T I.371, annex A): for each caller one number, the time at which the
next request would be due if all came evenly. It may lie ahead of now by no more than the burst.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Buckets"]

_SLOT: Final = Struct("16sd")
_SLOTS: Final = 8192
_PROBES: Final = 32
"""Slots that a caller may have; if others ask in all of them, the one with most left is given away."""


class Buckets:
    """Counts in memory that the workers share: a few microseconds each, and nothing survives a restart.

    Parameters
    ----------
    path : Path or None
        File that the workers share; None counts for this process alone.
    clock : callable
        Seconds, the same for all processes of the machine.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._file = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if path is not None:
            os.ftruncate(self._file, _SLOT.size * _SLOTS)  # the same size for each worker: it changes nothing
        self._slots = mmap.mmap(self._file, _SLOT.size * _SLOTS)

    def take(self, name: str, per_minute: float, burst: int) -> int:
        """Take one request of a caller's allowance.

        Parameters
        ----------
        name : str
        per_minute : float
            How often, in the long run.
        burst : int
            How many at once.

        Returns
        -------
        int
            0 if it may ask, else the seconds after which it may.
        """
        interval = 60 / per_minute
        digest = blake2b(name.encode(), digest_size=16).digest()
        self._lock(fcntl.LOCK_EX)
        try:
            now = self._clock()
            offset, due = self._find(digest, now)
            wait = due + interval - burst * interval - now
            if wait > 1e-9:
                return max(1, -int(-wait // 1))
            _SLOT.pack_into(self._slots, offset, digest, due + interval)
        finally:
            self._lock(fcntl.LOCK_UN)
        return 0

    def _find(self, digest: bytes, now: float) -> tuple[int, float]:
        """A caller's slot and when its next request is due, now at the earliest.

        A slot whose time has passed says no more than an empty one, and is free.
        """
        first = int.from_bytes(digest[:4], "little")
        free, least = -1, float("inf")
        for probe in range(_PROBES):
            offset = (first + probe) % _SLOTS * _SLOT.size
            found, due = _SLOT.unpack_from(self._slots, offset)
            if found == digest:
                return offset, max(due, now)
            if due < least:
                free, least = offset, due
        return free, now

    def _lock(self, operation: int) -> None:
        # The kernel frees the lock of a process that dies. Within a process, requests take turns anyway.
        if self._file >= 0:
            fcntl.lockf(self._file, operation)

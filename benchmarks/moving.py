"""Moves of the champion under a running service, each seen to have arrived."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.load import Load
    from tests.serving.versions import Registry

_WAIT: Final = 120.0
_PAUSE: Final = 0.02
_REFUSED: Final = "treatment_response_version_refused"


@dataclass(frozen=True)
class Champion:
    """The alias that a busy service follows.

    Parameters
    ----------
    registry : Registry
    load : Load
        What keeps the service busy, over connections to all of its workers.
    port : int
    key : str
        API key of a caller who may read metrics.
    """

    registry: Registry
    load: Load
    port: int
    key: str

    def move(self, version: str) -> float:
        """Move it to a good version; wait until every connection is answered by that.

        Returns
        -------
        float
            Seconds from the move to the last connection's first answer of the version.
        """
        start = time.perf_counter()
        self.registry.move(version)
        self._wait(lambda: self.load.is_all_of(version), f"version {version} on every connection")
        seconds = time.perf_counter() - start
        self._wait(lambda: self._says(version, None), f"version {version}, and none refused")
        return seconds

    def move_to_broken(self, version: str, last_good: str) -> float:
        """Move it to a version that may not be served; wait until the service says that it refuses it.

        Returns
        -------
        float
            Seconds from the move to the refusal.
        """
        start = time.perf_counter()
        self.registry.move(version)
        self._wait(lambda: self._says(last_good, version), f"version {version} refused")
        return time.perf_counter() - start

    def _says(self, served: str, refused: str | None) -> bool:
        """Whether readiness and metrics both say this; each may come from another worker."""
        ready: dict[str, Any] = json.loads(self._get("/readyz"))
        found = None if ready["refused"] is None else ready["refused"]["version"]
        metric = f"{_REFUSED} {float(refused is not None)}"
        return (ready["status"], ready["version"], found) == ("ready", served, refused) and metric in (
            self._get("/metrics").splitlines()
        )

    def _get(self, path: str) -> str:
        headers = {"Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        end = time.perf_counter() + _WAIT
        while not is_so():
            if time.perf_counter() > end:
                raise AssertionError(f"waited in vain for {what}; answers so far: {self.load.by_version}")
            time.sleep(_PAUSE)

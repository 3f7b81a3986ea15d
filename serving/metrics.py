"""Figures of the running service in Prometheus' format, of all its workers; no label is a patient's value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.metrics_core import Metric

    from serving.loading import Served
    from serving.state import Following

__all__ = ["FOLDER", "Metrics", "observe_prediction"]

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable naming the folder where the workers' figures meet; read when `prometheus_client` is imported."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 408, 413, 415, 421, 422, 429, 503})


class Metrics:
    """Counts of one process, and how they are shown with those of the others."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "treatment_response_request_seconds",
            "Time to answer a request.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._refusals = Counter(
            "treatment_response_refusals",
            "Requests that were refused, by status.",
            ["status"],
            registry=self._registry,
        )
        self._predictions = Counter(
            "treatment_response_predictions",
            "Predictions by surface, version of the model and verdict (none: plans, or withheld for safety).",
            ["surface", "version", "verdict"],
            registry=self._registry,
        )
        self._missing = Counter(
            "treatment_response_missing_inputs",
            "Predictions that were asked for without this predictor.",
            ["predictor"],
            registry=self._registry,
        )
        self._count_missing = _Counts(self._missing)
        self._count_predictions = _Counts(self._predictions)
        self._count_refusals = _Counts(self._refusals)
        self._observers: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def watch(
        self, log_request: Callable[[str, str, str, int, float], None]
    ) -> Callable[[str, str, str, int, float], None]:
        """Count each request whose line is written.

        Parameters
        ----------
        log_request : callable
            From `make_request_log`.

        Returns
        -------
        callable
            To be called in its place.
        """

        def observe(request_id: str, method: str, route: str, status: int, ms: float) -> None:
            self._observe(method, route, status, ms / 1e3)
            log_request(request_id, method, route, status, ms)

        return observe

    def count_prediction(self, surface: str, answer: Mapping[str, Any]) -> None:
        """Count a prediction as it was answered.

        Parameters
        ----------
        surface : str
            Such as `api` or `page`.
        answer : mapping of str
            With `model`, `inputs`, and perhaps `verdict`.
        """
        verdict = answer.get("verdict") or "none"
        self._count_predictions(surface, answer["model"]["version"], verdict)
        for name in answer["inputs"]["missing"]:
            self._count_missing(name)

    def write(self, served: Served | None, following: Following | None) -> bytes:
        """Write the figures of all workers.

        Parameters
        ----------
        served : Served or None
            What this worker serves.
        following : Following or None

        Returns
        -------
        bytes
            Prometheus' text format.
        """
        whole = self._registry
        if os.environ.get(FOLDER):
            whole = CollectorRegistry()
            MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
        state = CollectorRegistry()
        state.register(_State(served, following))
        return generate_latest(whole) + generate_latest(state)

    def _observe(self, method: str, route: str, status: int, seconds: float) -> None:
        observer = self._observers.get((method, route, status))
        if observer is None:  # routes are templates, so there are few
            observer = self._requests.labels(method, route, str(status)).observe
            self._observers[method, route, status] = observer
        observer(seconds)
        if status in _REFUSALS:
            self._count_refusals(str(status))


class _Counts:
    """A counter whose labels are looked up once: looking them up costs more than counting."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._known: dict[tuple[str, ...], Callable[[], None]] = {}

    def __call__(self, *labels: str) -> None:
        count = self._known.get(labels)
        if count is None:  # versions, routes and predictors are few
            count = self._known[labels] = self._counter.labels(*labels).inc
        count()


class _State:
    """What the service is, rather than what it has done."""

    def __init__(self, served: Served | None, following: Following | None) -> None:
        self._served = served
        self._following = following

    def collect(self) -> Iterable[Metric]:
        """Give it as Prometheus' client asks for it."""
        if self._served is not None:
            about = {
                "model": self._served.name,
                "version": self._served.version,
                "digest": self._served.digest,
            }
            yield InfoMetricFamily("treatment_response_model", "The version that answers.", about)
        if self._following is not None:
            refused, away = self._following.refused is not None, self._following.problem is not None
            text = "1 if the alias names a version that is not served."
            yield GaugeMetricFamily("treatment_response_version_refused", text, float(refused))
            text = "1 if the registry cannot be asked."
            yield GaugeMetricFamily("treatment_response_registry_away", text, float(away))


def observe_prediction(state: Any, surface: str, answer: Mapping[str, Any]) -> None:
    """Count a prediction for a route; nothing happens where nobody counts.

    Parameters
    ----------
    state : Any
        `request.state`.
    surface : str
        Such as `api` or `page`.
    answer : mapping of str
        As it is answered.
    """
    metrics: Metrics | None = getattr(state, "metrics", None)
    if metrics is not None:
        metrics.count_prediction(surface, answer)

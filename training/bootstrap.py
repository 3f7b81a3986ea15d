"""Intervals by bootstrap that follows groups and covers the repeats of a cross-validation.

What varies, and how the interval covers it: patients, or whole groups of them, by drawing them anew; how
they were split into folds, by the spread of the figure between repeats; what folds learned from each other's
patients, by a term of its own (`training.overlap`); few groups, by percentiles further out
(`training.intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from training.intervals import count_units, find_interval
from training.metrics import METRICS, Figures, Metric, Predicted
from training.overlap import centred_logits, overlap_parts, subtract_parts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "Draws",
    "Estimate",
    "draw_metrics",
    "draw_weights",
    "estimate_metrics",
    "in_blocks",
    "repeats_of",
    "rows_with_both",
]

SAMPLES = 400

_BLOCK = 2**18  # numbers in one array: stays in the processor's cache

_Found = Mapping[str, "NDArray[np.float64]"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval.

    Parameters
    ----------
    value, low, high : float
        NaN where the figure is not defined (a class without patients).
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write value and interval, as tables show them."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Draws:
    """A figure in each repeat of a cross-validation and in each bootstrap sample.

    Parameters
    ----------
    repeats : ndarray of shape (r,)
        Of all patients.
    samples : ndarray of shape (samples,)
        Means over the repeats; NaN where the figure is not defined.
    units : int
        Patients or groups that are drawn independently.
    overlap : ndarray of shape (3,)
        What folds add that learn from each other's patients (`training.overlap.overlap_parts`).
    lines : ndarray of shape (r, n)
        Of the predictions (`training.overlap.centred_logits`), for differences; empty if they are not known.
    distance : bool
        See `training.intervals.find_interval`.
    within : tuple of float
        Lowest and highest value that the figure can have.
    """

    repeats: NDArray[np.float64]
    samples: NDArray[np.float64]
    units: int
    overlap: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    lines: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    distance: bool = False
    within: tuple[float, float] = (-math.inf, math.inf)

    def estimate(self) -> Estimate:
        """Give the mean over the repeats with its 95 % interval."""
        overlap = float(np.linalg.norm(self.overlap))
        ends = find_interval(self.repeats, self.samples, self.units, overlap=overlap, distance=self.distance)
        low, high = np.clip(ends, *self.within)
        return Estimate(float(self.repeats.mean()), float(low), float(high))

    def minus(self, other: Draws) -> Draws:
        """Give the paired difference from another figure, drawn with the same weights and repeats."""
        overlap = subtract_parts(self.overlap, other.overlap, (self.lines, other.lines))
        return Draws(self.repeats - other.repeats, self.samples - other.samples, self.units, overlap)


def draw_weights(
    n: int, groups: NDArray[np.intp] | None, seed: int, samples: int = SAMPLES
) -> NDArray[np.float64]:
    """How often each patient is drawn in each bootstrap sample; whole groups where there are groups.

    Parameters
    ----------
    n : int
        Number of patients.
    groups : ndarray of shape (n,) or None
    seed : int
    samples : int

    Returns
    -------
    ndarray of shape (samples, n)
    """
    rng = np.random.default_rng(seed)
    index = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = int(index.max()) + 1
    draws = rng.multinomial(units, np.full(units, 1 / units), size=samples)
    result: NDArray[np.float64] = draws[:, index].astype(np.float64)
    return result


def repeats_of(table: pd.DataFrame, column: str = "probability") -> list[Predicted]:
    """Split one outcome's table into its repeats: patients with an endpoint, in one and the same order.

    Parameters
    ----------
    table : DataFrame
        Rows of one outcome (see `training.cross_validation.Validated`).
    column : str
        Column of the probabilities.

    Returns
    -------
    list of Predicted
    """
    observed = table[table["observed"].notna()]
    parts = [part.sort_values("patient") for _, part in observed.groupby("repeat", sort=True)]
    return [
        Predicted(
            part["observed"].to_numpy(dtype=np.float64),
            part[column].to_numpy(dtype=np.float64),
            part["candidate_prevalence"].to_numpy(dtype=np.float64),
            part["fold"].to_numpy(dtype=np.intp),
            float(part["parameters"].mean()),
        )
        for part in parts
    ]


def estimate_metrics(
    repeats: list[Predicted],
    weights: NDArray[np.float64],
    metrics: Mapping[str, Callable[[Predicted, NDArray[np.float64]], float]] = METRICS,
) -> dict[str, Estimate]:
    """Figures, each the mean over the repeats, with 95 % intervals.

    Parameters
    ----------
    repeats : list of Predicted
        The same patients in the same order in each.
    weights : ndarray of shape (samples, n)
        From `draw_weights`; the same for models that are compared, so that comparisons are paired.
    metrics : mapping of str to callable
        A `training.metrics.Metric` is computed for all samples at once, with those it shares work with.

    Returns
    -------
    dict of str to Estimate
    """
    return {name: draws.estimate() for name, draws in draw_metrics(repeats, weights, metrics).items()}


def draw_metrics(
    repeats: list[Predicted],
    weights: NDArray[np.float64],
    metrics: Mapping[str, Callable[[Predicted, NDArray[np.float64]], float]] = METRICS,
    *,
    as_is: NDArray[np.float64] | None = None,
    keep_all: bool = False,
) -> dict[str, Draws]:
    """Figures in each repeat and in each bootstrap sample.

    Parameters
    ----------
    repeats : list of Predicted
    weights : ndarray of shape (samples, n)
    metrics : mapping of str to callable
    as_is : ndarray of shape (n,), optional
        Weights of the patients themselves, as they are before anybody is drawn; 1 each if left out.
    keep_all : bool
        Keep samples without one of the classes, with NaN, so that draws of several subgroups stay in step.

    Returns
    -------
    dict of str to Draws
        For paired differences, `Draws.minus`.
    """
    y = repeats[0].y
    own = np.ones(len(y)) if as_is is None else as_is
    units = count_units(weights)
    usable = np.flatnonzero((weights @ y > 0) & (weights @ (1 - y) > 0))  # both classes were drawn
    rows = np.vstack([own, weights[usable]])
    lines = centred_logits(repeats)
    families: dict[object, tuple[_Found, _Found]] = {}
    found = {}
    for name, given in metrics.items():
        metric = given if isinstance(given, Metric) else Metric(name, partial(_one_by_one, name, given))
        if metric.figures not in families:
            families[metric.figures] = _measure_family(repeats, rows, metric.figures)
        drawn, overlap = (figures[metric.name] for figures in families[metric.figures])
        samples = drawn[:, 1:].mean(axis=0)
        if keep_all:
            spread = np.full(len(weights), np.nan)
            spread[usable] = samples
            samples = spread
        found[name] = Draws(drawn[:, 0], samples, units, overlap[:, 0], lines, metric.distance, metric.within)
    return found


def rows_with_both(y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the patients as they are before the samples in which both classes were drawn.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (samples, n)
        From `draw_weights`.

    Returns
    -------
    ndarray of shape (1 + usable samples, n)
        A sample without one of the classes has no curve: it is left out.

    Examples
    --------
    >>> rows_with_both(np.array([1.0, 0]), np.array([[2.0, 0], [1, 1], [0, 2]]))
    array([[1., 1.],
           [1., 1.]])
    """
    events, patients = weights @ y, weights.sum(axis=1)
    return np.vstack([np.ones(len(y)), weights[(events > 0) & (events < patients)]])


def in_blocks(
    rows: NDArray[np.float64], measure: Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
) -> dict[str, NDArray[np.float64]]:
    """Measure a few rows of weights at a time, so that arrays stay small, and join what comes out.

    Parameters
    ----------
    rows : ndarray of shape (samples, n)
    measure : callable
        Gives arrays whose first axis counts the rows it was given.

    Returns
    -------
    dict of str to ndarray of shape (samples, ...)
    """
    size = max(1, _BLOCK // rows.shape[1])
    parts = [measure(rows[i : i + size]) for i in range(0, len(rows), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _measure_family(
    repeats: list[Predicted], rows: NDArray[np.float64], figures: Figures
) -> tuple[_Found, _Found]:
    """Figures that share their work, each of shape (r, samples), and what overlap adds, of shape (3, 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # not defined is NaN, and said so
        found = [in_blocks(rows, partial(figures, data)) for data in repeats]
        overlap = overlap_parts(repeats, lambda data: figures(data, rows[:1]))
    return {name: np.array([figure[name] for figure in found]) for name in found[0]}, overlap


def _one_by_one(
    name: str,
    metric: Callable[[Predicted, NDArray[np.float64]], float],
    data: Predicted,
    rows: NDArray[np.float64],
) -> _Found:
    return {name: np.array([metric(data, w) for w in rows])}

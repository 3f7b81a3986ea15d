"""Intervals by bootstrap that follows groups and covers the repeats of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.metrics import METRICS, Predicted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Estimate", "draw_weights", "estimate_metrics", "repeats_of"]

SAMPLES = 400


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
        )
        for part in parts
    ]


def estimate_metrics(
    repeats: list[Predicted],
    weights: NDArray[np.float64],
    metrics: Mapping[str, Callable[[Predicted, NDArray[np.float64]], float]] = METRICS,
) -> dict[str, Estimate]:
    """Figures, each the mean over the repeats, with percentile intervals.

    Parameters
    ----------
    repeats : list of Predicted
        The same patients in the same order in each.
    weights : ndarray of shape (samples, n)
        From `draw_weights`; the same for models that are compared, so that comparisons are paired.
    metrics : mapping of str to callable

    Returns
    -------
    dict of str to Estimate
    """
    once = np.ones(len(repeats[0].y))
    y = repeats[0].y
    usable = [w for w in weights if 0 < (w * y).sum() < w.sum()]

    def mean(metric: Callable[[Predicted, NDArray[np.float64]], float], w: NDArray[np.float64]) -> float:
        return float(np.mean([metric(data, w) for data in repeats]))

    def interval(metric: Callable[[Predicted, NDArray[np.float64]], float]) -> tuple[float, float]:
        drawn = np.array([mean(metric, w) for w in usable])
        defined = drawn[~np.isnan(drawn)]  # a sample may hold no pair of responder and non-responder
        if not len(defined):
            return float("nan"), float("nan")
        low, high = np.quantile(defined, (0.025, 0.975))
        return float(low), float(high)

    return {name: Estimate(mean(metric, once), *interval(metric)) for name, metric in metrics.items()}

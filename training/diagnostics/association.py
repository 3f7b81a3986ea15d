"""Rank correlations of a column with the scores at baseline and at the endpoint, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

from training.bootstrap import Estimate, draw_weights
from training.diagnostics.columns import SAMPLES, resampling_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort

__all__ = ["Association", "associate"]

_FEWEST: Final = 20  # patients with a value and an endpoint


class Association(NamedTuple):
    """How a column goes with the outcome's scores.

    Parameters
    ----------
    patients : int
        With a value and an endpoint.
    baseline, endpoint : Estimate
        Size of Spearman's rank correlation with the score.
    beyond : Estimate
        Size of the partial rank correlation with the endpoint score, given the baseline score.
    excess : Estimate
        `endpoint` minus `baseline`.
    """

    patients: int
    baseline: Estimate
    endpoint: Estimate
    beyond: Estimate
    excess: Estimate


def associate(cohort: Cohort, values: NDArray[np.float64], tests: int) -> Association | None:
    """Correlate a column with both scores, in the patients who have all three.

    Parameters
    ----------
    cohort : Cohort
    values : ndarray of shape (n,)
        Ordered; NaN where missing.
    tests : int
        Columns that are tried.

    Returns
    -------
    Association or None
        None with fewer than 20 such patients, or if one of the three is constant.

    Notes
    -----
    Intervals are percentiles of 200 bootstrap samples, of groups where there are groups; ranks are those of
    the patients as they are, which is quick and changes an interval's end in the third digit. Of few groups
    the bootstrap knows too little: no interval is narrower than Fisher's, at 95 % over `tests` columns.
    """
    used = ~np.isnan(values) & ~np.isnan(cohort.endpoint)
    if used.sum() < _FEWEST:
        return None
    scores = (values[used], cohort.baseline[used], cohort.endpoint[used])
    ranks = np.column_stack([rankdata(score) for score in scores])
    if (ranks.std(axis=0) == 0).any():
        return None
    groups = resampling_groups(cohort)
    weights = draw_weights(int(used.sum()), None if groups is None else groups[used], 0, SAMPLES)
    baseline, endpoint, beyond = _sizes(ranks, np.vstack([np.ones(len(ranks)), weights]))
    half = float(norm.ppf(1 - 0.025 / tests)) / np.sqrt(used.sum() - 4)
    return Association(
        int(used.sum()),
        _widen(_estimate(baseline), half),
        _widen(_estimate(endpoint), half),
        _widen(_estimate(beyond), half),
        _estimate(endpoint - baseline),
    )


def _sizes(ranks: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Sizes of the three correlations for each row of weights."""
    total = weights.sum(axis=1)
    mean = weights @ ranks / total[:, None]

    def covariance(i: int, j: int) -> NDArray[np.float64]:
        product: NDArray[np.float64] = weights @ (ranks[:, i] * ranks[:, j]) / total - mean[:, i] * mean[:, j]
        return product

    def correlation(i: int, j: int) -> NDArray[np.float64]:
        spread = np.sqrt(np.maximum(covariance(i, i) * covariance(j, j), 0))
        return np.divide(covariance(i, j), spread, out=np.zeros_like(spread), where=spread > 0)

    column_baseline, column_endpoint, course = correlation(0, 1), correlation(0, 2), correlation(1, 2)
    # Partial correlation; near 0 / 0 for a copy of the baseline score, which says nothing beyond it.
    left = np.sqrt(np.maximum((1 - column_baseline**2) * (1 - course**2), 0))
    rest = column_endpoint - column_baseline * course
    beyond = np.divide(rest, left, out=np.zeros_like(left), where=left > 1e-6)
    return np.abs(column_baseline), np.abs(column_endpoint), np.abs(beyond)


def _widen(size: Estimate, half: float) -> Estimate:
    """Take Fisher's interval, `half` wide on either side of artanh(r), where it is wider."""
    middle = np.arctanh(min(size.value, 1 - 1e-9))
    low, high = max(float(np.tanh(middle - half)), 0.0), float(np.tanh(middle + half))
    return Estimate(size.value, min(size.low, low), max(size.high, high))


def _estimate(drawn: NDArray[np.float64]) -> Estimate:
    low, high = np.quantile(drawn[1:], (0.025, 0.975))
    return Estimate(float(drawn[0]), float(low), float(high))

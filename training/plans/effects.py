"""Effects of plans: doubly robust, cross-fitted averages, and whether predicted differences are real.

For each patient i and plan a the doubly robust score is

    score_ia = m_a(x_i) + 1[A_i = a] / e_a(x_i) * (y_i - m_a(x_i))

with outcome m and propensity e learned on other folds. Its mean estimates the response if all patients were
on plan a, and stays right if either m or e is (Robins, Rotnitzky and Zhao, JASA 1994;89:846-866; Chernozhukov
et al., Econom J 2018;21:C1-C68). It assumes that, given the recorded predictors, nothing else bears on both
choice and response, and that every plan is possible for such patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from training.bootstrap import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "autoc",
    "calibrate_effect",
    "doubly_robust_scores",
    "e_value",
    "estimate_gain",
    "estimate_mean",
    "estimate_ratio",
]

_LOWEST: Final = 0.01  # propensities are kept from below: one patient must not stand for over a hundred
_LEVEL: Final = 0.95


def doubly_robust_scores(
    y: NDArray[np.float64],
    plans: NDArray[np.intp],
    expected: NDArray[np.float64],
    propensity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Score of each patient on each plan.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    plans : ndarray of shape (n,)
        Index of the plan that the patient was on.
    expected, propensity : ndarray of shape (n, n_plans)
        Probability of response on each plan, and of being put on it, learned on other patients.

    Returns
    -------
    ndarray of shape (n, n_plans)
        Inverse propensities are scaled to a mean of one on each plan (Hajek), which tames large ones.
    """
    on_plan = plans[:, None] == np.arange(expected.shape[1])
    weight = on_plan / np.maximum(propensity, _LOWEST)
    total = weight.mean(axis=0)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    scores: NDArray[np.float64] = expected + weight * (y[:, None] - expected)
    return scores


def estimate_mean(
    values: NDArray[np.float64], groups: NDArray[np.intp] | None, level: float = _LEVEL
) -> Estimate:
    """Mean with an interval that follows groups.

    Parameters
    ----------
    values : ndarray of shape (n,)
    groups : ndarray of shape (n,) or None
    level : float

    Returns
    -------
    Estimate
        Student's t with as many degrees of freedom as groups less one: with a dozen sites the normal
        distribution, and the bootstrap, would be too sure (Cameron and Miller, J Hum Resour
        2015;50:317-372).
    """
    mean = float(values.mean())
    return _interval(mean, values - mean, groups, level)


def estimate_gain(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> Estimate:
    """Mean on which a claim rests: the wider of the intervals that follow groups and that ignore them.

    With few, unequal groups the first is by chance too narrow now and then; a claim must not live on that.

    Parameters
    ----------
    values : ndarray of shape (n,)
    groups : ndarray of shape (n,) or None

    Returns
    -------
    Estimate
    """
    by_group, by_patient = estimate_mean(values, groups), estimate_mean(values, None)
    # NaN, for a single group, stays: then nothing is claimed.
    return Estimate(
        by_group.value,
        float(np.minimum(by_group.low, by_patient.low)),
        float(np.maximum(by_group.high, by_patient.high)),
    )


def estimate_ratio(
    values: NDArray[np.float64], base: NDArray[np.float64], groups: NDArray[np.intp] | None
) -> Estimate:
    """Ratio of two means of the same patients, with an interval that follows groups (on the log scale)."""
    ratio = float(values.mean() / base.mean())
    influence = values / values.mean() - base / base.mean()
    around = _interval(0.0, influence, groups, _LEVEL)
    return Estimate(ratio, ratio * float(np.exp(around.low)), ratio * float(np.exp(around.high)))


def calibrate_effect(
    effect: NDArray[np.float64], predicted: NDArray[np.float64], groups: NDArray[np.intp] | None
) -> Estimate:
    """Slope of doubly robust effects on predicted ones: the best linear predictor of the effect.

    Parameters
    ----------
    effect : ndarray of shape (n,)
        Difference of two plans' scores.
    predicted : ndarray of shape (n,)
        Difference of their predicted probabilities, learned on other patients.
    groups : ndarray of shape (n,) or None

    Returns
    -------
    Estimate
        1 if predicted differences are as large as real ones, 0 if nothing of them is real; NaN where all
        predicted differences are the same.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val, Econometrica 2025;93:1121-1164.
    """
    centred = predicted - predicted.mean()
    spread = float((centred**2).mean())
    if spread < 1e-12:
        return Estimate(float("nan"), float("nan"), float("nan"))
    slope = float((centred * effect).mean() / spread)
    residual = effect - effect.mean() - slope * centred
    return _interval(slope, centred * residual / spread, groups, _LEVEL)


def autoc(
    effect: NDArray[np.float64], predicted: NDArray[np.float64], groups: NDArray[np.intp] | None
) -> Estimate:
    """Area under the targeting operator characteristic: how much more those ranked first gain than all.

    Parameters
    ----------
    effect, predicted, groups
        As for `calibrate_effect`.

    Returns
    -------
    Estimate
        In probability; 0 if the ranking says nothing of the effect.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill and Wager, JASA 2025;120:38-51: the mean, over the shares u that
    could be treated first, of the effect among them less the effect in all. It is a weighted mean of
    effects with a weight by rank, hence its interval.
    """
    n = len(effect)
    rank = stats.rankdata(-predicted, method="average")  # 1 is the first to be treated
    # sum over k >= rank of 1 / k, the harmonic weight of a rank, minus its mean
    tail = np.concatenate([np.cumsum(1 / np.arange(n, 0, -1))[::-1], [0.0]])
    weight = np.interp(rank, np.arange(1, n + 2), tail)
    weight = weight - weight.mean()
    value = float((weight * effect).mean())
    return _interval(value, weight * (effect - effect.mean()) - value, groups, _LEVEL)


def e_value(ratio: Estimate) -> tuple[float, float]:
    """How strong a hidden confounder would have to be to explain a risk ratio away.

    Parameters
    ----------
    ratio : Estimate
        Risk ratio with its interval.

    Returns
    -------
    value, of_limit : float
        Smallest risk ratio that the confounder must have with both plan and response, for the estimate and
        for the end of its interval next to 1; 1 if the interval holds 1.

    References
    ----------
    VanderWeele and Ding, Ann Intern Med 2017;167:268-274.
    """
    limit = max(ratio.low, 1.0) if ratio.value >= 1 else min(ratio.high, 1.0)
    return _e_value(ratio.value), _e_value(limit)


def _e_value(ratio: float) -> float:
    if ratio <= 0:
        return float("inf")
    away = max(ratio, 1 / ratio)
    return float(away + np.sqrt(away * (away - 1)))


def _interval(
    value: float, influence: NDArray[np.float64], groups: NDArray[np.intp] | None, level: float
) -> Estimate:
    """Interval from each patient's influence on a figure, summed by group."""
    sums = influence if groups is None else np.bincount(np.unique(groups, return_inverse=True)[1], influence)
    units = len(sums)
    if units < 2:
        return Estimate(value, float("nan"), float("nan"))
    error = float(np.sqrt(units / (units - 1) * (sums**2).sum()) / len(influence))
    half = float(stats.t.ppf((1 + level) / 2, units - 1)) * error
    return Estimate(value, value - half, value + half)

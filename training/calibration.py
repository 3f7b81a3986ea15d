"""Calibration of probabilities: line, flexible curve, and the distance of the curve from the diagonal.

Probabilities of 0 and 1 have no logit; they are taken as one in a million and its counterpart
(`training.logistic.clipped_logit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from features.splines import restricted_cubic
from training.logistic import clipped_logit, fit_logistic, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.metrics import Predicted

__all__ = ["curve_distances", "curves", "intercepts", "is_separated", "slopes"]

_KNOTS: Final = (0.1, 0.5, 0.9)  # Harrell, Regression Modeling Strategies (2015), table 2.3, three knots
_ALIKE: Final = 1e-6
"""Logits that differ by less are the same prediction."""


def intercepts(data: Predicted, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibration intercept with the slope held at 1: calibration in the large.

    Parameters
    ----------
    data : Predicted
    weights : ndarray of shape (samples, n)

    Returns
    -------
    ndarray of shape (samples,)
        On the logit scale: 0 is right, below 0 means probabilities that are too high.

    References
    ----------
    Cox, Biometrika 1958;45:562-565; Steyerberg, Clinical Prediction Models (2019), section 15.3.
    """
    line = clipped_logit(data.p)
    return fit_logistic(np.ones((len(line), 1)), data.y, weights, offset=line)[:, 0]


def slopes(data: Predicted, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibration slope: coefficient of the logit of the prediction, with an intercept for each fold.

    Parameters
    ----------
    data : Predicted
    weights : ndarray of shape (samples, n)

    Returns
    -------
    ndarray of shape (samples,)
        1 is right, below 1 means probabilities that are too extreme; NaN where there is no slope: the model
        says the same of all patients of a fold, in every fold, or puts all with the outcome on one side of
        all without (it would be infinite). A sample that does so by chance has a large one.

    References
    ----------
    Cox, Biometrika 1958;45:562-565; Miller, Hui and Tierney, Stat Med 1991;10:1213-1226.
    """
    line = clipped_logit(data.p)
    used, fold = np.unique(data.fold, return_inverse=True)
    inside = (fold[:, None] == np.arange(len(used))).astype(np.float64)
    centre = (line @ inside) / inside.sum(axis=0)
    line = line - centre[fold]  # the folds' own intercepts take up what this removes
    if np.abs(line).max() < _ALIKE or is_separated(line, data.y, fold):
        return np.full(len(weights), np.nan)
    # A fold without one of the classes says nothing of the slope, and its intercept would be infinite.
    events, patients = (weights * data.y) @ inside, weights @ inside
    both = (events > 0) & (events < patients)
    columns = np.column_stack([line, inside])
    found = fit_logistic(columns, data.y, weights * both[:, fold])[:, 0]
    return np.where(both.any(axis=1), found, np.nan)


def is_separated(line: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.intp]) -> bool:
    """Tell whether the logits of both classes do not overlap in any fold, all the same way round.

    Parameters
    ----------
    line : ndarray of shape (n,)
    y : ndarray of shape (n,)
        0 or 1.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    bool
        The likelihood has no maximum then (Albert and Anderson, Biometrika 1984;71:1-10).
    """
    pairs = [(line[(fold == k) & (y == 1)], line[(fold == k) & (y == 0)]) for k in np.unique(fold)]
    both = [(with_, without) for with_, without in pairs if len(with_) and len(without)]
    above = all(with_.min() >= without.max() for with_, without in both)
    return above or all(with_.max() <= without.min() for with_, without in both)


def curves(data: Predicted, weights: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Observed share as a smooth function of the predicted probability.

    A logistic regression on a restricted cubic spline of the logit, with knots at the 10th, 50th and 90th
    percentile of the predictions as they are, whatever the weights. Where those percentiles do not differ,
    a straight line.

    Parameters
    ----------
    data : Predicted
    weights : ndarray of shape (samples, n)
    at : ndarray of shape (k,)
        Probabilities at which the curves are wanted.

    Returns
    -------
    ndarray of shape (samples, k)

    References
    ----------
    Austin and Steyerberg, Stat Med 2014;33:517-535 (flexible curves of binary outcomes; by loess). Splines
    instead, of survival models: Austin, Harrell and van Klaveren, Stat Med 2020;39:2714-2742.
    """
    line = clipped_logit(data.p)
    knots = np.quantile(line, _KNOTS)
    bends = min(np.diff(knots)) >= _ALIKE

    def columns(z: NDArray[np.float64]) -> NDArray[np.float64]:
        straight = [np.ones_like(z), z]
        return np.column_stack([*straight, restricted_cubic(z, knots)] if bends else straight)

    return sigmoid(fit_logistic(columns(line), data.y, weights) @ columns(clipped_logit(at)).T)


def curve_distances(data: Predicted, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Distance of the calibration curve from the diagonal: mean, median and 90th percentile over patients.

    Parameters
    ----------
    data : Predicted
    weights : ndarray of shape (samples, n)

    Returns
    -------
    dict of str to ndarray of shape (samples,)
        `ici` (the integrated calibration index), `e50` and `e90`.

    References
    ----------
    Austin and Steyerberg, Stat Med 2019;38:4051-4065 (ICI, E50 and E90 of binary outcomes).
    """
    levels, index = np.unique(data.p, return_inverse=True)
    distance = np.abs(curves(data, weights, levels) - levels)
    at_level = _sum_by(index, weights, len(levels))
    ici = (at_level * distance).sum(axis=1) / weights.sum(axis=1)
    e50, e90 = _quantiles(distance, at_level, (0.5, 0.9))
    return {"ici": ici, "e50": e50, "e90": e90}


def _quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], shares: tuple[float, ...]
) -> NDArray[np.float64]:
    """Quantiles of each row, as NumPy's and R's default would give them of patients copied weight times.

    That quantile, interpolated between neighbours at rank h = share * (N - 1), is the mean of the sorted
    values between the ranks h and h + 1; in this form it holds for weights that are no whole numbers too.
    """
    order = np.argsort(values, axis=1)
    v, w = np.take_along_axis(values, order, axis=1), np.take_along_axis(weights, order, axis=1)
    ranks, totals = np.cumsum(w, axis=1), np.cumsum(w * v, axis=1)
    result = np.empty((len(shares), len(values)))
    for row, (rank, total) in enumerate(zip(ranks, totals, strict=True)):
        h = np.array(shares) * (rank[-1] - 1)
        ends = np.interp(np.concatenate([h, h + 1]), np.append(0.0, rank), np.append(0.0, total))
        result[:, row] = ends[len(shares) :] - ends[: len(shares)]
    return result


def _sum_by(index: NDArray[np.intp], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Sum of the weights of each level, shape (samples, size)."""
    order = np.argsort(index, kind="stable")
    first = np.searchsorted(index[order], np.arange(size))
    result: NDArray[np.float64] = np.add.reduceat(weights[:, order], first, axis=1)
    return result

"""Measures of discrimination, accuracy and calibration, for weighted patients.

A weight says how often a patient was drawn: the bootstrap counts patients instead of copying them.

Out-of-fold predictions come from one model a fold. A fold that by chance (or by its sites) holds many
responders was predicted by a model that saw few, so that ranking patients of different folds against
each other would understate discrimination. AUROC and slope therefore compare patients within folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from features.splines import restricted_cubic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["METRICS", "Predicted", "auroc", "calibration_curve", "calibration_line", "ici"]

_EPSILON = 1e-12
_WEAK = 1e-3  # precision of a N(0, 32^2) prior: keeps perfectly separated samples finite


@dataclass(frozen=True)
class Predicted:
    """Predictions for patients whose outcome is known.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    p : ndarray of shape (n,)
        Predicted probability.
    floor : ndarray of shape (n,)
        Plan-wise prevalence in the patients that the prediction was learned from.
    fold : ndarray of shape (n,)
        Which model predicted the patient, counted from 0; all 0 for a single model.
    """

    y: NDArray[np.float64]
    p: NDArray[np.float64]
    floor: NDArray[np.float64]
    fold: NDArray[np.intp]


def auroc(data: Predicted, w: NDArray[np.float64]) -> float:
    """Area under the ROC curve: chance that a responder is ranked above a non-responder, ties half.

    Over all pairs within a fold. Hanley and McNeil, Radiology 1982;143:29-36.
    """
    above = pairs = 0.0
    for fold in range(int(data.fold.max()) + 1):
        inside = data.fold == fold
        y, weight = data.y[inside], w[inside]
        levels, index = np.unique(data.p[inside], return_inverse=True)
        events = np.bincount(index, weights=weight * y, minlength=len(levels))
        others = np.bincount(index, weights=weight * (1 - y), minlength=len(levels))
        above += float((events * (np.cumsum(others) - others / 2)).sum())
        pairs += float(events.sum() * others.sum())
    return above / pairs if pairs else float("nan")


def brier(data: Predicted, w: NDArray[np.float64]) -> float:
    """Brier score: mean squared difference of outcome and probability (Mon Weather Rev 1950;78:1-3)."""
    return float(np.average((data.y - data.p) ** 2, weights=w))


def brier_skill(data: Predicted, w: NDArray[np.float64]) -> float:
    """Share of the Brier score of plan-wise prevalence that the model removes; 0 is no skill."""
    return 1 - brier(data, w) / float(np.average((data.y - data.floor) ** 2, weights=w))


def log_loss(data: Predicted, w: NDArray[np.float64]) -> float:
    """Mean negative log likelihood, in nats."""
    p = np.clip(data.p, _EPSILON, 1 - _EPSILON)
    return float(np.average(-(data.y * np.log(p) + (1 - data.y) * np.log1p(-p)), weights=w))


def calibration_line(data: Predicted, w: NDArray[np.float64]) -> tuple[float, float]:
    """Calibration intercept (slope held at 1) and calibration slope (Cox, Biometrika 1958;45:562-565).

    Returns
    -------
    intercept : float
        Calibration in the large; 0 is right, below 0 means probabilities that are too high.
    slope : float
        1 is right, below 1 means probabilities that are too extreme; within folds.
    """
    line = _logit(data.p)
    intercept = _logistic(np.ones((len(line), 1)), data.y, w, offset=line)[0]
    folds = data.fold[:, None] == np.arange(data.fold.max() + 1)
    slope = _logistic(np.column_stack([line, folds]), data.y, w)[0]
    return float(intercept), float(slope)


def calibration_curve(
    data: Predicted, w: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Observed share as a smooth function of the predicted probability.

    A logistic regression on a restricted cubic spline of the logit with three knots.

    Parameters
    ----------
    data : Predicted
    w : ndarray of shape (n,)
    at : ndarray of shape (k,)
        Probabilities at which the curve is wanted.

    Returns
    -------
    ndarray of shape (k,)
    """
    line = _logit(data.p)
    knots = np.quantile(line, (0.1, 0.5, 0.9))

    def columns(z: NDArray[np.float64]) -> NDArray[np.float64]:
        straight = [np.ones_like(z), z]
        return np.column_stack(
            straight if min(np.diff(knots)) < 1e-6 else [*straight, restricted_cubic(z, knots)]
        )

    beta = _logistic(columns(line), data.y, w)
    result: NDArray[np.float64] = expit(columns(_logit(at)) @ beta)
    return result


def ici(data: Predicted, w: NDArray[np.float64]) -> float:
    """Integrated calibration index: mean distance of the calibration curve from the diagonal.

    Austin and Steyerberg, Stat Med 2019;38:4051-4065.
    """
    return float(np.average(np.abs(calibration_curve(data, w, data.p) - data.p), weights=w))


METRICS: Mapping[str, Callable[[Predicted, NDArray[np.float64]], float]] = {
    "auroc": auroc,
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "calibration_intercept": lambda data, w: calibration_line(data, w)[0],
    "calibration_slope": lambda data, w: calibration_line(data, w)[1],
    "ici": ici,
}
"""Every figure that a fit reports, by name."""


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = logit(np.clip(p, 1e-6, 1 - 1e-6))
    return result


def _logistic(
    columns: NDArray[np.float64],
    y: NDArray[np.float64],
    w: NDArray[np.float64],
    offset: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Weighted logistic regression by Newton's method."""
    beta = np.zeros(columns.shape[1])
    for _ in range(30):
        p = expit(columns @ beta + offset)
        hessian = (columns.T * (w * p * (1 - p))) @ columns + _WEAK * np.eye(len(beta))
        move = np.linalg.solve(hessian, columns.T @ (w * (y - p)) - _WEAK * beta)
        beta = beta + move / max(1.0, float(np.abs(move).max()) / 5)
        if np.abs(move).max() < 1e-8:
            break
    return beta

"""Measures of discrimination, accuracy and calibration, for weighted patients.

A weight says how often a patient was drawn: the bootstrap counts patients instead of copying them.

Out-of-fold predictions come from one model a fold. A fold that by chance (or by its sites) holds many
responders was predicted by a model that saw few, so that ranking patients of different folds against
each other would understate discrimination. AUROC, average precision and slope therefore compare patients
within folds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.calibration import curve_distances, curves, intercepts, slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "METRICS",
    "Figures",
    "Metric",
    "Predicted",
    "auroc",
    "calibration_curve",
    "calibration_line",
    "ici",
    "log_loss",
]

_EPSILON = 1e-12
_SHARE, _AT_MOST_ONE, _NOT_NEGATIVE = (0.0, 1.0), (-math.inf, 1.0), (0.0, math.inf)

Figures = Callable[["Predicted", "NDArray[np.float64]"], Mapping[str, "NDArray[np.float64]"]]
"""Figures that share their work, of each row of weights: of shape (samples,), by name."""


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
    parameters : float
        Effective number of parameters of these models, if each learned from patients whom the others
        predict; 0 otherwise (`training.overlap`).
    share : float
        These patients, over all that the models predict in turn.
    folds : int or None
        Of these all; None if every fold has patients here.
    """

    y: NDArray[np.float64]
    p: NDArray[np.float64]
    floor: NDArray[np.float64]
    fold: NDArray[np.intp]
    parameters: float = 0.0
    share: float = 1.0
    folds: int | None = None

    @property
    def plans(self) -> int:
        """Plans that plan-wise prevalence tells apart: as many parameters were learned."""
        return max(len(np.unique(self.floor[self.fold == k])) for k in np.unique(self.fold))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Predicted:
        """Keep some of the patients."""
        y = self.y[index]
        share = self.share * len(y) / len(self.y)
        folds = self.folds or len(np.unique(self.fold))
        return Predicted(y, self.p[index], self.floor[index], self.fold[index], self.parameters, share, folds)


@dataclass(frozen=True)
class Metric:
    """One figure: of weighted patients, or at once under the many weights of a bootstrap.

    Parameters
    ----------
    name : str
    figures : callable
        Which computes it, and perhaps others with it.
    distance : bool
        Whether it is a distance from perfection, whose intervals need more care (`training.intervals`).
    within : tuple of float
        Lowest and highest value that it can have, to which intervals are cut.
    """

    name: str
    figures: Figures
    distance: bool = False
    within: tuple[float, float] = (-math.inf, math.inf)

    def __call__(self, data: Predicted, w: NDArray[np.float64]) -> float:
        """Measure patients under one set of weights, of shape (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.figures(data, w[None, :])[self.name][0])


def _discrimination(data: Predicted, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """AUROC and average precision, over pairs of patients of one fold.

    AUROC: chance that a responder is ranked above a non-responder, ties half. Hanley and McNeil, Radiology
    1982;143:29-36. Average precision: mean over responders of the share of responders among those ranked
    at least as high, without interpolation. Boyd, Eng and Page, ECML PKDD 2013:451-466.
    """
    above, pairs, precision, events = (np.zeros(len(weights)) for _ in range(4))
    for fold in np.unique(data.fold):
        inside = np.flatnonzero(data.fold == fold)
        inside = inside[np.argsort(data.p[inside], kind="stable")]
        first = np.flatnonzero(np.diff(data.p[inside], prepend=-1.0))  # of each level of the probability
        w, y = weights[:, inside], data.y[inside]
        with_ = np.add.reduceat(w * y, first, axis=1)
        without = np.add.reduceat(w * (1 - y), first, axis=1)
        below = np.cumsum(without, axis=1) - without
        with_total, without_total = with_.sum(axis=1), without.sum(axis=1)
        above += (with_ * (below + without / 2)).sum(axis=1)
        pairs += with_total * without_total
        with_up = np.cumsum(with_[:, ::-1], axis=1)[:, ::-1]
        all_up = with_up + without_total[:, None] - below
        precision += (with_ * with_up / np.where(with_ > 0, all_up, 1.0)).sum(axis=1)
        events += with_total
    return {"auroc": above / pairs, "average_precision": precision / events}


def _accuracy(data: Predicted, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Brier score, its two scaled forms, log loss, and observed over expected events.

    Brier, Mon Weather Rev 1950;78:1-3. Scaled: share of the score of a constant prediction that the model
    removes, of the overall prevalence (Steyerberg and others, Epidemiology 2010;21:128-138) or of the
    plan-wise prevalence in the patients learned from (the skill). Log loss: mean negative log likelihood,
    in nats (Good, J R Stat Soc B 1952;14:107-114). O:E: Debray and others, BMJ 2017;356:i6460.
    """
    p = np.clip(data.p, _EPSILON, 1 - _EPSILON)
    loss = -(data.y * np.log(p) + (1 - data.y) * np.log1p(-p))
    squares, at_floor = (data.y - data.p) ** 2, (data.y - data.floor) ** 2
    sums = weights @ np.column_stack([squares, at_floor, loss, data.y, data.p])
    brier, floor, log_loss, observed, expected = (sums / weights.sum(axis=1)[:, None]).T
    return {
        "brier": brier,
        "brier_skill": 1 - _over(brier, floor),
        "scaled_brier": 1 - _over(brier, observed * (1 - observed)),
        "log_loss": log_loss,
        "o_e": _over(observed, expected),
    }


def _over(values: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; not defined, instead of infinite, by nothing."""
    return np.divide(values, by, out=np.full_like(by, np.nan), where=by > 0)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auroc", _discrimination, within=_SHARE),
        Metric("average_precision", _discrimination, within=_SHARE),
        Metric("brier", _accuracy, within=_SHARE),
        Metric("brier_skill", _accuracy, within=_AT_MOST_ONE),
        Metric("scaled_brier", _accuracy, within=_AT_MOST_ONE),
        Metric("log_loss", _accuracy, within=_NOT_NEGATIVE),
        Metric("calibration_intercept", lambda data, w: {"calibration_intercept": intercepts(data, w)}),
        Metric("calibration_slope", lambda data, w: {"calibration_slope": slopes(data, w)}),
        Metric("ici", curve_distances, distance=True, within=_SHARE),
        Metric("e50", curve_distances, distance=True, within=_SHARE),
        Metric("e90", curve_distances, distance=True, within=_SHARE),
        Metric("o_e", _accuracy, within=_NOT_NEGATIVE),
    )
}
"""Every figure that a fit reports, by name."""

auroc, log_loss, ici = METRICS["auroc"], METRICS["log_loss"], METRICS["ici"]


def calibration_line(data: Predicted, w: NDArray[np.float64]) -> tuple[float, float]:
    """Calibration intercept (slope held at 1) and calibration slope (within folds).

    See `training.calibration`.
    """
    return METRICS["calibration_intercept"](data, w), METRICS["calibration_slope"](data, w)


def calibration_curve(
    data: Predicted, w: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Observed share as a smooth function of the predicted probability.

    Parameters
    ----------
    data : Predicted
    w : ndarray of shape (n,)
    at : ndarray of shape (k,)
        Probabilities at which the curve is wanted.

    Returns
    -------
    ndarray of shape (k,)
        See `training.calibration.curves`.
    """
    found: NDArray[np.float64] = curves(data, w[None, :], at)[0]
    return found

"""Recalibration of a version on other patients: what other folds teach, and what all patients together do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

from training.bootstrap import draw_metrics, draw_weights, repeats_of
from training.logistic import clipped_logit, fit_logistic
from training.metrics import Metric, Predicted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from training.bootstrap import Estimate
    from training.folds import Split
    from training.patients import Patients
    from training.validation.results import Design

__all__ = ["recalibrate", "tell_update"]

_RANKS: Final = ("auroc", "average_precision")
"""Figures that a recalibration with a slope above 0 cannot change."""


def recalibrate(
    y: NDArray[np.float64],
    ends: tuple[NDArray[np.float64], ...],
    splits: Sequence[Split],
    *,
    slope: bool,
) -> tuple[tuple[NDArray[np.float64], ...], NDArray[np.float64]]:
    """Recalibrate probabilities by what the other folds teach.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1; NaN of those who are nobody's to learn from.
    ends : tuple of ndarray of shape (n,)
        Probability, and whatever is to be moved with it, such as the ends of its interval.
    splits : sequence of Split
    slope : bool
        Whether to learn a slope beside the intercept.

    Returns
    -------
    moved : tuple of ndarray of shape (n,)
    slopes : ndarray of shape (n,)
        That each patient was recalibrated with; 1 if none was learned.
    """
    line = clipped_logit(ends[0])
    moved, slopes = tuple(np.empty(len(y)) for _ in ends), np.empty(len(y))
    for train, test in splits:
        once = np.ones((1, len(train)))
        if slope:
            a, b = fit_logistic(_columns(line[train]), y[train], once)[0]
        else:
            a, b = fit_logistic(np.ones((len(train), 1)), y[train], once, offset=line[train])[0, 0], 1.0
        for new, old in zip(moved, ends, strict=True):
            new[test] = expit(a + b * clipped_logit(old[test]))
        slopes[test] = b
    return moved, slopes


def tell_update(
    design: Design,
    as_it_is: Design,
    raw: pd.DataFrame,
    moved: pd.DataFrame,
    patients: Patients,
    seed: int,
) -> Design:
    """Say what a recalibration comes to, and leave ranks as they are.

    Parameters
    ----------
    design, as_it_is : Design
        Of the recalibrated predictions, and of the version's own.
    raw, moved : DataFrame
        Rows of one outcome that these were measured from; `moved` with the `slope` of the recalibration.
    patients : Patients
    seed : int
        That the designs were measured with.

    Returns
    -------
    Design
        With the update that all patients teach. AUROC and average precision are those of the version: each
        fold's recalibration moves its patients against those of other folds, but keeps their order.
    """
    slopes = moved.groupby("fold")["slope"].first()
    update = {"intercept": as_it_is.metrics["calibration_intercept"]}
    if (slopes != 1).any():
        update = _learn(repeats_of(raw), raw.loc[raw["observed"].notna(), "patient"], patients, seed)
    if turned := int((slopes <= 0).sum()):
        how = (
            f"{design.how}; in {turned} of {len(slopes)} folds the slope is 0 or below, which turns ranks "
            "round: AUROC and average precision compare patients within folds"
        )
        return replace(design, how=how, update=update)
    ranks = {name: as_it_is.metrics[name] for name in _RANKS}
    how = f"{design.how}; ranks are those of the version as it is"
    return replace(design, how=how, update=update, metrics={**design.metrics, **ranks})


def _learn(
    repeats: list[Predicted], members: pd.Series[int], patients: Patients, seed: int
) -> dict[str, Estimate]:
    """Intercept and slope that all patients teach, drawn as the figures of the designs are."""
    groups = None if patients.groups is None else patients.groups[np.unique(members)]
    weights = draw_weights(len(members), groups, seed)
    figures = {name: Metric(name, _lines) for name in ("intercept", "slope")}
    return {name: drawn.estimate() for name, drawn in draw_metrics(repeats, weights, figures).items()}


def _lines(data: Predicted, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    intercepts, slopes = fit_logistic(_columns(clipped_logit(data.p)), data.y, weights).T
    return {"intercept": intercepts, "slope": slopes}


def _columns(line: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(line)), line])

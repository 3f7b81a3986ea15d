"""Figures of one outcome, out of fold: how good, how much better than something simpler, and how sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from training.bootstrap import Draws, Estimate, draw_metrics, estimate_metrics, repeats_of
from training.metrics import METRICS, Predicted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["LandmarkReport", "OutcomeReport", "report_landmark", "report_outcome"]

_AT_LANDMARKS: Final = ("auroc", "brier", "brier_skill", "log_loss", "calibration_slope")
_GAINS: Final = {"auroc": 1, "brier": -1, "log_loss": -1}
"""Figures whose gain over the baseline is reported, and the sign that makes a gain positive."""


@dataclass(frozen=True)
class OutcomeReport:
    """How well one outcome is predicted, out of fold.

    Parameters
    ----------
    patients, events : int
    metrics : mapping of str to Estimate
    gains : mapping of str to Estimate
        By candidate: log loss saved against plan-wise prevalence, intervals of the paired difference.
    repeats : list of Predicted
        What the figures are computed from.
    """

    patients: int
    events: int
    metrics: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    repeats: list[Predicted]

    @property
    def skill_shown(self) -> bool:
        """Whether the interval of the Brier skill lies above 0."""
        return self.metrics["brier_skill"].low > 0


@dataclass(frozen=True)
class LandmarkReport:
    """How well one outcome is predicted from a later landmark, and how much better than from baseline.

    Parameters
    ----------
    patients, events : int
    metrics : mapping of str to Estimate
    gains : mapping of str to Estimate
        By figure: how much better than the baseline prediction of the same patients, intervals of the
        paired difference; above 0 is better.
    """

    patients: int
    events: int
    metrics: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]


def report_outcome(table: pd.DataFrame, weights: NDArray[np.float64]) -> OutcomeReport:
    """Measure the predictions of one outcome.

    Parameters
    ----------
    table : DataFrame
        Rows of one outcome of `training.cross_validation.Validated.out_of_fold`.
    weights : ndarray of shape (samples, n_known)
        From `training.bootstrap.draw_weights`.

    Returns
    -------
    OutcomeReport
    """
    repeats = repeats_of(table)
    columns = [str(column) for column in table if str(column).startswith("candidate_")]
    candidates = [column for column in columns if table[column].notna().all()]

    floor = _draw_loss([replace(data, p=data.floor, parameters=data.plans) for data in repeats], weights)
    gains = {
        column.removeprefix("candidate_"): floor.minus(
            _draw_loss(repeats_of(table, column), weights)
        ).estimate()
        for column in candidates
        if column != "candidate_prevalence"
    }
    y = repeats[0].y
    return OutcomeReport(len(y), int(y.sum()), estimate_metrics(repeats, weights), gains, repeats)


def report_landmark(
    table: pd.DataFrame, baseline: pd.DataFrame, weights: NDArray[np.float64]
) -> LandmarkReport:
    """Measure the predictions of one outcome from a later landmark, beside those from baseline.

    Parameters
    ----------
    table, baseline : DataFrame
        Rows of one outcome, of the landmark's and of the baseline's validation on the same folds; the latter
        may have more repeats. A patient whose endpoint was observed is in both.
    weights : ndarray of shape (samples, n_known)

    Returns
    -------
    LandmarkReport
    """
    repeats = repeats_of(table)
    before = repeats_of(baseline[baseline["repeat"].isin(table["repeat"])])
    now = draw_metrics(repeats, weights, {name: METRICS[name] for name in _AT_LANDMARKS})
    then = draw_metrics(before, weights, {name: METRICS[name] for name in _GAINS})
    gains = {
        name: now[name].minus(then[name]) if sign > 0 else then[name].minus(now[name])
        for name, sign in _GAINS.items()
    }
    y = repeats[0].y
    return LandmarkReport(
        len(y),
        int(y.sum()),
        {name: draws.estimate() for name, draws in now.items()},
        {name: draws.estimate() for name, draws in gains.items()},
    )


def _draw_loss(repeats: list[Predicted], weights: NDArray[np.float64]) -> Draws:
    return draw_metrics(repeats, weights, {"log_loss": METRICS["log_loss"]})["log_loss"]

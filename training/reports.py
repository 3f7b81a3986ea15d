"""Figures of one outcome, out of fold: how good, how much better than something simpler, and how sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from training.bootstrap import Estimate, estimate_metrics, repeats_of
from training.metrics import METRICS, Predicted, log_loss

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["LandmarkReport", "OutcomeReport", "report_landmark", "report_outcome"]

Metric = Callable[[Predicted, "NDArray[np.float64]"], float]

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

    def saved(data: Predicted, w: NDArray[np.float64]) -> float:
        floor = replace(data, p=data.floor)
        return log_loss(floor, w) - log_loss(data, w)

    gains = {
        column.removeprefix("candidate_"): estimate_metrics(
            repeats_of(table, column), weights, {"saved": saved}
        )["saved"]
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
    pairs = [replace(now, floor=then.p) for now, then in zip(repeats, before, strict=True)]
    y = repeats[0].y
    return LandmarkReport(
        len(y),
        int(y.sum()),
        estimate_metrics(repeats, weights, {name: METRICS[name] for name in _AT_LANDMARKS}),
        estimate_metrics(pairs, weights, {name: _gain(METRICS[name], sign) for name, sign in _GAINS.items()}),
    )


def _gain(metric: Metric, sign: int) -> Metric:
    """Difference of a figure between the prediction and the one that stands in the place of the floor."""
    return lambda data, w: sign * (metric(data, w) - metric(replace(data, p=data.floor), w))

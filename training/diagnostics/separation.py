"""How well one column alone ranks patients by outcome, out of fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import norm

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import Estimate, draw_weights, estimate_metrics
from training.diagnostics.columns import SAMPLES, resampling_groups
from training.folds import make_splits
from training.metrics import Predicted, auroc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.cohort import Cohort

__all__ = ["Separation", "Trial", "make_trial", "standard_error"]

_FOLDS: Final = 5
_FEWEST: Final = 5  # patients of each class: fewer cannot be spread over the folds
_FULLEST: Final = 10  # quantile bins of a number
_PER_BIN: Final = 30  # patients; of fewer the share of responders is mostly noise
_PRIOR: Final = 2.0  # patients of the average outcome added to each bin


class Separation(NamedTuple):
    """What a column alone reaches, for the outcome that it separates best.

    Parameters
    ----------
    outcome : str
    auroc : float
    predicted : Predicted
    patients : int
        With a value and an endpoint.
    """

    outcome: str
    auroc: float
    predicted: Predicted
    patients: int


@dataclass(frozen=True)
class Trial:
    """Folds, and the patients with an endpoint who are compared.

    Parameters
    ----------
    known : ndarray of shape (k,)
        Indices of the patients with an endpoint.
    outcomes : mapping of str to ndarray of shape (k,)
        Those with at least 5 patients of each class.
    fold : ndarray of shape (k,)
        The fold that holds a patient.
    compared : ndarray of shape (k,)
        Patients are ranked against others of the same number: of the same fold, and of the same third of
        the baseline score, since patients who start low are in remission sooner and that is no leak.
    weights : ndarray of shape (samples, k)
        Of the bootstrap, by group where there are groups.
    """

    known: NDArray[np.intp]
    outcomes: Mapping[str, NDArray[np.float64]]
    fold: NDArray[np.intp]
    compared: NDArray[np.intp]
    weights: NDArray[np.float64]

    def separate(self, values: NDArray[np.float64], *, categorical: bool = False) -> Separation:
        """Measure what one column alone says about the outcomes.

        Learned in the other folds: the share of responders in each bin (tenths of a number, or levels). A
        patient without a value gets the share of those with one, so that gaps say nothing here: what they
        tell is asked by `training.diagnostics.missingness`.

        Parameters
        ----------
        values : ndarray of shape (n,)
            Of all patients; NaN where missing.
        categorical : bool
            Whether the values are codes without order.

        Returns
        -------
        Separation
        """
        x = values[self.known]
        found = []
        for outcome, y in self.outcomes.items():
            p = self._shares(x, y, categorical=categorical)
            predicted = Predicted(y, p, np.full_like(y, y.mean()), self.compared)
            area = auroc(predicted, np.ones_like(y))
            found.append(Separation(outcome, area, predicted, int((~np.isnan(x)).sum())))
        return max(found, key=lambda separation: np.nan_to_num(separation.auroc))

    def interval(self, separation: Separation, tests: int) -> Estimate:
        """Give the AUROC with an interval that holds for the best of many columns.

        Parameters
        ----------
        separation : Separation
        tests : int
            Columns that were tried.

        Returns
        -------
        Estimate
            The wider of the 95 % bootstrap interval, by groups where there are groups, and the interval of
            Hanley and McNeil (Radiology 1982;143:29-36) at 95 % over all columns and outcomes (Bonferroni):
            of few groups the bootstrap knows too little.
        """
        drawn = estimate_metrics([separation.predicted], self.weights, {"auroc": auroc})["auroc"]
        y = separation.predicted.y
        error = standard_error(separation.auroc, float(y.sum()), float((1 - y).sum()))
        half = float(norm.ppf(1 - 0.025 / (tests * len(self.outcomes)))) * error
        return Estimate(
            drawn.value,
            float(np.fmin(drawn.low, max(drawn.value - half, 0.0))),
            float(np.fmax(drawn.high, min(drawn.value + half, 1.0))),
        )

    def _shares(
        self, x: NDArray[np.float64], y: NDArray[np.float64], *, categorical: bool
    ) -> NDArray[np.float64]:
        shares = np.empty_like(y)
        for fold in range(int(self.fold.max()) + 1):
            test = self.fold == fold
            learned = ~test & ~np.isnan(x)
            average = float(y[learned].mean()) if learned.any() else float(y[~test].mean())
            edges = _edges(x[learned], categorical=categorical)
            bins = np.searchsorted(edges, x, side="right")
            count = np.bincount(bins[learned], minlength=len(edges) + 1)
            events = np.bincount(bins[learned], weights=y[learned], minlength=len(edges) + 1)
            rate = (events + _PRIOR * average) / (count + _PRIOR)
            shares[test] = np.where(np.isnan(x[test]), average, rate[bins[test]])
        return shares


def make_trial(cohort: Cohort) -> Trial | None:
    """Set up folds once for all columns.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    Trial or None
        None where the patients are too few, or too unevenly spread over the groups, to hold some out.
    """
    known = np.flatnonzero(~np.isnan(cohort.response))
    both = dict(zip(OUTCOMES, (cohort.response[known], cohort.remission[known]), strict=True))
    outcomes = {name: y for name, y in both.items() if min(y.sum(), len(y) - y.sum()) >= _FEWEST}
    if "response" not in outcomes:
        return None
    groups = resampling_groups(cohort)
    if groups is not None:
        groups = groups[known]
        groups = groups if len(np.unique(groups)) > 1 else None
    try:
        splits = make_splits(outcomes["response"], groups, _FOLDS, 0)
    except TrainingDataError:
        return None
    fold = np.empty(len(known), dtype=np.intp)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
    baseline = cohort.baseline[known]
    third = np.searchsorted(np.quantile(baseline, (1 / 3, 2 / 3)), baseline)
    weights = draw_weights(len(known), groups, 0, SAMPLES)
    return Trial(known, outcomes, fold, np.asarray(3 * fold + third, dtype=np.intp), weights)


def standard_error(area: float, events: float, others: float) -> float:
    """Give the standard error of an AUROC (Hanley and McNeil, Radiology 1982;143:29-36, formula 1).

    Parameters
    ----------
    area : float
    events, others : float
        Patients with and without the outcome.

    Returns
    -------
    float
    """
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (events - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return float(np.sqrt(spread / (events * others)))


def _edges(x: NDArray[np.float64], *, categorical: bool) -> NDArray[np.float64]:
    """Cuts between levels, or between quantiles of a number that has many values."""
    values: NDArray[np.float64] = np.unique(x)
    most = int(np.clip(len(x) // _PER_BIN, 3, _FULLEST))
    if not categorical and len(values) > most:
        return np.asarray(np.unique(np.quantile(x, np.arange(1, most) / most)), dtype=np.float64)
    return values[1:]

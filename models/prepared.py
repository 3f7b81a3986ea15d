"""Both outcomes of one patient at once, where both are linear: a service's answer in few operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from models.response_model import with_interval
from models.scores import LinearScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.response_model import OutcomeModel

__all__ = ["PreparedLines"]


class PreparedLines:
    """Weights, covariances and recalibration of several outcomes, stacked by plan.

    Does what `OutcomeModel.predict` does for each, up to rounding: for a single row the calls cost more
    than the sums, and this makes far fewer.

    Parameters
    ----------
    weights : ndarray of shape (n_plans or 1, 2 * n_outcomes, 1 + n_base)
        Of the calibrated logits, then of the posteriors' means.
    covariance : ndarray of shape (n_plans or 1, n_outcomes, 1 + n_base, 1 + n_base)
    missing : ndarray of shape (n_plans or 1, n_outcomes, n_predictors)
    """

    def __init__(
        self, weights: NDArray[np.float64], covariance: NDArray[np.float64], missing: NDArray[np.float64]
    ) -> None:
        self._weights = weights
        self._covariance = covariance
        self._missing = missing
        self._outcomes = covariance.shape[1]

    @classmethod
    def of(cls, outcomes: Sequence[OutcomeModel]) -> Self | None:
        """Prepare outcomes; None if one of them is not linear.

        Parameters
        ----------
        outcomes : sequence of OutcomeModel
            Of the same encoder.
        """
        scores = [outcome.score for outcome in outcomes]
        lines = [score.weights for score in scores if isinstance(score, LinearScore)]
        if len(lines) < len(scores):
            return None
        calibrated = [
            _recalibrate(weights, outcome) for weights, outcome in zip(lines, outcomes, strict=True)
        ]
        uncertain = [outcome.uncertainty for outcome in outcomes]
        return cls(
            np.stack([*calibrated, *(u.centre.weights for u in uncertain)], axis=1),
            np.stack([u.covariance for u in uncertain], axis=1),
            np.stack([u.missing for u in uncertain], axis=1),
        )

    def predict(
        self, columns: NDArray[np.float64], plan: int, missing: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Probability of each outcome with its interval.

        Parameters
        ----------
        columns : ndarray of shape (1 + n_base,)
            1, then the patient's base columns.
        plan : int
            Index of the patient's plan; 0 without plans.
        missing : ndarray of shape (n_predictors,)
            Which predictors are missing.

        Returns
        -------
        ndarray of shape (3, n_outcomes)
            Probability, lower end, upper end.
        """
        logits = self._weights[plan] @ columns
        variance = self._covariance[plan] @ columns @ columns + self._missing[plan] @ missing
        return with_interval(logits[: self._outcomes], logits[self._outcomes :], variance)


def _recalibrate(weights: NDArray[np.float64], outcome: OutcomeModel) -> NDArray[np.float64]:
    """Weights of the calibrated logit; recalibration is a line, too."""
    calibrated = outcome.choice.recalibration.slope * weights
    calibrated[:, 0] += outcome.choice.recalibration.intercept
    return calibrated

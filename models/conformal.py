"""The verdict: class-conditional conformal prediction, reduced to two bounds on the probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ConformalBounds", "Verdict", "fit_conformal"]

Verdict = Literal["likely", "unlikely", "uncertain"]


@dataclass(frozen=True, slots=True)
class ConformalBounds:
    """Where each class belongs to the prediction set.

    Parameters
    ----------
    response_from : float
        Response is in the set at this probability and above.
    non_response_to : float
        Non-response is in the set at this probability and below.
    """

    response_from: float
    non_response_to: float

    def at_even_odds(self) -> ConformalBounds:
        """Add response to the set from 50 % on and non-response up to 50 %.

        A larger set covers no less, and no patient is called likely to respond below even odds,
        which the bounds alone would do where responders are rare.
        """
        return ConformalBounds(min(self.response_from, 0.5), max(self.non_response_to, 0.5))

    def verdict(self, probability: float) -> Verdict:
        """Name the one class in the set; `uncertain` if both or none are in it."""
        response = probability >= self.response_from
        if response == (probability <= self.non_response_to):
            return "uncertain"
        return "likely" if response else "unlikely"

    def verdicts(self, probability: NDArray[np.float64]) -> NDArray[np.str_]:
        """Verdicts of many patients, shape (n,)."""
        response, other = probability >= self.response_from, probability <= self.non_response_to
        return np.where(response == other, "uncertain", np.where(response, "likely", "unlikely"))


def fit_conformal(probability: NDArray[np.float64], y: NDArray[np.float64], level: float) -> ConformalBounds:
    """Set the bounds so that each class is in its patients' set with probability `level` at least.

    Parameters
    ----------
    probability : ndarray of shape (n,)
        Calibrated probabilities of patients that the model has not seen.
    y : ndarray of shape (n,)
        0 or 1.
    level : float
        Coverage asked for in each class, 0 to 1.

    Returns
    -------
    ConformalBounds
        With too few patients in a class it is always in the set, and the verdict `uncertain`.

    References
    ----------
    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), chapter 4 (Mondrian
    conformal predictors); hinge non-conformity, p-values without smoothing.
    """
    events, others = np.sort(probability[y == 1]), np.sort(probability[y == 0])
    rank_events = int(np.floor((1 - level) * (len(events) + 1) + 1e-9))
    rank_others = int(np.floor((1 - level) * (len(others) + 1) + 1e-9))
    return ConformalBounds(
        response_from=float(events[rank_events - 1]) if rank_events else 0.0,
        non_response_to=float(others[len(others) - rank_others]) if rank_others else 1.0,
    )

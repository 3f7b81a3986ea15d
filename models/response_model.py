"""The response model: calibrated probabilities of response and remission with interval, verdict, drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit, ndtri

from features.encoder import Encoder
from models.candidates import AVERAGE, CANDIDATES, Params
from models.inputs import Inputs, TrainingSet
from models.scores import AverageScore, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from models.calibration import Recalibration
    from models.conformal import ConformalBounds
    from models.uncertainty import Uncertainty

__all__ = [
    "LEVEL",
    "OUTCOMES",
    "Choice",
    "OutcomeModel",
    "ResponseModel",
    "fit_outcome",
    "fit_score",
    "with_interval",
]

OUTCOMES: Final = ("response", "remission")
LEVEL: Final = 0.9
"""Level of intervals and verdicts."""
_QUANTILE: Final = float(ndtri((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Choice:
    """What a search on training patients settled on for one outcome.

    Parameters
    ----------
    candidate : str
        Name of the winner.
    params : mapping of str to Params
        Hyperparameters of the winner; of each member if it is the average.
    recalibration : Recalibration
        Learned on the search's out-of-fold predictions.
    bounds : ConformalBounds
        Of the verdict, learned on the same predictions.
    """

    candidate: str
    params: Mapping[str, Params]
    recalibration: Recalibration
    bounds: ConformalBounds


@dataclass(frozen=True)
class OutcomeModel:
    """The model of one outcome.

    Parameters
    ----------
    choice : Choice
    score : Score
        The fitted candidate, before recalibration.
    uncertainty : Uncertainty
    """

    choice: Choice
    score: Score
    uncertainty: Uncertainty

    @property
    def average(self) -> float:
        """Probability of the average patient, from which drivers are counted."""
        return float(expit(self.choice.recalibration.apply(np.array(self.score.reference))))

    def probability(self, inputs: Inputs) -> NDArray[np.float64]:
        """Calibrated probability, shape (n,)."""
        result: NDArray[np.float64] = expit(self.choice.recalibration.apply(self.score.logit(inputs)))
        return result

    def predict(self, inputs: Inputs) -> NDArray[np.float64]:
        """Probability with the interval of level `LEVEL` for the patient's true probability.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        ndarray of shape (3, n)
            As `with_interval`.
        """
        return with_interval(*self.logits(inputs))

    def logits(self, inputs: Inputs) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Give what a prediction is made of.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        tuple of ndarray of shape (n,)
            Calibrated logits; mean and variance of the posterior's.
        """
        raw = self.score.logit(inputs)
        mean = raw if self.score is self.uncertainty.centre else self.uncertainty.centre.logit(inputs)
        return self.choice.recalibration.apply(raw), mean, self.uncertainty.variance(inputs)

    def drivers(self, inputs: Inputs) -> NDArray[np.float64]:
        """Effect of each column of an encoded row, in probability, against the average patient.

        The logit's contributions are shared out in proportion along the straight line from the
        average patient to this one (Aumann-Shapley values; Sundararajan et al., ICML 2017), so that
        they sum to the difference of the two probabilities.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        ndarray of shape (n, m)
        """
        contributions = self.choice.recalibration.slope * self.score.contributions(inputs)
        start = self.choice.recalibration.apply(np.array(self.score.reference))
        distance = contributions.sum(axis=1)
        here = expit(start)
        near = np.abs(distance) < 1e-6
        safe = np.where(near, 1.0, distance)
        rate = np.where(near, here * (1 - here), (expit(start + safe) - here) / safe)
        result: NDArray[np.float64] = contributions * rate[:, None]
        return result


def with_interval(
    centre: NDArray[np.float64], mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give probabilities with the interval of level `LEVEL` for the true probability.

    The variance of the logit is the posterior's, plus half the squared distance between the calibrated
    logit and the posterior's mean, as if either could be right.

    Parameters
    ----------
    centre : ndarray of shape (n,)
        Calibrated logits.
    mean, variance : ndarray of shape (n,)
        Of the logits' posteriors.

    Returns
    -------
    ndarray of shape (3, n)
        Probability, lower end, upper end.
    """
    half = _QUANTILE * np.sqrt(variance + (centre - mean) ** 2 / 2)
    result: NDArray[np.float64] = expit(np.array([centre, centre - half, centre + half]))
    return result


@dataclass(frozen=True)
class ResponseModel:
    """A cohort's model: one encoder, one model an outcome.

    Parameters
    ----------
    encoder : Encoder
        Fitted on the training patients.
    outcomes : mapping of str to OutcomeModel
        By name, see `OUTCOMES`.
    """

    encoder: Encoder
    outcomes: Mapping[str, OutcomeModel]

    @property
    def cohort_file(self) -> CohortFile:
        """The cohort file that the model was trained with."""
        result: CohortFile = self.encoder.cohort_file
        return result

    def inputs(self, rows: NDArray[np.float64]) -> Inputs:
        """Encoded rows, ready to be predicted."""
        return Inputs(self.encoder, rows)


def fit_score(train: TrainingSet, candidate: str, params: Mapping[str, Params], seed: int) -> Score:
    """Fit one candidate, or the average, with given hyperparameters.

    Parameters
    ----------
    train : TrainingSet
    candidate : str
    params : mapping of str to Params
        By candidate; the average fits every candidate named here.
    seed : int

    Returns
    -------
    Score
    """
    known = {c.name: c for c in CANDIDATES}
    if candidate == AVERAGE:
        return AverageScore(tuple(known[name].fit(train, params[name], seed) for name in params))
    return known[candidate].fit(train, params[candidate], seed)


def fit_outcome(train: TrainingSet, choice: Choice, seed: int) -> OutcomeModel:
    """Fit the chosen candidate and the posterior behind its interval on all training patients.

    Parameters
    ----------
    train : TrainingSet
    choice : Choice
    seed : int

    Returns
    -------
    OutcomeModel
    """
    return OutcomeModel(choice, fit_score(train, choice.candidate, choice.params, seed), train.uncertainty)

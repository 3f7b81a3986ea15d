"""Fits of a version's candidate to some of the patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from models.calibration import fit_recalibration
from models.inputs import Inputs
from models.response_model import OUTCOMES, fit_score
from training.cross_validation import fit_known
from training.patients import training_sets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import TrainingSet
    from models.response_model import Choice, ResponseModel
    from training.patients import Patients

__all__ = ["Refit", "bootstrap_refit", "candidates_of", "refit"]

_DRAWS = 20  # of a bootstrap sample, until one holds enough to learn from


@dataclass(frozen=True)
class Refit:
    """What a model learned from some patients says of others.

    Parameters
    ----------
    learned : ndarray of int
        Patients learned from; of a bootstrap sample, as often as each was drawn.
    probability : mapping of str to ndarray of shape (k,)
        By outcome, of the patients that it was asked about.
    floor : mapping of str to ndarray of shape (k,)
        Plan-wise prevalence in the patients learned from.
    parameters : mapping of str to float
        Effective number that the patients decided, by outcome (`models.uncertainty`); none of a bootstrap
        sample, where copies of patients would count.
    logit : mapping of str to ndarray of shape (k,)
        Of a bootstrap sample, by outcome: what the candidate says before it is recalibrated.
    """

    learned: NDArray[np.intp]
    probability: Mapping[str, NDArray[np.float64]]
    floor: Mapping[str, NDArray[np.float64]]
    parameters: Mapping[str, float] = field(default_factory=dict)
    logit: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def candidates_of(model: ResponseModel) -> dict[str, str]:
    """Name the candidate of each outcome."""
    return {name: outcome.choice.candidate for name, outcome in model.outcomes.items()}


def refit(
    patients: Patients,
    learn: NDArray[np.intp],
    asked: NDArray[np.intp],
    candidates: Mapping[str, str],
    seed: int,
) -> Refit:
    """Run the procedure with fixed candidates on some patients and predict others.

    Parameters
    ----------
    patients : Patients
    learn, asked : ndarray of int
        Patients to learn from (all with an endpoint) and to predict.
    candidates : mapping of str to str
        By outcome. Hyperparameters and recalibration are learned anew from the patients learned from.
    seed : int

    Returns
    -------
    Refit

    Raises
    ------
    TrainingDataError
        If too few events or groups are among the patients learned from.
    """
    fitted, sets = fit_known(patients.take(learn), seed, candidates)
    model = fitted.model
    inputs = model.inputs(patients.rows[asked])
    probability = {name: model.outcomes[name].probability(inputs) for name in OUTCOMES}
    parameters = {name: float(model.outcomes[name].uncertainty.parameters) for name in OUTCOMES}
    return Refit(learn, probability, _floors(sets, inputs, seed), parameters)


def bootstrap_refit(patients: Patients, choices: Mapping[str, Choice], seed: int) -> Refit | None:
    """Fit a version's candidates to a bootstrap sample and predict all patients.

    Whole groups are drawn where there are groups, patients otherwise. Hyperparameters are the version's. The
    recalibration is learned anew, on the patients who were not drawn: copies of a patient look like evidence,
    so that a model of a sample is too sure, and its recalibration has to take that back. They themselves are
    recalibrated by the other half of them (of their groups): no outcome reaches its own prediction.

    Parameters
    ----------
    patients : Patients
        Those without an endpoint are predicted, not learned from.
    choices : mapping of str to Choice
        The version's, by outcome.
    seed : int
        Another seed, another sample.

    Returns
    -------
    Refit or None
        None if none of 20 samples held enough to learn from.
    """
    rng = np.random.default_rng([seed, 5])  # its own, whatever else is drawn with the same seed
    known = patients.known
    labels = known if patients.groups is None else patients.groups[known]
    _, unit = np.unique(labels, return_inverse=True)
    for _ in range(_DRAWS):
        drawn = rng.multinomial(unit.max() + 1, np.full(unit.max() + 1, 1 / (unit.max() + 1)))
        learned, left = np.repeat(known, drawn[unit]), known[drawn[unit] == 0]
        if all(
            _both_classes(patients, name, learned) and _both_classes(patients, name, left) for name in choices
        ):
            return _bootstrap_refit(patients, learned, left, choices, seed)
    return None


def _both_classes(patients: Patients, outcome: str, index: NDArray[np.intp]) -> bool:
    return len(np.unique(patients.outcomes[outcome][index])) == 2


def _bootstrap_refit(
    patients: Patients,
    learned: NDArray[np.intp],
    left: NDArray[np.intp],
    choices: Mapping[str, Choice],
    seed: int,
) -> Refit:
    sets = training_sets(patients.take(learned))
    inputs = Inputs(sets["response"].inputs.encoder, patients.rows)
    labels = left if patients.groups is None else patients.groups[left]
    halves = np.random.default_rng([seed, 6]).permutation(np.unique(labels))
    first = np.isin(labels, halves[::2])
    probability, scores = {}, {}
    for name, choice in choices.items():
        logits = fit_score(sets[name], choice.candidate, choice.params, seed).logit(inputs)
        scores[name] = logits
        if choice.candidate == "prevalence":
            probability[name] = expit(logits)
            continue
        y = patients.outcomes[name]
        probability[name] = _recalibrate(logits, y, left)
        for half in (first, ~first):
            probability[name][left[half]] = _recalibrate(logits, y, left[~half])[left[half]]
    return Refit(learned, probability, _floors(sets, inputs, seed), logit=scores)


def _recalibrate(
    logits: NDArray[np.float64], y: NDArray[np.float64], learn: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Give calibrated probabilities of all patients, by what some of them teach."""
    recalibration = fit_recalibration(logits[learn], y[learn], np.zeros(len(learn), dtype=np.intp))
    result: NDArray[np.float64] = expit(recalibration.apply(logits))
    return result


def _floors(sets: Mapping[str, TrainingSet], inputs: Inputs, seed: int) -> dict[str, NDArray[np.float64]]:
    floors = {name: fit_score(sets[name], "prevalence", {"prevalence": {}}, seed) for name in OUTCOMES}
    return {name: expit(floor.logit(inputs)) for name, floor in floors.items()}

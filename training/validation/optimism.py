"""Optimism of the version on its own patients, by the 0.632+ rule.

Harrell's correction subtracts from the apparent figure what a refit loses from its bootstrap sample to the
patients as they are, of whom it has seen two thirds. A forest, which all but memorises them, stays far too
good then. The 0.632+ rule leans on patients that a refit has not seen, the more so the more it overfits.

Samples are drawn without replacement. Copies look like evidence: everything that a procedure learns about its
own complexity, such as a penalty, is learned too bold from them, and its slope then says 0.5 where it is 0.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from joblib import delayed
from scipy.special import expit

from features.errors import TrainingDataError
from models.response_model import OUTCOMES, fit_score
from training.bootstrap import Estimate, draw_metrics, draw_weights
from training.metrics import METRICS, Predicted
from training.patients import training_sets
from training.validation.refits import Refit, Work, refit
from training.validation.results import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.response_model import ResponseModel
    from training.patients import Patients

__all__ = ["SUBSAMPLES", "correct_optimism", "plan_subsamples"]

SUBSAMPLES: Final = 8
"""Each leaves more than a third of the patients out: together each patient three times."""
_SAMPLES: Final = 200
_PERMUTATIONS: Final = 20
_SHARE: Final = 0.632  # of the patients who are in a bootstrap sample, in the mean


def plan_subsamples(
    patients: Patients, candidates: Mapping[str, str], seed: int, count: int = SUBSAMPLES
) -> Work[Sequence[Refit | None]]:
    """Learn the candidates from 63.2 % of the patients, or of the groups, and predict the others.

    Parameters
    ----------
    patients : Patients
    candidates : mapping of str to str
        By outcome; tuned and calibrated anew on each sample.
    seed : int
    count : int

    Returns
    -------
    Work
        A `Refit` about those left out, or None where too few events or groups were drawn to learn from.
    """
    known = patients.known
    labels = known if patients.groups is None else patients.groups[known]
    units = np.unique(labels)
    jobs = []
    for number in range(count):
        rng = np.random.default_rng([seed, number, 632])
        drawn = np.isin(labels, rng.choice(units, round(_SHARE * len(units)), replace=False))
        jobs.append(delayed(_try)(patients, known[drawn], known[~drawn], candidates, seed + number))
    return Work(jobs, list)


def correct_optimism(
    patients: Patients,
    model: ResponseModel,
    refits: Sequence[Refit | None],
    seed: int,
    candidate: str = "the version's candidate",
) -> dict[str, Design]:
    """Correct the version's figures on its own patients for having learned from them.

    Parameters
    ----------
    patients : Patients
        Those that the version was learned from.
    model : ResponseModel
        The version.
    refits : sequence of Refit or None
        From `plan_subsamples`.
    seed : int
    candidate : str
        Whose choice it was, as `how` is to say it.

    Returns
    -------
    dict of str to Design
        By outcome. Each figure is (1 - w) apparent + w new, w = 0.632 / (1 - 0.368 R), where "new" is the
        figure of patients whom a refit has not seen, and R, between 0 and 1, how much of the way from the
        apparent figure to that of permuted outcomes "new" has gone. The interval is that of "new", moved: a
        bootstrap of patients, or of whole groups, whatever refits they are in.

    References
    ----------
    Efron and Tibshirani, J Am Stat Assoc 1997;92:548-560; for AUROC, and against Harrell's correction: Iba,
    Shinozaki, Maruo and Noma, BMC Med Res Methodol 2021;21:9. Without replacement: Binder and Schumacher,
    Stat Appl Genet Mol Biol 2008;7:12. The moved interval: Noma et al., Stat Med 2021;40:5691-5701.
    """
    done = [refit for refit in refits if refit is not None]
    known = patients.known
    groups = None if patients.groups is None else patients.groups[known]
    weights = draw_weights(len(known), groups, seed, _SAMPLES)
    sets = training_sets(patients.take(known))
    inputs = model.inputs(patients.rows[known])
    found = {}
    for name in OUTCOMES:
        y = patients.outcomes[name][known]
        floor = fit_score(sets[name], "prevalence", {"prevalence": {}}, seed).logit(sets[name].inputs)
        p = model.outcomes[name].probability(inputs)
        apparent = Predicted(y, p, expit(floor), np.zeros(len(y), dtype=np.intp))
        metrics = _correct(apparent, known, name, done, weights, seed)
        found[name] = Design(
            "optimism",
            "Optimism-corrected",
            _tell(patients, len(done), candidate),
            len(y),
            int(y.sum()),
            metrics,
        )
    return found


def _correct(
    apparent: Predicted,
    known: NDArray[np.intp],
    outcome: str,
    refits: Sequence[Refit],
    weights: NDArray[np.float64],
    seed: int,
) -> dict[str, Estimate]:
    if not refits:
        return {}
    where = np.concatenate([np.flatnonzero(~np.isin(known, refit.learned)) for refit in refits])
    new = Predicted(
        apparent.y[where],
        np.concatenate([refit.probability[outcome] for refit in refits]),
        np.concatenate([refit.floor[outcome] for refit in refits]),
        np.repeat(np.arange(len(refits)), [len(refit.probability[outcome]) for refit in refits]),
        float(np.mean([refit.parameters[outcome] for refit in refits])),
        len(where) / len(known),
    )
    draws = draw_metrics([new], weights[:, where])
    nothing = _without_information(apparent, seed)
    once = np.ones(len(apparent.y))
    found = {}
    for name, metric in METRICS.items():
        estimate, seen = draws[name].estimate(), metric(apparent, once)
        value = _combine(seen, estimate.value, nothing[name])
        moved = value - estimate.value
        found[name] = Estimate(value, estimate.low + moved, estimate.high + moved)
    return found


def _combine(apparent: float, new: float, nothing: float) -> float:
    """Weigh the two figures by the relative overfitting rate."""
    way = nothing - apparent
    rate = 0.0 if way == 0 else float(np.clip((new - apparent) / way, 0.0, 1.0))
    weight = _SHARE / (1 - (1 - _SHARE) * rate)
    return (1 - weight) * apparent + weight * new


def _without_information(
    apparent: Predicted, seed: int, metrics: Mapping[str, Callable[..., float]] = METRICS
) -> dict[str, float]:
    """Figures if the same predictions had nothing to do with the outcome: means over permutations."""
    rng = np.random.default_rng([seed, 632])
    once = np.ones(len(apparent.y))
    shuffled = [replace(apparent, y=rng.permutation(apparent.y)) for _ in range(_PERMUTATIONS)]
    return {
        name: float(np.mean([metric(data, once) for data in shuffled])) for name, metric in metrics.items()
    }


def _tell(patients: Patients, refits: int, candidate: str) -> str:
    drawn = "patients" if patients.groups is None else f"groups ({patients.cohort_file.group})"
    return (
        f"{candidate}, tuned and calibrated anew on {refits} samples of 63.2 % of the {drawn}; "
        "apparent figures corrected by those of patients outside the samples (0.632+)"
    )


def _try(
    patients: Patients,
    learn: NDArray[np.intp],
    asked: NDArray[np.intp],
    candidates: Mapping[str, str],
    seed: int,
) -> Refit | None:
    try:
        return refit(patients, learn, asked, candidates, seed)
    except TrainingDataError:  # counted by who is told how many samples there are
        return None

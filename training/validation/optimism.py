"""Optimism of the version on its own patients, by the 0.632+ rule.

Harrell's correction (`training.validation.bootstrap_optimism`) subtracts from the apparent figure what a
refit loses from its bootstrap sample to the patients as they are, of whom it has seen two thirds. A forest,
which all but memorises them, stays far too good then. The 0.632+ rule leans on patients that a refit has not
seen, the more so the more it overfits.

The rule is about errors of prediction, for which outcomes that have nothing to do with the predictions set
the worst that can be expected. Calibration has no such mark: permuted outcomes leave observed over expected
as it was, and a model that shrinks is too timid among its own patients, on the other side of what is right.
So figures of calibration, and net benefit, are those of patients whom a refit has not seen.

Samples are drawn without replacement. Copies look like evidence: everything that a procedure learns about its
own complexity, such as a penalty, is learned too bold from them, and its slope then says 0.5 where it is 0.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from joblib import delayed
from scipy.special import expit

from features.errors import TrainingDataError
from models.response_model import OUTCOMES, fit_score
from training.bootstrap import Estimate, draw_metrics, draw_weights
from training.metrics import METRICS, Metric, Predicted
from training.net_benefit import metrics_of
from training.patients import training_sets
from training.validation.moved import move
from training.validation.pool import Work
from training.validation.refits import Refit, refit
from training.validation.results import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.response_model import ResponseModel
    from training.patients import Patients

__all__ = ["SUBSAMPLES", "combine_632plus", "correct_optimism", "make_subsample_jobs", "predict_own"]

SUBSAMPLES: Final = 8
"""Each leaves more than a third of the patients out: together each patient three times."""
_SAMPLES: Final = 200
_PERMUTATIONS: Final = 20
_SHARE: Final = 0.632  # of the patients who are in a bootstrap sample, in the mean
_RISING: Final = {
    "auroc": True,
    "average_precision": True,
    "brier": False,
    "brier_skill": True,
    "scaled_brier": True,
    "log_loss": False,
}
"""Figures of discrimination and accuracy, which the rule is for: whether more is better."""
_KEY: Final = "optimism"
_TITLE: Final = "Optimism, 0.632+"


def make_subsample_jobs(
    patients: Patients, candidates: Mapping[str, str], seed: int, count: int = SUBSAMPLES
) -> Work[Sequence[Refit | str]]:
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
        A `Refit` about those left out, or a sentence where too few events or groups were drawn.
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
    refits: Sequence[Refit | str],
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
    refits : sequence of Refit or str
        From `make_subsample_jobs`.
    seed : int
    candidate : str
        Whose choice it was, as `how` is to say it.

    Returns
    -------
    dict of str to Design
        By outcome. Each figure of discrimination or accuracy is (1 - w) apparent + w new, w = 0.632 /
        (1 - 0.368 R), where "new" is the figure of patients whom a refit has not seen, or that of permuted
        outcomes if it is even worse, and R, between 0 and 1, how much of the way from the apparent figure to
        that of permuted outcomes "new" has gone. The others are "new". The interval is that of "new", moved:
        a bootstrap of patients, or of whole groups, whatever refits they are in. Without figures if no sample
        could be learned from; `how` says why.

    References
    ----------
    Efron and Tibshirani, J Am Stat Assoc 1997;92:548-560. For AUROC of regression models, beside Harrell's
    correction: Iba, Shinozaki, Maruo and Noma, BMC Med Res Methodol 2021;21:9. Without replacement: Binder
    and Schumacher, Stat Appl Genet Mol Biol 2008;7:12. The moved interval: Noma et al., Stat Med
    2021;40:5691-5701.
    """
    done = [refit for refit in refits if isinstance(refit, Refit)]
    if not done:
        why = next((refit for refit in refits if isinstance(refit, str)), "no sample was drawn")
        how = f"Not possible: of no sample of 63.2 % could be learned: {why}"
        return {name: Design.not_possible(_KEY, _TITLE, how) for name in OUTCOMES}
    known = patients.known
    weights = draw_weights(len(known), patients.known_groups, seed, _SAMPLES)
    how = _tell(patients, len(done), len(refits), candidate)
    return {
        name: Design(
            key=_KEY,
            title=_TITLE,
            how=how,
            patients=len(known),
            events=int(apparent.y.sum()),
            metrics=_correct(apparent, known, name, done, weights, seed),
        )
        for name, apparent in predict_own(patients, model, seed).items()
    }


def predict_own(patients: Patients, model: ResponseModel, seed: int) -> dict[str, Predicted]:
    """Predict by a version the patients whom it was learned from.

    Parameters
    ----------
    patients : Patients
    model : ResponseModel
    seed : int

    Returns
    -------
    dict of str to Predicted
        By outcome, of those with an endpoint; the floor is learned from them, too.
    """
    known = patients.known
    sets = training_sets(patients.take(known))
    inputs = model.inputs(patients.rows[known])
    found = {}
    for name in OUTCOMES:
        floor = fit_score(sets[name], "prevalence", {"prevalence": {}}, seed).logit(sets[name].inputs)
        p = model.outcomes[name].probability(inputs)
        found[name] = Predicted(sets[name].y, p, expit(floor), np.zeros(len(known), dtype=np.intp))
    return found


def _correct(
    apparent: Predicted,
    known: NDArray[np.intp],
    outcome: str,
    refits: Sequence[Refit],
    weights: NDArray[np.float64],
    seed: int,
) -> dict[str, Estimate]:
    where = np.concatenate([np.flatnonzero(~np.isin(known, refit.learned)) for refit in refits])
    new = Predicted(
        apparent.y[where],
        np.concatenate([refit.probability[outcome] for refit in refits]),
        np.concatenate([refit.floor[outcome] for refit in refits]),
        np.repeat(np.arange(len(refits)), [len(refit.probability[outcome]) for refit in refits]),
        float(np.mean([refit.parameters[outcome] for refit in refits])),
        len(where) / len(known),
    )
    draws = draw_metrics([new], weights[:, where], metrics_of(outcome))
    found = {name: drawn.estimate() for name, drawn in draws.items()}
    ruled = {name: METRICS[name] for name in _RISING}
    nothing = _without_information(apparent, seed, ruled)
    once = np.ones(len(apparent.y))
    for name, metric in ruled.items():
        unseen, seen = found[name], metric(apparent, once)
        value = combine_632plus(seen, unseen.value, nothing[name], rising=_RISING[name])
        found[name] = move(name, unseen, value)
    return found


def combine_632plus(apparent: float, new: float, nothing: float, *, rising: bool) -> float:
    """Weigh a figure of the patients learned from and one of others, by the relative overfitting rate.

    Parameters
    ----------
    apparent : float
        Of the model, on its own patients.
    new : float
        Of refits, on patients whom they have not seen.
    nothing : float
        Of the same predictions if they had nothing to do with the outcome: no `new` counts as worse.
    rising : bool
        Whether more is better.

    Returns
    -------
    float
        (1 - w) apparent + w new with w = 0.632 / (1 - 0.368 R), where R, between 0 and 1, is how much of the
        way from `apparent` to `nothing` the figure `new` has gone.

    References
    ----------
    Efron and Tibshirani, J Am Stat Assoc 1997;92:548-560.

    Examples
    --------
    >>> round(combine_632plus(0.8, 0.7, 0.5, rising=True), 3)  # R = 1/3, w = 0.720
    0.728
    """
    sign = -1.0 if rising else 1.0
    seen, chance = sign * apparent, sign * nothing
    unseen = min(sign * new, chance)  # nobody need do worse than without information
    rate = (unseen - seen) / (chance - seen) if min(unseen, chance) > seen else 0.0
    weight = _SHARE / (1 - (1 - _SHARE) * rate)
    return sign * ((1 - weight) * seen + weight * unseen)


def _without_information(apparent: Predicted, seed: int, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Figures if the same predictions had nothing to do with the outcome: means over permutations."""
    rng = np.random.default_rng([seed, 632])
    once = np.ones(len(apparent.y))
    shuffled = [replace(apparent, y=rng.permutation(apparent.y)) for _ in range(_PERMUTATIONS)]
    return {
        name: float(np.mean([metric(data, once) for data in shuffled])) for name, metric in metrics.items()
    }


def _tell(patients: Patients, done: int, planned: int, candidate: str) -> str:
    drawn = "patients" if patients.groups is None else f"groups ({patients.cohort_file.group})"
    count = f"{done}" if done == planned else f"{done} (of {planned} drawn)"
    return (
        f"{candidate}, tuned and calibrated anew on {count} samples of 63.2 % of the {drawn}; "
        "discrimination and accuracy: apparent figures corrected by those of patients outside the samples "
        "(0.632+); calibration and net benefit: of patients outside the samples alone"
    )


def _try(
    patients: Patients,
    learn: NDArray[np.intp],
    asked: NDArray[np.intp],
    candidates: Mapping[str, str],
    seed: int,
) -> Refit | str:
    try:
        return refit(patients, learn, asked, candidates, seed)
    except TrainingDataError as exc:  # counted by who is told how many samples there are
        return str(exc)

"""The version beside the champion: the same patients, the same folds, the same bootstrap weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_metrics
from training.folds import fold_seed
from training.net_benefit import metrics_of
from training.patients import Patients
from training.validation.pool import Work
from training.validation.refits import Refit, candidates_of, refit
from training.validation.results import Comparison
from training.validation.seen import see_as
from training.validation.units import FEWEST_OF_CLASS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from models.care_model import CareModel
    from models.response_model import ResponseModel
    from training.folds import Split
    from training.metrics import Predicted
    from training.validation.seen import Seen

__all__ = ["Answers", "make_champion_jobs", "subtract_champion"]

Repeats = Mapping[str, "list[Predicted]"]


@dataclass(frozen=True)
class Answers:
    """What a champion says of every patient of a cohort, in one repeat.

    Parameters
    ----------
    p : ndarray of shape (n,)
        Probability; NaN where it gives none.
    fold : ndarray of shape (n,)
        Which model gave it; all 0 of the champion as it stands.
    parameters : float
        As of `training.metrics.Predicted`.
    """

    p: NDArray[np.float64]
    fold: NDArray[np.intp]
    parameters: float = 0.0


def make_champion_jobs(
    cohort: Cohort, champion: CareModel, splits: Sequence[Sequence[Split]] | None, seed: int
) -> Work[Mapping[str, list[Answers]] | str]:
    """Make the jobs that give the champion's probabilities; none for external data.

    On other data than the version was learned from (external) the champion answers as it stands. On the data
    that the version was learned from (internal), which the champion may have been learned from too, its
    figures would be those of a memory: there its procedure (its predictors and its candidates, with tuning
    and recalibration learned anew) is carried out on the very folds that the version's was.

    Parameters
    ----------
    cohort : Cohort
    champion : CareModel
    splits : sequence of sequences of Split, or None
        The outer folds of each repeat, for internal data; None for external.
    seed : int

    Returns
    -------
    Work
        Its result, for `subtract_champion`: by outcome, the answers of each repeat; or a sentence that says
        why there are none.
    """
    model = champion.baseline
    seen = see_as(cohort, model.cohort_file)
    if not seen.usable.any():
        return Work([], lambda _: "the champion would refuse every patient of this cohort")
    if splits is None:
        answers = _ask(model, seen)
        return Work([], lambda _: answers)
    return _make_procedure_jobs(cohort, model, seen, splits, seed)


def _ask(model: ResponseModel, seen: Seen) -> dict[str, list[Answers]]:
    """Let the champion answer as it stands."""
    inputs = model.inputs(seen.rows[seen.usable])
    alone = np.zeros(len(seen.rows), dtype=np.intp)
    answers = {}
    for name in OUTCOMES:
        p = np.full(len(seen.rows), np.nan)
        p[seen.usable] = model.outcomes[name].probability(inputs)
        answers[name] = [Answers(p, alone)]
    return answers


def _make_procedure_jobs(
    cohort: Cohort, model: ResponseModel, seen: Seen, splits: Sequence[Sequence[Split]], seed: int
) -> Work[Mapping[str, list[Answers]] | str]:
    """Carry the champion's procedure out on the version's folds."""
    patients = replace(Patients.from_cohort(cohort), cohort_file=model.cohort_file, rows=seen.rows)
    usable = np.flatnonzero(seen.usable)
    tasks = [
        (repeat, fold, np.intersect1d(train, usable), np.intersect1d(test, usable))
        for repeat, folds in enumerate(splits)
        for fold, (train, test) in enumerate(folds)
        if np.isin(test, usable).any()
    ]
    candidates = candidates_of(model)
    jobs = [
        # The seeds of `training.cross_validation`: a version that is the champion does not differ from it.
        delayed(_try_refit)(patients, train, test, candidates, fold_seed(seed, repeat, fold))
        for repeat, fold, train, test in tasks
    ]

    def finish(found: Sequence[Refit | str]) -> Mapping[str, list[Answers]] | str:
        if problem := next((one for one in found if isinstance(one, str)), ""):
            return f"the champion's procedure cannot learn from the patients it would not refuse: {problem}"
        fits = [one for one in found if isinstance(one, Refit)]
        result: dict[str, list[Answers]] = {name: [] for name in OUTCOMES}
        for number, name in product(range(len(splits)), OUTCOMES):
            p, of_fold = np.full(len(seen.rows), np.nan), np.zeros(len(seen.rows), dtype=np.intp)
            parameters = []
            for (repeat, fold, _, test), answered in zip(tasks, fits, strict=True):
                if repeat == number:
                    p[test], of_fold[test] = answered.probability[name], fold
                    parameters.append(answered.parameters[name])
            result[name].append(Answers(p, of_fold, float(np.mean(parameters))))
        return result

    return Work(jobs, finish)


def _try_refit(
    patients: Patients,
    learn: NDArray[np.intp],
    asked: NDArray[np.intp],
    candidates: Mapping[str, str],
    seed: int,
) -> Refit | str:
    try:
        return refit(patients, learn, asked, candidates, seed)
    except TrainingDataError as exc:
        return str(exc)


def subtract_champion(
    cohort: Cohort,
    challenger: Repeats,
    answers: Mapping[str, list[Answers]] | str,
    weights: NDArray[np.float64],
) -> dict[str, Comparison]:
    """Subtract the champion's figures, made of its answers, from the version's, paired.

    Parameters
    ----------
    cohort : Cohort
    challenger : mapping of str to list of Predicted
        Of the version, by outcome: a list item for each repeat, patients with an endpoint in the order of the
        cohort.
    answers : mapping of str to list of Answers, or str
        From `make_champion_jobs`.
    weights : ndarray of shape (samples, n_known)
        Bootstrap weights of the same patients.

    Returns
    -------
    dict of str to Comparison
        By outcome. Patients whom the champion would refuse are left out of both; without figures, and with
        the reason, if those who are left cannot be compared. Skill of both is counted from the version's
        floor.
    """
    if isinstance(answers, str):
        return {name: Comparison(0, 0, {}, answers) for name in challenger}
    observed = {"response": cohort.response, "remission": cohort.remission}
    return {
        name: _subtract(name, repeats, answers[name], np.flatnonzero(~np.isnan(observed[name])), weights)
        for name, repeats in challenger.items()
    }


def _subtract(
    outcome: str,
    repeats: list[Predicted],
    answers: list[Answers],
    known: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> Comparison:
    # One answer, of the champion as it stands, is held against every repeat.
    each = answers * (len(repeats) if len(answers) == 1 else 1)
    both = np.flatnonzero(~np.isnan([one.p[known] for one in each]).any(axis=0))
    patients, events = len(both), int(repeats[0].y[both].sum())
    if min(events, patients - events) < FEWEST_OF_CLASS:
        reason = (
            f"of {patients} patients whom the champion would not refuse {events} have the outcome; "
            f"{FEWEST_OF_CLASS} with it and {FEWEST_OF_CLASS} without are needed"
        )
        return Comparison(patients, events, {}, reason)
    ours = [data.take(both) for data in repeats]
    other = [
        replace(data, p=one.p[known[both]], fold=one.fold[known[both]], parameters=one.parameters, folds=None)
        for data, one in zip(ours, each, strict=True)
    ]
    figures = metrics_of(outcome)
    before = draw_metrics(other, weights[:, both], figures)
    now = draw_metrics(ours, weights[:, both], figures)
    metrics = {metric: drawn.minus(before[metric]).estimate() for metric, drawn in now.items()}
    return Comparison(patients, events, metrics)

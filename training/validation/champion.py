"""The version beside the champion: the same patients, the same folds, the same bootstrap weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from joblib import delayed

from features.encoding import column_names
from models.response_model import OUTCOMES
from training.bootstrap import draw_metrics
from training.patients import Patients
from training.validation.refits import Work, candidates_of, do_work, refit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from models.care_model import CareModel
    from training.bootstrap import Estimate
    from training.folds import Split
    from training.metrics import Predicted

__all__ = ["Seen", "compare_with_champion", "plan_champion", "see_as", "subtract_champion"]

Repeats = Mapping[str, "list[Predicted]"]


class Seen(NamedTuple):
    """A cohort as another cohort file describes it.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        Encoded as that file says; NaN in columns that the cohort has not.
    usable : ndarray of bool, shape (n,)
        False for patients that the other file refuses: on a plan, at a level or with a number that it does
        not allow.
    """

    rows: NDArray[np.float64]
    usable: NDArray[np.bool_]


def compare_with_champion(
    cohort: Cohort,
    champion: CareModel,
    challenger: Repeats,
    weights: NDArray[np.float64],
    splits: Sequence[Sequence[Split]] | None = None,
    seed: int = 0,
) -> Mapping[str, Mapping[str, Estimate]]:
    """Subtract the champion's figures from the version's, paired.

    On other data than the version was learned from (external) the champion answers as it stands. On the data
    that the version was learned from (internal), which the champion may have been learned from too, its
    figures would be those of a memory: there its procedure (its predictors and its candidates, with tuning
    and recalibration learned anew) is carried out on the very folds that the version's was.

    Parameters
    ----------
    cohort : Cohort
    champion : CareModel
    challenger : mapping of str to list of Predicted
        Of the version, by outcome: a list item for each repeat, patients with an endpoint in the order of the
        cohort.
    weights : ndarray of shape (samples, n_known)
        Bootstrap weights of the same patients.
    splits : sequence of sequences of Split, optional
        The outer folds of each repeat, for internal data; None for external.
    seed : int

    Returns
    -------
    mapping of str to mapping of str to Estimate
        By outcome and figure: version minus champion, with the 95 % interval of the paired difference.
        Patients whom the champion would refuse are left out of both; empty if that leaves nobody, or a
        single class. Skill of both is counted from the version's floor.

    Raises
    ------
    TrainingDataError
        If the champion's procedure cannot be carried out on these folds.
    """
    answers = do_work(plan_champion(cohort, champion, splits, seed))
    return subtract_champion(cohort, challenger, answers, weights)


def plan_champion(
    cohort: Cohort, champion: CareModel, splits: Sequence[Sequence[Split]] | None, seed: int
) -> Work[Mapping[str, list[NDArray[np.float64]]]]:
    """Make the jobs that give the champion's probabilities; none for external data.

    Parameters
    ----------
    cohort, champion, splits, seed
        As of `compare_with_champion`.

    Returns
    -------
    Work
        Its result: by outcome, for each repeat the probability of every patient of the cohort, NaN where the
        champion gives none.
    """
    model = champion.baseline
    seen = see_as(cohort, model.cohort_file)
    if splits is None:
        answers = {name: np.full(len(seen.rows), np.nan) for name in OUTCOMES}
        inputs = model.inputs(seen.rows[seen.usable])
        for name, p in answers.items():
            p[seen.usable] = model.outcomes[name].probability(inputs)
        return Work([], lambda _: {name: [p] for name, p in answers.items()})
    patients = replace(Patients.from_cohort(cohort), cohort_file=model.cohort_file, rows=seen.rows)
    usable = np.flatnonzero(seen.usable)
    tasks = [
        (repeat, fold, np.intersect1d(train, usable), np.intersect1d(test, usable))
        for repeat, folds in enumerate(splits)
        for fold, (train, test) in enumerate(folds)
    ]
    candidates = candidates_of(model)
    jobs = [
        # The seeds of `training.cross_validation`: a version that is the champion does not differ from it.
        delayed(refit)(patients, train, test, candidates, seed + 1000 * (repeat + 1) + fold)
        for repeat, fold, train, test in tasks
    ]

    def finish(found: Sequence[Any]) -> Mapping[str, list[NDArray[np.float64]]]:
        result = {name: [np.full(len(seen.rows), np.nan) for _ in splits] for name in OUTCOMES}
        for (repeat, _, _, test), answered in zip(tasks, found, strict=True):
            for name in OUTCOMES:
                result[name][repeat][test] = answered.probability[name]
        return result

    return Work(jobs, finish)


def subtract_champion(
    cohort: Cohort,
    challenger: Repeats,
    answers: Mapping[str, list[NDArray[np.float64]]],
    weights: NDArray[np.float64],
) -> dict[str, dict[str, Estimate]]:
    """Subtract the champion's figures, made of its answers, from the version's.

    Parameters
    ----------
    cohort, challenger, weights
        As of `compare_with_champion`.
    answers : mapping of str to list of ndarray
        From `plan_champion`.

    Returns
    -------
    dict of str to dict of str to Estimate
        See `compare_with_champion`.
    """
    found: dict[str, dict[str, Estimate]] = {name: {} for name in challenger}
    for name, repeats in challenger.items():
        known = np.flatnonzero(~np.isnan(cohort.response if name == "response" else cohort.remission))
        # One answer, of the champion as it stands, is held against every repeat.
        each = answers[name] * (len(repeats) if len(answers[name]) == 1 else 1)
        theirs = [p[known] for p in each]
        both = np.flatnonzero(~np.isnan(theirs).any(axis=0))
        if len(np.unique(repeats[0].y[both])) < 2:  # nobody, or one class only
            continue
        ours = [data.take(both) for data in repeats]
        other = [replace(data, p=p[both]) for data, p in zip(ours, theirs, strict=True)]
        before = draw_metrics(other, weights[:, both])
        now = draw_metrics(ours, weights[:, both])
        found[name] = {metric: drawn.minus(before[metric]).estimate() for metric, drawn in now.items()}
    return found


def see_as(cohort: Cohort, file: CohortFile) -> Seen:
    """Encode a cohort's patients as another cohort file describes them: columns and levels by name.

    Parameters
    ----------
    cohort : Cohort
    file : CohortFile

    Returns
    -------
    Seen
    """
    ours = dict(zip(column_names(cohort.file), cohort.rows.T, strict=True))
    known = {p.name: p for p in cohort.file.baseline_predictors}
    rows = np.full((len(cohort.rows), len(column_names(file))), np.nan)
    usable = np.ones(len(rows), dtype=bool)
    for j, predictor in enumerate(file.baseline_predictors):
        own = known.get(predictor.name)
        if own is None or (own.kind, own.unit) != (predictor.kind, predictor.unit):
            continue  # the same name for something else is not the same input
        values = ours[predictor.name]
        if predictor.levels:
            rows[:, j] = _translate(values, own.levels, predictor.levels)
        else:
            low, high = predictor.valid or (-np.inf, np.inf)
            rows[:, j] = np.where((values < low) | (values > high), np.nan, values)
        usable &= np.isnan(rows[:, j]) == np.isnan(values)
    if file.plan is not None:
        if cohort.file.plan is None or cohort.file.plan.column != file.plan.column:
            return Seen(rows, np.zeros(len(rows), dtype=bool))
        rows[:, -1] = _translate(ours[file.plan.column], cohort.file.plan_levels, file.plan_levels)
        usable &= ~np.isnan(rows[:, -1])
    return Seen(rows, usable)


def _translate(codes: NDArray[np.float64], ours: Sequence[str], theirs: Sequence[str]) -> NDArray[np.float64]:
    """Index of each level in another list; NaN for a missing value or a level that is not there."""
    place = np.array([theirs.index(level) if level in theirs else np.nan for level in ours] + [np.nan])
    result: NDArray[np.float64] = place[np.where(np.isnan(codes), len(ours), codes).astype(np.intp)]
    return result

"""Learning curve: what the procedure reaches with a quarter, half and all of the training patients.

Would more patients help? Each point says what twice as many gained, paired on the same test patients. As long
as what is still lost falls like one over their number, the next doubling gains half of what the last did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_metrics, draw_weights
from training.metrics import METRICS, Predicted
from training.patients import make_outer_splits
from training.validation.pool import Work
from training.validation.refits import Refit, refit
from training.validation.results import LearningPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.bootstrap import Draws
    from training.patients import Patients

__all__ = ["MEASURED", "make_learning_jobs", "make_subsets"]

MEASURED: Final = ("auroc", "brier", "brier_skill", "log_loss", "calibration_slope")
_SHARES: Final = (0.25, 0.5, 1.0)  # doublings: gains then read off between neighbours
_DRAWS: Final = (2, 1, 1)
"""Draws of the patients learned from, of each share in each fold; two of the smallest, where it matters most
who was drawn, show how much."""
_SAMPLES: Final = 200  # of the bootstrap
_FEWEST_GROUPS: Final = 8  # of the training patients: a quarter of them holds the two that inner folds need


class _Task(NamedTuple):
    draw: int
    share: int
    fold: int
    learn: NDArray[np.intp]
    test: NDArray[np.intp]


def make_learning_jobs(
    patients: Patients, candidates: Mapping[str, str], seed: int
) -> Work[Mapping[str, tuple[LearningPoint, ...]]]:
    """Make the jobs that learn from nested subsets of the training patients and predict others.

    In each outer fold, whose test groups are nobody's to learn from, the training patients are put in a
    random order of groups, and a quarter, half and all of them taken from its start. With fewer than 8
    training groups a quarter would hold a single one: then the order is one of patients.

    Parameters
    ----------
    patients : Patients
    candidates : mapping of str to str
        By outcome: the version's, which were chosen on all patients. Hyperparameters and recalibration are
        learned anew in every subset.
    seed : int

    Returns
    -------
    Work
        Its result: by outcome a `LearningPoint` for each size, the fewest patients first; without sizes that
        hold too few events to learn from.

    Raises
    ------
    TrainingDataError
        If not even two outer folds can be made.
    """
    tasks = []
    for fold, (train, test) in enumerate(make_outer_splits(patients, seed)):
        tested = np.intersect1d(test, patients.known)
        for draw in range(max(_DRAWS)):
            groups = None if patients.groups is None else patients.groups[train]
            subsets = make_subsets(train, groups, np.random.default_rng([seed, fold, draw]))
            shares = [share for share, draws in enumerate(_DRAWS) if draw < draws]
            tasks += [_Task(draw, share, fold, subsets[share], tested) for share in shares]
    tasks.sort(key=lambda task: -len(task.learn))  # the longest first
    jobs: list[Any] = [delayed(_learn)(patients, task, candidates, seed) for task in tasks]
    return Work(jobs, lambda found: _join(patients, tasks, found, seed))


def make_subsets(
    train: NDArray[np.intp], groups: NDArray[np.intp] | None, rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Take a quarter, half and all of the training patients, each within the next.

    Parameters
    ----------
    train : ndarray of int, shape (n,)
    groups : ndarray of int, shape (n,), or None
        Of the training patients; kept whole if there are at least 8.
    rng : Generator

    Returns
    -------
    list of ndarray
        Sorted. With groups, as near to the share as whole groups allow, and two groups at least.
    """
    if groups is None or len(np.unique(groups)) < _FEWEST_GROUPS:
        order = rng.permutation(train)
        return [np.sort(order[: max(1, round(share * len(order)))]) for share in _SHARES]
    names, index = np.unique(groups, return_inverse=True)
    order = rng.permutation(len(names))
    reached = np.cumsum(np.bincount(index)[order])
    counts = [max(2, int(np.abs(reached - share * len(train)).argmin()) + 1) for share in _SHARES]
    return [train[np.isin(index, order[:count])] for count in counts]


def _learn(patients: Patients, task: _Task, candidates: Mapping[str, str], seed: int) -> Refit | None:
    try:
        return refit(patients, task.learn, task.test, candidates, seed + 1000 * task.draw + task.fold)
    except TrainingDataError:  # too few events in so small a subset: this size then has no point
        return None


def _join(
    patients: Patients, tasks: Sequence[_Task], found: Sequence[Refit | None], seed: int
) -> dict[str, tuple[LearningPoint, ...]]:
    """Put folds together, measure each size and pair it with the one before."""
    pairs = list(zip(tasks, found, strict=True))
    failed = {task.share for task, result in pairs if result is None}
    shares = [share for share in range(len(_SHARES)) if share not in failed]
    known = patients.known
    weights = draw_weights(len(known), patients.known_groups, seed, _SAMPLES)
    learned = {
        share: round(float(np.mean([len(task.learn) for task in tasks if task.share == share])))
        for share in shares
    }
    return {name: _curve(name, patients, pairs, learned, weights) for name in OUTCOMES}


def _curve(
    name: str,
    patients: Patients,
    pairs: Sequence[tuple[_Task, Refit | None]],
    learned: Mapping[int, int],
    weights: NDArray[np.float64],
) -> tuple[LearningPoint, ...]:
    metrics = {metric: METRICS[metric] for metric in MEASURED}
    points: list[LearningPoint] = []
    before: Mapping[str, Draws] = {}
    for share, count in learned.items():
        repeats = [_predicted(name, patients, pairs, share, draw) for draw in range(max(_DRAWS))]
        drawn = draw_metrics(repeats, weights, metrics)
        gain = {metric: drawn[metric].minus(old).estimate() for metric, old in before.items()}
        points.append(LearningPoint(count, {metric: d.estimate() for metric, d in drawn.items()}, gain))
        before = drawn
    return tuple(points)


def _predicted(
    name: str, patients: Patients, pairs: Sequence[tuple[_Task, Refit | None]], share: int, draw: int
) -> Predicted:
    """Put the folds of one size and draw together, in the order of the patients with an endpoint."""
    wanted = min(draw, _DRAWS[share] - 1)  # drawn once, used beside each draw of the other size
    p, floor, folds = (np.full(len(patients.rows), np.nan) for _ in range(3))
    parameters = []
    for task, result in pairs:
        if result is not None and (task.share, task.draw) == (share, wanted):
            p[task.test], floor[task.test] = result.probability[name], result.floor[name]
            folds[task.test] = task.fold
            parameters.append(result.parameters[name])
    known = patients.known
    return Predicted(
        patients.outcomes[name][known],
        p[known],
        floor[known],
        folds[known].astype(np.intp),
        float(np.mean(parameters)),
    )

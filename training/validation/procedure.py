"""Validation of the procedure that made a version, on the data that it was fitted on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.cross_validation import REPEATS
from training.validation.bootstrap_optimism import correct_by_bootstrap
from training.validation.candidates import choose_apart, tell_own
from training.validation.champion import make_champion_jobs
from training.validation.checks import make_reproduction_jobs
from training.validation.designs import make_design_jobs, measure_design
from training.validation.held_out import (
    hold_out_folds,
    hold_out_groups,
    hold_out_periods,
    tell_candidate,
)
from training.validation.instability import make_bootstrap_jobs, predict_everybody, summarise_instability
from training.validation.landmarks import make_landmark_jobs
from training.validation.learning import make_learning_jobs
from training.validation.optimism import correct_optimism, make_subsample_jobs
from training.validation.refits import candidates_of
from training.validation.task import (
    Found,
    landmarks_of,
    make_job,
    make_landmark_measurements,
    make_remaining_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.folds import Split
    from training.validation.held_out import HeldOut
    from training.validation.pool import Pool, Work
    from training.validation.task import Task

__all__ = ["validate_procedure"]


def validate_procedure(task: Task, pool: Pool) -> Found:
    """Hold patients out in every way that the cohort offers, and fit again for all that is asked beside it.

    Parameters
    ----------
    task : Task
        On the data of the fit.
    pool : Pool

    Returns
    -------
    Found

    Raises
    ------
    TrainingDataError
        If a fold of nested cross-validation cannot be learned from.
    """
    version, patients, seed = task.version, task.patients, task.seed
    model, fixed = version.model.baseline, version.candidate_fixed
    candidates = candidates_of(model)
    nested, chosen = _hold_out_nested(task)
    winners = () if chosen is None or isinstance(chosen, str) else chosen[: len(nested.splits[0])]
    others = _hold_out_others(task, nested.splits[0], winners)
    fits: dict[str, Work[Any]] = {
        "reproduced": make_reproduction_jobs(version.model, task.cohort, version.seed, fixed),
        nested.key: make_design_jobs(patients, nested, seed, chosen),
        **{key: make_design_jobs(patients, held, seed, used) for key, (held, used) in others.items()},
        "learning": make_learning_jobs(patients, candidates, seed),
        "bootstrap": make_bootstrap_jobs(patients, model, seed),
        "subsamples": make_subsample_jobs(patients, candidates, seed),
    }
    later, at_landmarks = make_landmark_jobs(
        task.cohort, version.model, nested, seed, fixed=fixed, winners=winners
    )
    fits |= {f"landmark {name}": work for name, work in later.items()}
    if task.champion is not None:
        fits["champion"] = make_champion_jobs(task.cohort, task.champion.model, nested.splits[:1], seed)
    rest = len(others) + 3 + len(later) + len(OUTCOMES) + (task.champion is not None)
    done = pool.do(fits, later=rest)
    if isinstance(done[nested.key], str):
        raise TrainingDataError(done[nested.key])
    designs: dict[str, HeldOut] = {nested.key: nested} | {key: held for key, (held, _) in others.items()}
    measures = {
        key: make_job(measure_design, held, patients, done[key], seed) for key, held in designs.items()
    }
    own = tell_own(fixed)
    measures["optimism"] = make_job(correct_optimism, patients, model, done["subsamples"], seed, own)
    measures["bootstrap_optimism"] = make_job(correct_by_bootstrap, patients, model, done["bootstrap"], seed)
    predicted = {name: done[f"landmark {name}"] for name in later}
    works = make_remaining_jobs(task, done[nested.key], done.get("champion")) | make_landmark_measurements(
        task, predicted, at_landmarks
    )
    measured = pool.do(works | measures)
    return Found(
        designs={name: tuple(measured[key][name] for key in measures) for name in OUTCOMES},
        first={name: measured[name] for name in OUTCOMES},
        champion=measured.get("champion", {}),
        instability=summarise_instability(predict_everybody(patients, model), done["bootstrap"]),
        learning=done["learning"],
        landmarks=landmarks_of(measured),
        reproduced=done["reproduced"],
    )


def _hold_out_nested(task: Task) -> tuple[HeldOut, str | Sequence[Mapping[str, str]] | None]:
    """Give the folds of nested cross-validation, and the candidates to use in them."""
    version, fixed = task.version, task.version.candidate_fixed
    held = hold_out_folds(task.patients, task.seed, REPEATS)
    if fixed is not None:
        return replace(held, how=f"{held.how}, candidate {fixed}, as the fit was told"), fixed
    if task.seed == version.seed and len(version.winners) == sum(map(len, held.splits)):
        # What the search chose in these very folds was learned from their training patients alone. The same
        # search would take seven times as long to say the same.
        how = f"{held.how}; candidates are what the search of the fit chose in these very folds"
        return replace(held, how=how), version.winners
    once = hold_out_folds(task.patients, task.seed, 1)
    return replace(once, how=f"{once.how}, the search over all candidates too"), None


def _hold_out_others(
    task: Task, folds: Sequence[Split], winners: Sequence[Mapping[str, str]]
) -> dict[str, tuple[HeldOut, Mapping[str, str] | Sequence[Mapping[str, str]]]]:
    """Give the groups and periods that are held out, and the candidates of each fit."""
    own, fixed = candidates_of(task.version.model.baseline), task.version.candidate_fixed
    found: dict[str, tuple[HeldOut, Mapping[str, str] | Sequence[Mapping[str, str]]]] = {}
    if (groups := hold_out_groups(task.cohort, task.patients, folds)) is not None:
        used, words = choose_apart(groups, own, fixed, folds, winners)
        found[groups.key] = tell_candidate(groups, words), used
    if (periods := hold_out_periods(task.cohort, task.patients)) is not None:
        # A period is part of every fold: nothing was chosen without it.
        found[periods.key] = tell_candidate(periods, tell_own(fixed)), own
    return found

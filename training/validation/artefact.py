"""Validation of a version as it stands, on patients whom it has not learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.patients import make_outer_splits
from training.validation.champion import make_champion_jobs
from training.validation.external import predict_externally, validate_externally
from training.validation.landmarks import predict_landmarks
from training.validation.pool import Work
from training.validation.same_patients import has_met, is_same_data
from training.validation.task import (
    Found,
    landmarks_of,
    make_job,
    make_landmark_measurements,
    make_remaining_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.validation.champion import Answers
    from training.validation.pool import Pool
    from training.validation.task import Task
    from training.validation.version import Version

__all__ = ["make_rival_jobs", "validate_artefact"]


def validate_artefact(task: Task, pool: Pool) -> Found:
    """Measure the version as it is and recalibrated, at every landmark, beside the champion.

    Parameters
    ----------
    task : Task
        On other data than those of the fit.
    pool : Pool

    Returns
    -------
    Found

    Raises
    ------
    TrainingDataError
        If the version cannot be measured on these patients at all.
    """
    model = task.version.model
    tables = predict_externally(task.patients, model.baseline, task.seed)
    as_it_is = tables["external"]
    if isinstance(as_it_is, str):
        raise TrainingDataError(as_it_is)
    works = {"designs": make_job(validate_externally, task.cohort, task.patients, tables, task.seed)}
    works |= make_landmark_measurements(task, predict_landmarks(task.cohort, model, task.seed), None)
    answers = None
    if task.champion is not None:
        rival = make_rival_jobs(task, task.champion)
        answers = pool.do({"champion": rival}, later=1 + len(works) + len(OUTCOMES))["champion"]
    measured = pool.do(works | make_remaining_jobs(task, as_it_is, answers))
    first = {name: measured[name] for name in OUTCOMES}
    landmarks = landmarks_of(measured)
    return Found(
        designs=measured["designs"],
        first=first,
        champion=measured.get("champion", {}),
        instability={},
        learning={},
        landmarks=landmarks,
        reproduced=None,
    )


def make_rival_jobs(task: Task, champion: Version) -> Work[Mapping[str, list[Answers]] | str]:
    """Let the champion answer; if it learned from these very patients, from memory, its procedure does."""
    if not (is_same_data(champion, task.cohort) or has_met(champion.model, task.cohort)):
        return make_champion_jobs(task.cohort, champion.model, None, task.seed)
    try:
        splits = [make_outer_splits(task.patients, task.seed)]
    except TrainingDataError as exc:
        why = f"the champion learned from these patients, and for its procedure there are no folds: {exc}"
        return Work([], lambda _: why)
    return make_champion_jobs(task.cohort, champion.model, splits, task.seed)

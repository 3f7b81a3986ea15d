"""What is validated on what, what comes of it, and the measurements that every validation makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joblib import delayed

from models.response_model import OUTCOMES
from training.bootstrap import repeats_of
from training.net_benefit import THRESHOLDS
from training.validation.champion import subtract_champion
from training.validation.first_design import measure_first
from training.validation.landmarks import measure_landmark
from training.validation.pool import Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.patients import Patients
    from training.validation.champion import Answers
    from training.validation.first_design import FirstDesign
    from training.validation.held_out import HeldOut
    from training.validation.results import Comparison, Design, Instability, LearningPoint
    from training.validation.version import Version

__all__ = [
    "Found",
    "Task",
    "landmarks_of",
    "make_job",
    "make_landmark_measurements",
    "make_remaining_jobs",
]


@dataclass(frozen=True)
class Task:
    """What is validated on what.

    Parameters
    ----------
    version : Version
    champion : Version or None
    cohort : Cohort
    patients : Patients
    weights : ndarray of shape (samples, n_known)
    seed : int
    """

    version: Version
    champion: Version | None
    cohort: Cohort
    patients: Patients
    weights: NDArray[np.float64]
    seed: int


@dataclass(frozen=True)
class Found:
    """What the fits and predictions gave, by outcome."""

    designs: Mapping[str, tuple[Design, ...]]
    first: Mapping[str, FirstDesign]
    champion: Mapping[str, Comparison]
    instability: Mapping[str, Instability]
    learning: Mapping[str, tuple[LearningPoint, ...]]
    landmarks: Mapping[str, tuple[Design, ...]]
    reproduced: tuple[bool, str] | None


def make_remaining_jobs(
    task: Task, table: pd.DataFrame, champion: Mapping[str, list[Answers]] | str | None
) -> dict[str, Work[Any]]:
    """Compare with the champion, and measure the first design's predictions of each outcome.

    Parameters
    ----------
    task : Task
    table : DataFrame
        The first design's predictions.
    champion : mapping, str or None
        What `make_champion_jobs` gave; None without a champion.

    Returns
    -------
    dict of str to Work
        `champion`, if there is one, and one for each outcome.
    """
    tables = {name: table[table["outcome"] == name] for name in OUTCOMES}
    works: dict[str, Work[Any]] = {}
    if champion is not None:
        # One repeat of both: the comparison is paired, and a second would take as long again.
        repeats = {name: repeats_of(part[part["repeat"] == 0]) for name, part in tables.items()}
        works["champion"] = make_job(subtract_champion, task.cohort, repeats, champion, task.weights)
    for name, part in tables.items():
        works[name] = make_job(measure_first, task.cohort, name, part, task.weights, THRESHOLDS[name])
    return works


def make_landmark_measurements(
    task: Task, predicted: Mapping[str, pd.DataFrame | str], folds: HeldOut | None
) -> dict[str, Work[Any]]:
    """Measure what was predicted at later landmarks, with keys for `landmarks_of`."""
    return {
        f"landmark {name}": make_job(measure_landmark, name, task.patients, table, folds, task.seed)
        for name, table in predicted.items()
    }


def landmarks_of(measured: Mapping[str, Any]) -> dict[str, tuple[Design, ...]]:
    """Give the designs of later landmarks, in the order of the course, by outcome."""
    found = [designs for key, designs in measured.items() if key.startswith("landmark ")]
    return {name: tuple(designs[name] for designs in found) for name in OUTCOMES}


def make_job(function: Any, *arguments: Any) -> Work[Any]:
    """Make a work of one job, whose result is the job's."""
    return Work([delayed(function)(*arguments)], lambda found: found[0])

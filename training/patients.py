"""What of a cohort goes into learning and validation, and the folds of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.preprocessing import EncodePredictors
from models.inputs import Inputs, TrainingSet
from models.response_model import OUTCOMES
from training.folds import make_splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from training.folds import Split

__all__ = ["OUTER_FOLDS", "Patients", "make_outer_splits", "training_sets"]

OUTER_FOLDS = 5


@dataclass(frozen=True)
class Patients:
    """What of a cohort goes into learning and validation.

    Parameters
    ----------
    cohort_file : CohortFile
    rows : ndarray of shape (n, m)
        Encoded rows.
    outcomes : mapping of str to ndarray of shape (n,)
        By name of the outcome: 0, 1, or NaN if the endpoint is missing.
    groups : ndarray of shape (n,) or None
    """

    cohort_file: CohortFile
    rows: NDArray[np.float64]
    outcomes: Mapping[str, NDArray[np.float64]]
    groups: NDArray[np.intp] | None

    @classmethod
    def from_cohort(cls, cohort: Cohort) -> Patients:
        """Take the patients of a cohort, in its order."""
        outcomes = {"response": cohort.response, "remission": cohort.remission}
        groups = None if cohort.groups is None else np.asarray(cohort.groups, dtype=np.intp)
        return cls(cohort.file, cohort.rows, outcomes, groups)

    @property
    def known(self) -> NDArray[np.intp]:
        """Indices of the patients whose endpoint was observed."""
        return np.flatnonzero(~np.isnan(self.outcomes["response"]))

    @property
    def known_groups(self) -> NDArray[np.intp] | None:
        """Groups of these patients; None without groups."""
        return None if self.groups is None else self.groups[self.known]

    def take(self, index: NDArray[np.intp]) -> Patients:
        """Keep some of the patients."""
        outcomes = {name: y[index] for name, y in self.outcomes.items()}
        groups = None if self.groups is None else self.groups[index]
        return Patients(self.cohort_file, self.rows[index], outcomes, groups)


def make_outer_splits(patients: Patients, seed: int) -> list[Split]:
    """Make outer folds of the patients with an endpoint; others are predicted in the fold of their group.

    Parameters
    ----------
    patients : Patients
    seed : int

    Returns
    -------
    list of Split
        Training rows have an endpoint; every patient is in one test part.
    """
    known = patients.known
    groups = patients.groups
    y = patients.outcomes["response"][known]
    splits = make_splits(y, None if groups is None else groups[known], OUTER_FOLDS, seed)
    unknown = np.setdiff1d(np.arange(len(patients.rows)), known)
    home = np.random.default_rng(seed).integers(len(splits), size=len(patients.rows))
    if groups is not None:
        for fold, (_, test) in enumerate(splits):
            home[np.isin(groups, groups[known[test]])] = fold
    return [
        (known[train], np.sort(np.concatenate([known[test], unknown[home[unknown] == fold]])))
        for fold, (train, test) in enumerate(splits)
    ]


def training_sets(known: Patients) -> dict[str, TrainingSet]:
    """Encode patients whose endpoint is known, by what they themselves teach.

    Parameters
    ----------
    known : Patients

    Returns
    -------
    dict of str to TrainingSet
        By outcome; all share one encoder.
    """
    inputs = Inputs(EncodePredictors(known.cohort_file).fit(known.rows), known.rows)
    return {name: TrainingSet(inputs, known.outcomes[name], known.groups) for name in OUTCOMES}

"""Models of later landmarks: the same patients and folds as at baseline, and what is known since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from models.response_model import OUTCOMES
from training.cross_validation import Validated, cross_validate
from training.patients import Patients

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.progress import Progress
    from training.reports import LandmarkReport

__all__ = ["LandmarkFit", "find_landmarks", "fit_landmark", "tables_of"]

_FEWEST: Final = 50  # patients with a value of the landmark and an endpoint: fewer teach nothing about it
_FEWEST_OF_CLASS: Final = 2


@dataclass(frozen=True)
class LandmarkFit:
    """What was fitted at a later landmark.

    Parameters
    ----------
    in_care : int
        Patients still in care then.
    with_endpoint : int
        Of them; those whom the model is learned from.
    observed : int
        Of those with an endpoint, with some predictor of this landmark observed.
    validated : Validated
        Out of fold, of the patients still in care only.
    outcomes : mapping of str to LandmarkReport
        Empty until measured.
    """

    in_care: int
    with_endpoint: int
    observed: int
    validated: Validated
    outcomes: Mapping[str, LandmarkReport]


def find_landmarks(cohort: Cohort) -> tuple[list[str], list[str]]:
    """Find the later landmarks that the cohort can teach something about.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    landmarks : list of str
        In the order of the course; those without a predictor of their own are passed over.
    warnings : list of str
        A sentence for each that is left out because hardly a value of it is observed.
    """
    found, warnings = [], []
    for landmark in cohort.file.landmarks[1:]:
        if not any(p.landmark == landmark for p in cohort.file.later_predictors):
            continue
        y = cohort.response[_observed(cohort, landmark)]
        rarer = int(min((y == 1).sum(), (y == 0).sum()))
        if (known := int((~np.isnan(y)).sum())) >= _FEWEST and rarer >= _FEWEST_OF_CLASS:
            found.append(landmark)
        else:
            warnings.append(
                f"Landmark {landmark}: left out. {known} patients with an endpoint have a value of it, "
                f"{rarer} of them in the rarer class; {_FEWEST} and {_FEWEST_OF_CLASS} are needed."
            )
    return found, warnings


def fit_landmark(
    cohort: Cohort,
    landmark: str,
    baseline: Validated,
    seed: int,
    only: str | None = None,
    progress: Progress | None = None,
) -> LandmarkFit:
    """Validate and fit the model of a later landmark, with the baseline's folds and candidates.

    Learned from the patients whose endpoint was observed, who are all still in care at any landmark. The
    baseline's first repeat is validated: a second one says little more and would take as long again.

    Parameters
    ----------
    cohort : Cohort
    landmark : str
    baseline : Validated
    seed : int
    only : str, optional
        Candidate that was fixed by the user.
    progress : callable, optional
        Called with the number of fits done and of all.

    Returns
    -------
    LandmarkFit

    References
    ----------
    van Houwelingen, Scand J Stat 2007;34:70-85 (landmark models).
    """
    patients = Patients.from_cohort(cohort.at(landmark))
    once = replace(baseline, splits=baseline.splits[:1])
    validated = cross_validate(patients, seed, only, progress=progress, like=once)
    in_care = cohort.in_care(landmark)
    table = validated.out_of_fold
    still_there = table[in_care[table["patient"].to_numpy()]].reset_index(drop=True)
    known = ~np.isnan(cohort.response)
    return LandmarkFit(
        int(in_care.sum()),
        int((in_care & known).sum()),
        int((_observed(cohort, landmark) & known).sum()),
        replace(validated, out_of_fold=still_there),
        {},
    )


def tables_of(validated: Validated) -> dict[str, pd.DataFrame]:
    """Split out-of-fold predictions by outcome."""
    table = validated.out_of_fold
    return {name: table[table["outcome"] == name] for name in OUTCOMES}


def _observed(cohort: Cohort, landmark: str) -> NDArray[np.bool_]:
    """Which patients have a value of a predictor that is known from this landmark on."""
    own = [p.landmark == landmark for p in cohort.file.later_predictors]
    return np.asarray((~np.isnan(cohort.later[:, own])).any(axis=1))

"""What a version's own cohort file declares to be judged, whatever the file says that it is validated with.

Groups, subgroups and landmarks are what gates look at one by one. A cohort file without them would switch
these gates off without a word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.cohort_file_model import BASELINE
from features.errors import UserError
from training.validation.external import find_differences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from training.patients import Patients

__all__ = ["check_same_description", "find_unmeasured", "with_declared_subgroups"]


def check_same_description(cohort_file: CohortFile, own: CohortFile) -> None:
    """Refuse another description of the data of the fit that declares less.

    Parameters
    ----------
    cohort_file : CohortFile
        With which they are to be validated.
    own : CohortFile
        Of the version.

    Raises
    ------
    UserError
        Naming what is no longer declared.
    """
    if lacking := list(_lacking(cohort_file, own)):
        raise UserError(
            "these are the data that the version was fitted on, and the cohort file describes them otherwise "
            f"than the version's own, which declares {', '.join(lacking)}: give the file of the fit"
        )


def with_declared_subgroups(cohort: Cohort, own: CohortFile) -> Cohort:
    """Give a cohort with the subgroups that the version's own file declares, cut as there, and its own more.

    Parameters
    ----------
    cohort : Cohort
        Of other patients, with the version's predictors.
    own : CohortFile
        Of the version.

    Returns
    -------
    Cohort
    """
    declared = {p.name: p.cuts for p in own.predictors if p.subgroup}
    predictors = tuple(
        replace(p, subgroup=True, cuts=declared[p.name]) if p.name in declared else p
        for p in cohort.file.predictors
    )
    return replace(cohort, file=replace(cohort.file, predictors=predictors))


def find_unmeasured(cohort: Cohort, patients: Patients, own: CohortFile) -> dict[str, str]:
    """Tell what may be without a figure although it is there, or is declared.

    Parameters
    ----------
    cohort : Cohort
    patients : Patients
        Of the cohort; without groups if all are of one.
    own : CohortFile
        Of the version.

    Returns
    -------
    dict of str to str
        By population of gates, the reason.
    """
    found = {}
    if patients.groups is not None:
        groups = len(np.unique(patients.groups[patients.known]))
        found["new_unit"] = (
            f"none of the {groups} groups ({cohort.file.group}) is large enough to be measured alone"
        )
    elif own.group is not None and cohort.file.group is None:
        found["new_unit"] = _say(f"group = {own.group!r}")
    gone = [name for name in own.landmarks if name != BASELINE and not _offers(cohort.file, own, name)]
    if gone:
        found["landmarks"] = _say(f"what is known at {', '.join(gone)}")
    return found


def _say(declared: str) -> str:
    return f"the version's cohort file declares {declared}, and the one given does not"


def _offers(cohort_file: CohortFile, own: CohortFile, landmark: str) -> bool:
    return landmark in cohort_file.landmarks and not find_differences(
        cohort_file.at(landmark), own.at(landmark)
    )


def _lacking(cohort_file: CohortFile, own: CohortFile) -> Iterator[str]:
    if own.group is not None and cohort_file.group != own.group:
        yield f"group = {own.group!r}"
    given = {p.name: p for p in cohort_file.predictors}
    for predictor in own.predictors:
        ours = given.get(predictor.name)
        if predictor.subgroup and (ours is None or (ours.subgroup, ours.cuts) != (True, predictor.cuts)):
            yield f"{predictor.name!r} a subgroup" + (
                f" cut at {list(predictor.cuts)}" if predictor.cuts else ""
            )
    for landmark in own.landmarks:
        if landmark != BASELINE and not _offers(cohort_file, own, landmark):
            yield f"what is known at {landmark!r}"

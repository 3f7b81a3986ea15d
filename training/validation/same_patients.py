"""Whether a version has learned from the patients that it is to be validated on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import binom

from features.errors import UserError
from models.learned_from import Recognised
from training.fit import data_digest
from training.validation.seen import see_as

if TYPE_CHECKING:
    from features.cohort import Cohort
    from models.care_model import CareModel
    from training.validation.version import Version

__all__ = ["check_strangers", "has_met", "is_same_data"]

_BY_CHANCE: Final = 1e-4
"""One cohort of strangers in so many is taken for acquaintances."""


def is_same_data(version: Version, cohort: Cohort) -> bool:
    """Whether the cohort is what the version was fitted on.

    A comment changed in the cohort file does not make other patients: the digest is compared with the text of
    the version's own file, too.

    Parameters
    ----------
    version : Version
    cohort : Cohort

    Returns
    -------
    bool
    """
    theirs = replace(cohort, file=version.model.cohort_file)
    return version.data_digest in (data_digest(cohort), data_digest(theirs))


def has_met(model: CareModel, cohort: Cohort) -> bool:
    """Whether more patients of a cohort look like those of the fit than chance explains.

    Parameters
    ----------
    model : CareModel
    cohort : Cohort
        Its cohort file may be another than the model's.

    Returns
    -------
    bool
        False of a model that does not say whom it learned from.
    """
    found = _recognise(model, cohort)
    return found is not None and _is_beyond_chance(found)


def check_strangers(model: CareModel, cohort: Cohort) -> None:
    """Refuse other data than those of the fit if the same patients are among them.

    What a model says of patients from whom it has learned is memory. They are recognised by what is known of
    them before treatment, in whatever order they stand, and whether or not more is known of them by now.

    Parameters
    ----------
    model : CareModel
        The version.
    cohort : Cohort
        Not the very data that it was fitted on.

    Raises
    ------
    UserError
        If they are, or if the version does not say whom it learned from, or what no fit would note.
    """
    found = _recognise(model, cohort)
    if found is None:
        raise UserError("the version does not say which patients it has learned from; fit it again")
    if model.learned_from is not None and not model.learned_from.is_possible:
        raise UserError("what the version says of whom it has learned from cannot be so; fit it again")
    if not _is_beyond_chance(found):
        return
    expected = found.chance * found.patients
    share = (found.hits - expected) / (found.patients - expected)
    raise UserError(
        f"the version has learned from about {share:.0%} of these patients ({found.hits} of {found.patients} "
        f"look like one of its own; by chance {expected:.0f} would), but these are not its data as they "
        "were: give the very table that it was fitted on, with its rows in the same order and the same "
        "cohort file, or patients from whom it has not learned"
    )


def _recognise(model: CareModel, cohort: Cohort) -> Recognised | None:
    if model.learned_from is None:
        return None
    known = ~np.isnan(cohort.response)
    rows = see_as(cohort, model.cohort_file).rows
    return model.learned_from.recognise(rows[known], cohort.baseline[known])


def _is_beyond_chance(found: Recognised) -> bool:
    return bool(binom.sf(found.hits - 1, found.patients, found.chance) < _BY_CHANCE)

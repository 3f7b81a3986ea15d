"""A cohort as another cohort file describes it: the champion's, or a version's at a later landmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from features.encoding import column_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile

__all__ = ["Seen", "see_as"]


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

"""The one numeric form of a patient, used by training, batch and service alike.

A row holds the baseline predictors in the order of the cohort file, then the plan if there is one: numbers
as they are, binary 0 or 1, the index of the level for ordinal, category and plan, NaN for a missing value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile

__all__ = ["column_names", "encode_frame", "encode_patient", "encode_values"]

_NAN = float("nan")


def column_names(cohort_file: CohortFile) -> tuple[str, ...]:
    """Name the columns of an encoded row.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    tuple of str
        The baseline predictors in the order of the file, then the plan column if there is one.
    """
    names = tuple(predictor.name for predictor in cohort_file.baseline_predictors)
    return names if cohort_file.plan is None else (*names, cohort_file.plan.column)


def encode_frame(cohort_file: CohortFile, checked_frame: pd.DataFrame) -> NDArray[np.float64]:
    """Encode a checked table.

    Parameters
    ----------
    cohort_file : CohortFile
    checked_frame : DataFrame
        From `features.schema.check_table`.

    Returns
    -------
    ndarray of shape (n, m)
        Columns as `column_names` says.
    """
    names = column_names(cohort_file)
    rows = np.empty((len(checked_frame), len(names)), dtype=np.float64, order="F")  # filled by column
    for j, name in enumerate(names):
        column = checked_frame[name]
        if column.dtype == "category":
            codes = column.cat.codes.to_numpy()
            rows[:, j] = np.where(codes < 0, np.nan, codes)  # pandas has -1 for a missing level
        else:
            rows[:, j] = column.to_numpy()
    return rows


def encode_patient(cohort_file: CohortFile, patient: Mapping[str, object], plan: str | None) -> list[float]:
    """Encode one patient whose values have been validated.

    Parameters
    ----------
    cohort_file : CohortFile
    patient : mapping
        Values by predictor; an absent one, or None, is missing. Numbers for kind "number", true or
        false (or 1 or 0) for "binary", one of the levels for "category" and "ordinal".
    plan : str or None
        One of the plan's levels; None if the cohort has no plan.

    Returns
    -------
    list of float
        As one row of `encode_frame`.

    Raises
    ------
    ValueError
        If a level or the plan is not one of the cohort file's.
    """
    values = [patient.get(predictor.name) for predictor in cohort_file.baseline_predictors]
    return encode_values(cohort_file, values, plan)


def encode_values(cohort_file: CohortFile, values: Iterable[object], plan: str | None) -> list[float]:
    """Encode one patient whose values have been validated, in the order of the baseline predictors.

    Parameters
    ----------
    cohort_file : CohortFile
    values : iterable, one for each baseline predictor
    plan : str or None

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        As `encode_patient`.
    """
    row: list[float] = []
    for predictor, value in zip(cohort_file.baseline_predictors, values, strict=True):
        if value is None:
            row.append(_NAN)
        elif predictor.levels:
            row.append(float(predictor.levels.index(str(value))))
        else:
            row.append(float(value))  # type: ignore[arg-type]  # validated: a number or a bool
    if cohort_file.plan_levels:
        row.append(float(cohort_file.plan_levels.index(plan or "")))
    return row

"""Encoded rows as trees take them: values as they are, missing ones included, a column for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from features.cohort_file import CohortFile

__all__ = ["expand_for_trees", "tree_column_sources"]


def tree_column_sources(cohort_file: CohortFile) -> NDArray[np.intp]:
    """Index, in an encoded row, of the column that each tree column comes from.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    ndarray of shape (n_tree_columns,)
    """
    return np.array([source for source, _ in _tree_columns(cohort_file)], dtype=np.intp)


def expand_for_trees(cohort_file: CohortFile, rows: ArrayLike) -> NDArray[np.float32]:
    """Encoded rows as trees take them: categories and plan as one column a level, NaN kept.

    Parameters
    ----------
    cohort_file : CohortFile
    rows : array of shape (n, m)

    Returns
    -------
    ndarray of float32, shape (n, n_tree_columns)
    """
    values = np.asarray(rows, dtype=np.float64)
    columns = _tree_columns(cohort_file)
    expanded = values[:, [source for source, _ in columns]].astype(np.float32)
    for i, (_, level) in enumerate(columns):
        if level is not None:
            code = expanded[:, i]
            expanded[:, i] = np.where(np.isnan(code), code, code == level)
    return expanded


def _tree_columns(cohort_file: CohortFile) -> list[tuple[int, int | None]]:
    levels = [len(p.levels) if p.kind == "category" else 0 for p in cohort_file.baseline_predictors]
    if cohort_file.plan is not None:
        levels.append(len(cohort_file.plan_levels))
    return [(j, k) for j, count in enumerate(levels) for k in (range(count) if count else [None])]

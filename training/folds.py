"""Splits that keep the share of responders and never part a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from features.errors import TrainingDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Split", "make_splits"]

Split = tuple["NDArray[np.intp]", "NDArray[np.intp]"]
"""Indices of training and of test rows."""


def make_splits(
    y: NDArray[np.float64], groups: NDArray[np.intp] | None, folds: int, seed: int
) -> list[Split]:
    """Stratified folds that follow the groups; fewer than asked for if events or groups are few.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    groups : ndarray of shape (n,) or None
    folds : int
        Number of folds wanted.
    seed : int

    Returns
    -------
    list of (training rows, test rows)

    Raises
    ------
    TrainingDataError
        If not even two folds can be made in which both classes can be learned.
    """
    rarer = int(min(y.sum(), len(y) - y.sum()))
    most = rarer if groups is None else min(rarer, len(np.unique(groups)))
    count = min(folds, most)
    if count < 2:
        raise TrainingDataError(
            f"cannot cross-validate: {rarer} patients in the rarer class"
            + ("" if groups is None else f" and {len(np.unique(groups))} groups")
            + "; at least 2 of each are needed"
        )
    splitter = (StratifiedKFold if groups is None else StratifiedGroupKFold)(
        count, shuffle=True, random_state=seed
    )
    blank = np.zeros((len(y), 1))
    splits = [(train, test) for train, test in splitter.split(blank, y, groups) if len(test)]
    if any(y[train].min() == y[train].max() for train, _ in splits):
        raise TrainingDataError(
            "cannot cross-validate: all patients of one class are in one group, so that the other groups "
            "have nothing to learn it from; join groups or leave `group` out of the cohort file"
        )
    return splits

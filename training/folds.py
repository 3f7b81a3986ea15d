"""Splits that keep the share of responders and never part a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold

from features.errors import TrainingDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Split", "fold_seed", "make_splits"]

_DRAWS = 20

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
    if groups is None:
        splits = list(StratifiedKFold(count, shuffle=True, random_state=seed).split(y[:, None], y))
    else:
        splits = _split_groups(y, groups, count, seed)
    if any(y[train].min() == y[train].max() for train, _ in splits):
        raise TrainingDataError(
            "cannot cross-validate: all patients of one class are in one group, so that the other groups "
            "have nothing to learn it from; join groups or leave `group` out of the cohort file"
        )
    return splits


def fold_seed(seed: int, repeat: int, fold: int) -> int:
    """Make the seed of one outer fold of one repeat: whoever learns in it learns alike.

    Parameters
    ----------
    seed : int
        Of the whole validation.
    repeat, fold : int
        Counted from 0; fewer than 1,000 folds a repeat, or seeds are the same.

    Returns
    -------
    int

    Examples
    --------
    >>> fold_seed(7, 0, 3)
    1010
    """
    return seed + 1000 * (repeat + 1) + fold


def _split_groups(y: NDArray[np.float64], groups: NDArray[np.intp], count: int, seed: int) -> list[Split]:
    """Random folds of whole groups: of twenty draws, the one that is most even in patients and events.

    scikit-learn's StratifiedGroupKFold deals groups out in a fixed order, so that with few groups every
    seed gives the same folds, and a repeated cross-validation repeats nothing.
    """
    seeds = np.random.default_rng(seed).integers(2**31, size=_DRAWS)
    draws = [list(GroupKFold(count, shuffle=True, random_state=int(s)).split(y, y, groups)) for s in seeds]

    def unevenness(splits: list[Split]) -> float:
        patients = np.array([len(test) for _, test in splits]) / len(y)
        events = np.array([y[test].sum() for _, test in splits]) / y.sum()
        return float(patients.std() + events.std())

    return min(draws, key=unevenness)

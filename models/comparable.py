"""Groups of comparable patients, and how many of each were on each plan.

A regression tree on the baseline predictors parts the training patients into groups that are alike in
which plan they were put on and in what was expected of them. Only the groups' borders and counts are kept,
and no group is smaller than `SMALLEST_GROUP`: no patient can be read from a saved model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SMALLEST_GROUP", "ComparableGroups", "fit_comparable_groups"]

SMALLEST_GROUP: Final = 50
_WANTED: Final = 20  # patients on the rarest plan that a group should hold on average
_LARGEST_SHARE: Final = 0.125  # of all patients: at least some eight groups, however rare a plan is
_LEAF: Final = -1


@dataclass(frozen=True)
class ComparableGroups:
    """A tree whose leaves count patients by plan.

    Parameters
    ----------
    left, right : ndarray of int, shape (n_nodes,)
        Children; -1 at a leaf.
    feature : ndarray of int, shape (n_nodes,)
        Column of an encoded row that a node looks at.
    threshold : ndarray of shape (n_nodes,)
        Values up to it go left.
    missing_left : ndarray of bool, shape (n_nodes,)
        Where a missing value goes.
    counts : ndarray of int, shape (n_nodes, n_plans)
        Training patients in the node on each plan.
    ranges : ndarray of shape (n_plans, n_predictors, 2)
        Lowest and highest value of the numbers that a plan's patients speak for: one standard deviation
        beyond their 1st and 99th percentile. Infinite where there is no such limit.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    counts: NDArray[np.intp]
    ranges: NDArray[np.float64]

    def leaf(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """Node of each patient's group, shape (n,)."""
        node = np.zeros(len(rows), dtype=np.intp)
        index = np.arange(len(rows))
        while (inner := self.left[node] != _LEAF).any():
            # float32, as the tree was grown: a value at a border must fall on the same side.
            value = rows[index, self.feature[node]].astype(np.float32)
            goes_left = np.where(np.isnan(value), self.missing_left[node], value <= self.threshold[node])
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
        return node

    def count(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """Comparable patients on each plan.

        Parameters
        ----------
        rows : ndarray of shape (n, m)
            Encoded patients; their own plan is of no account.

        Returns
        -------
        ndarray of int, shape (n, n_plans)
            Training patients of the same group on the plan; 0 on a plan whose patients speak for no
            value as high or as low as one of this patient's.
        """
        values = rows[:, None, : self.ranges.shape[1]]
        outside = (values < self.ranges[..., 0]) | (values > self.ranges[..., 1])  # False where missing
        counted: NDArray[np.intp] = np.where(outside.any(axis=2), 0, self.counts[self.leaf(rows)])
        return counted


def fit_comparable_groups(
    rows: NDArray[np.float64],
    n_plans: int,
    numbers: NDArray[np.intp],
    expected: NDArray[np.float64],
) -> ComparableGroups:
    """Part training patients into groups.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        Encoded patients with a known endpoint, the plan in the last column.
    n_plans : int
    numbers : ndarray of int
        Columns that hold numbers, for which ranges are kept.
    expected : ndarray of shape (n, n_plans)
        Logit of response that the model expects on each plan.

    Returns
    -------
    ComparableGroups
    """
    from sklearn.tree import DecisionTreeRegressor  # a service, which only counts, starts without it

    plans = rows[:, -1].astype(np.intp)
    on_plan = (plans[:, None] == np.arange(n_plans)).astype(np.float64)
    # Choice and expectation weigh the same: each block is scaled to a total variance of one.
    target = np.column_stack([_to_unit_variance(on_plan), _to_unit_variance(expected)])
    predictors = rows[:, :-1]
    rarest = max(1, int(on_plan.sum(axis=0)[on_plan.any(axis=0)].min()))
    wanted = min(_WANTED * len(rows) / rarest, _LARGEST_SHARE * len(rows))
    smallest = int(max(SMALLEST_GROUP, wanted))
    tree = DecisionTreeRegressor(min_samples_leaf=smallest, random_state=0).fit(predictors, target).tree_
    passed = np.asarray(tree.decision_path(predictors.astype(np.float32)).todense(), dtype=np.float64)
    counts = np.rint(passed.T @ on_plan).astype(np.intp)
    return ComparableGroups(
        tree.children_left.astype(np.intp),
        tree.children_right.astype(np.intp),
        np.maximum(tree.feature, 0).astype(np.intp),
        tree.threshold.astype(np.float64),
        tree.missing_go_to_left.astype(bool),
        counts,
        np.stack([_ranges(predictors[plans == plan], numbers) for plan in range(n_plans)]),
    )


def _to_unit_variance(block: NDArray[np.float64]) -> NDArray[np.float64]:
    total = block.var(axis=0).sum()
    scaled: NDArray[np.float64] = block / np.sqrt(total) if total > 0 else block
    return scaled


def _ranges(values: NDArray[np.float64], numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    ranges = np.tile([-np.inf, np.inf], (values.shape[1], 1))
    for j in numbers:
        seen = values[~np.isnan(values[:, j]), j]
        if len(seen):
            low, high = np.quantile(seen, (0.01, 0.99))
            ranges[j] = low - seen.std(), high + seen.std()
    return ranges

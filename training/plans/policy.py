"""Choosing plans: what the model's choice, a shallow tree's, or one plan for all would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from features.encoding import column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile

__all__ = ["PolicyTree", "choose_plans"]

_DEPTH: Final = 2  # at most three questions are read at a glance, and four groups
_SMALLEST_SHARE: Final = 0.05


def choose_plans(expected: NDArray[np.float64], sufficient: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Take the plan with the highest expected response, for each patient.

    Parameters
    ----------
    expected : ndarray of shape (n, n_plans)
    sufficient : ndarray of bool, shape (n, n_plans)
        Plans that may be chosen; where none may, all may.

    Returns
    -------
    ndarray of int, shape (n,)
    """
    allowed = sufficient | ~sufficient.any(axis=1, keepdims=True)
    chosen: NDArray[np.intp] = np.where(allowed, expected, -np.inf).argmax(axis=1)
    return chosen


@dataclass(frozen=True)
class PolicyTree:
    """An interpretable policy: a tree on the baseline predictors with a plan at each leaf.

    It is grown on what the model expects of the training patients on each plan, so that it is the model's
    choice told in a few words, and is valued on other patients.

    Parameters
    ----------
    tree : DecisionTreeRegressor
    plan_of : ndarray of int, shape (n_nodes,)
        Index of each node's plan.
    """

    tree: DecisionTreeRegressor
    plan_of: NDArray[np.intp]

    @classmethod
    def fit(cls, rows: NDArray[np.float64], expected: NDArray[np.float64]) -> Self:
        """Grow the tree.

        Parameters
        ----------
        rows : ndarray of shape (n, m)
            Encoded training patients, the plan in the last column.
        expected : ndarray of shape (n, n_plans)
            Probability of response on each plan.

        Returns
        -------
        PolicyTree
        """
        gain = expected - expected.mean(axis=1, keepdims=True)  # what the choice changes, not the prognosis
        tree = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=_SMALLEST_SHARE, random_state=0)
        tree.fit(rows[:, :-1], gain)
        return cls(tree, tree.tree_.value[:, :, 0].argmax(axis=1))

    def choose(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """Index of each patient's plan, shape (n,)."""
        chosen: NDArray[np.intp] = self.plan_of[self.tree.apply(rows[:, :-1])]
        return chosen

    def describe(self, cohort_file: CohortFile) -> str:
        """Write the tree as indented rules that end in a plan.

        Parameters
        ----------
        cohort_file : CohortFile

        Returns
        -------
        str
        """
        tree, names = self.tree.tree_, column_names(cohort_file)
        lines: list[str] = []

        def write(node: int, depth: int) -> None:
            indent = "  " * depth
            if tree.children_left[node] < 0 or len(np.unique(self._leaves(node))) == 1:
                lines.append(f"{indent}{cohort_file.plan_levels[self._leaves(node)[0]]}")
                return
            low, high = _sides(cohort_file, int(tree.feature[node]), float(tree.threshold[node]))
            unknown = " or not known"
            goes_left = bool(tree.missing_go_to_left[node])
            name = names[tree.feature[node]]
            lines.append(f"{indent}if {name} is {low}{unknown if goes_left else ''}:")
            write(int(tree.children_left[node]), depth + 1)
            lines.append(f"{indent}if {name} is {high}{'' if goes_left else unknown}:")
            write(int(tree.children_right[node]), depth + 1)

        write(0, 0)
        return "\n".join(lines)

    def _leaves(self, node: int) -> list[int]:
        """Plans of the leaves under a node."""
        left, right = (
            int(side[node]) for side in (self.tree.tree_.children_left, self.tree.tree_.children_right)
        )
        if left < 0:
            return [int(self.plan_of[node])]
        return self._leaves(left) + self._leaves(right)


def _sides(cohort_file: CohortFile, column: int, threshold: float) -> tuple[str, str]:
    """What lies on the two sides of a threshold, in words."""
    predictor = cohort_file.baseline_predictors[column]
    if predictor.kind == "binary":
        return "no", "yes"
    if predictor.levels:
        first = int(np.floor(threshold)) + 1
        return " or ".join(predictor.levels[:first]), " or ".join(predictor.levels[first:])
    return f"at most {threshold:.4g}", f"above {threshold:.4g}"

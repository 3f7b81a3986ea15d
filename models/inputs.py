"""What a fitted model reads of patients: encoded rows, and the columns made from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from features.tree_columns import expand_for_trees
from models.uncertainty import Ridge, Uncertainty, fit_ridge, fit_uncertainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.encoder import Encoder

__all__ = ["Inputs", "TrainingSet"]


@dataclass(frozen=True)
class Inputs:
    """Encoded rows with the columns that linear models and trees make of them, made once.

    Parameters
    ----------
    encoder : Encoder
        Fitted on training rows.
    rows : ndarray of shape (n, m)
        Encoded rows (`features.encoding`), NaN where a value is missing.
    """

    encoder: Encoder
    rows: NDArray[np.float64]

    @cached_property
    def base(self) -> NDArray[np.float64]:
        """Scaled columns for linear models, shape (n, n_base)."""
        return self.encoder.base_columns(self.rows)

    @cached_property
    def with_intercept(self) -> NDArray[np.float64]:
        """A column of ones, then the base columns, shape (n, 1 + n_base)."""
        columns = np.empty((len(self.rows), 1 + self.base.shape[1]))
        columns[:, 0] = 1.0
        columns[:, 1:] = self.base
        return columns

    @cached_property
    def trees(self) -> NDArray[np.float32]:
        """Columns for trees, shape (n, n_tree_columns)."""
        return expand_for_trees(self.encoder.cohort_file, self.rows)

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Which predictors are missing, shape (n, n_predictors)."""
        return np.isnan(self.rows[:, : self.encoder.n_predictors_])

    @cached_property
    def plans(self) -> NDArray[np.intp]:
        """Index of each row's plan, shape (n,); 0 without plans."""
        if not self.encoder.n_plans_:
            return np.zeros(len(self.rows), dtype=np.intp)
        return self.rows[:, -1].astype(np.intp)

    @cached_property
    def repeated(self) -> bool:
        """Whether each patient stands there once on every plan, in the order of the plans."""
        every = np.arange(self.encoder.n_plans_)
        if len(every) < 2 or len(self.rows) % len(every):
            return False
        return bool((self.plans.reshape(-1, len(every)) == every).all())

    @cached_property
    def by_plan(self) -> list[tuple[int, slice | NDArray[np.intp]]]:
        """Each plan that occurs, with its rows."""
        if len(self.rows) == 1 or not self.encoder.n_plans_:
            return [(int(self.plans[0]), slice(None))] if len(self.rows) else []
        if self.repeated:  # a slice is a view, where an index would copy
            return [(plan, slice(plan, None, self.encoder.n_plans_)) for plan in range(self.encoder.n_plans_)]
        return [(int(plan), np.flatnonzero(self.plans == plan)) for plan in np.unique(self.plans)]

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Inputs:
        """Some of the rows, with the columns that were made of them already."""
        taken = Inputs(self.encoder, self.rows[index])
        for name in _COLUMNS:
            if name in self.__dict__:
                taken.__dict__[name] = self.__dict__[name][index]  # where `cached_property` looks
        return taken

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)


_COLUMNS: Final = ("base", "with_intercept", "trees", "missing", "plans")


@dataclass(frozen=True)
class TrainingSet:
    """Patients to learn one outcome from.

    Parameters
    ----------
    inputs : Inputs
        With an encoder fitted on these very rows.
    y : ndarray of shape (n,)
        0 or 1.
    groups : ndarray of shape (n,) or None
        Index of the group (site, cluster) of each row.
    """

    inputs: Inputs
    y: NDArray[np.float64]
    groups: NDArray[np.intp] | None = None

    @cached_property
    def design(self) -> NDArray[np.float64]:
        """Design matrix of linear models, shape (n, n_design)."""
        return self.inputs.encoder.design(self.inputs.rows)

    @cached_property
    def plan_shares(self) -> NDArray[np.float64]:
        """Share of the rows on each plan, shape (n_plans,), or [1.0] without plans."""
        count = np.bincount(self.inputs.plans, minlength=max(1, self.inputs.encoder.n_plans_))
        shares: NDArray[np.float64] = count / count.sum()
        return shares

    @cached_property
    def ridge(self) -> Ridge:
        """Ridge logistic regression on these patients."""
        return fit_ridge(self)

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """Posterior of that regression, folded for predictions."""
        return fit_uncertainty(self)

"""A design matrix with a block of columns for each plan and each group, never written out.

Written out, every row is zero on all plans but its own: with five plans, three quarters of the matrix.
Products with it need only the base columns, plan by plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PlanDesign"]

_CHUNK = 8_192  # rows that are weighted at a time: a weighted copy of all would not fit the cache


@dataclass(frozen=True)
class PlanDesign:
    """Columns: the base's, then those of each plan and of drugs that plans share, then one a group.

    Parameters
    ----------
    base : ndarray of shape (n, n_base)
        Columns that hold on every plan, the intercept's ones first.
    plans : ndarray of shape (n,)
        Index of each row's plan.
    own : tuple of ndarray of shape (k, n_terms)
        For each plan, k sets of columns (its own; its drug's): the i-th of a set is base column i for rows
        on that plan.
    groups : ndarray of shape (n,) or None
        Index of each row's group, counted from 0.
    n_groups : int
        Number of groups, with or without rows.

    Examples
    --------
    >>> base = np.array([[1.0, 2.0], [1.0, 3.0]])
    >>> design = PlanDesign(base, np.array([0, 1]), (np.array([[2]]), np.array([[3]])))
    >>> design.times(np.array([1.0, 10.0, 100.0, 1000.0]))
    array([ 121., 1031.])
    """

    base: NDArray[np.float64]
    plans: NDArray[np.intp]
    own: tuple[NDArray[np.intp], ...] = ()
    groups: NDArray[np.intp] | None = None
    n_groups: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.base), self._first_group + self.n_groups

    def take(self, step: int) -> PlanDesign:
        """Every `step`-th row; groups keep their columns, even those left without rows."""
        groups = None if self.groups is None else self.groups[::step]
        return PlanDesign(self.base[::step], self.plans[::step], self.own, groups, self.n_groups)

    def times(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Product with one coefficient a column, shape (n,)."""
        result = np.empty(len(self.base))
        for part in self._parts:
            weights = beta[: part.base.shape[1]].copy()
            weights[: part.own.shape[1]] += beta[part.own].sum(axis=0)
            result[part.rows] = part.base @ weights
        if self.groups is not None:
            result += beta[self._first_group :][self.groups]
        return result

    def transposed_times(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Product of the transposed matrix with one value a row, shape (n_columns,)."""
        result = np.zeros(self.shape[1])
        for part in self._parts:
            sums = values[part.rows] @ part.base
            result[: len(sums)] += sums
            result[part.own] += sums[: part.own.shape[1]]
        if self.groups is not None:
            result[self._first_group :] = np.bincount(self.groups, values, self.n_groups)
        return result

    def gram(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """X' diag(weight) X, shape (n_columns, n_columns)."""
        first = self._first_group
        result = np.zeros((self.shape[1], self.shape[1]))
        for part in self._parts:
            rooted = part.base * np.sqrt(weight[part.rows])[:, None]
            inner = rooted.T @ rooted  # a matrix times its own transpose costs half of a general product
            for a, from_a in part.runs:
                for b, from_b in part.runs:
                    result[a, b] += inner[from_a, from_b]
            if part.member is not None:
                across = np.asarray(part.member @ (part.base * weight[part.rows][:, None]))
                for a, from_a in part.runs:
                    result[first:, a] += across[:, from_a]
        if self.groups is not None:
            result[:first, first:] = result[first:, :first].T
            diagonal = np.arange(first, len(result))
            result[diagonal, diagonal] = np.bincount(self.groups, weight, self.n_groups)
        return result

    @property
    def _first_group(self) -> int:
        return int(max([self.base.shape[1] - 1, *(own.max() for own in self.own)])) + 1

    @cached_property
    def _parts(self) -> list[_Part]:
        """Rows of each plan in pieces, copied once, with what does not change from product to product."""
        parts = []
        size = self.base.shape[1]
        for plan, own in enumerate(self.own or (np.zeros((0, 0), dtype=np.intp),)):
            rows = np.flatnonzero(self.plans == plan) if self.own else np.arange(len(self.base))
            runs = [run for columns in (np.arange(size), *own) for run in _runs(columns)]
            for start in range(0, len(rows), _CHUNK):
                piece = rows[start : start + _CHUNK]
                parts.append(_Part(piece, self.base[piece], own, runs, self._member(piece)))
        return parts

    def _member(self, rows: NDArray[np.intp]) -> csr_array | None:
        """Which of the rows are of which group: of shape (n_groups, n_rows)."""
        if self.groups is None:
            return None
        place = (self.groups[rows], np.arange(len(rows)))
        return csr_array((np.ones(len(rows)), place), shape=(self.n_groups, len(rows)))


def _runs(columns: NDArray[np.intp]) -> list[tuple[slice, slice]]:
    """Runs of neighbouring columns, and where each run stands: slices are added many times faster."""
    starts = np.flatnonzero(np.diff(columns, prepend=-2) != 1).tolist()
    lengths = np.diff(starts, append=len(columns)).tolist()
    first = columns[starts].tolist()
    return [
        (slice(column, column + length), slice(start, start + length))
        for column, start, length in zip(first, starts, lengths, strict=True)
    ]


class _Part(NamedTuple):
    """Some rows of one plan; each run is columns of the design, and the same as columns of the base."""

    rows: NDArray[np.intp]
    base: NDArray[np.float64]
    own: NDArray[np.intp]
    runs: list[tuple[slice, slice]]
    member: csr_array | None

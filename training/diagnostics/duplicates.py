"""Patients who stand in the table twice: then one may be learned from and the other tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import poisson

from training.diagnostics.columns import resampling_groups
from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.diagnostics.columns import Column

__all__ = ["CHECK", "find_duplicates", "nearly_identical"]

CHECK: Final = "duplicates"

_MAY_DIFFER: Final = 10  # one value in so many
_MARGIN: Final = 20.0  # bits: by chance one such pair in a million cohorts, if columns were independent
_DEPENDENCE: Final = 100.0  # columns are not: so many times more chance matches are allowed for
_CERTAIN: Final = 1e-3
_MOST_PAIRS: Final = 2_000_000
_SEVERE_SHARE: Final = 0.01  # of the patients, for pairs that differ somewhere


class _Pairs(NamedTuple):
    """Pairs of patients, and in how many values each differs."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    differ: NDArray[np.intp]


def find_duplicates(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find patients who share all, or at least nine tenths, of their values, plan and scores included.

    Two patients may agree by chance: with few or coarse columns, many do. Identical ones are reported where
    there are more than chance makes; nearly identical ones where what they share is rare enough (the sum over
    columns of `-log2(frequency of the value)`, as in record linkage), whatever the columns' number.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        Severe if patients are identical, or nearly identical ones are at least 1 % of the cohort and not all
        within one group.

    References
    ----------
    Fellegi and Sunter, J Am Stat Assoc 1969;64:1183-1210 (record linkage).
    """
    codes = _encode(columns, cohort)
    pairs = _join(_identical(codes), nearly_identical(codes))
    if not len(pairs.first):
        return
    exact = int((pairs.differ == 0).sum())
    patients = len(np.union1d(pairs.first, pairs.second))
    groups = resampling_groups(cohort)
    apart = len(pairs.first) if groups is None else int((groups[pairs.first] != groups[pairs.second]).sum())
    near = (
        f"; {len(pairs.first) - exact} differ in up to {pairs.differ.max()} values"
        if pairs.differ.any()
        else ""
    )
    where = "may fall into different folds" if groups is None else f"are in different {cohort.file.group}s"
    yield Finding(
        CHECK,
        exact > 0 or (apart > 0 and patients >= _SEVERE_SHARE * len(cohort.rows)),
        "rows",
        f"{len(pairs.first)} pairs of rows ({patients} of {len(cohort.rows)} patients) are too alike to be "
        f"different patients: {exact} agree in all {codes.shape[1]} values{near}; {apart} pairs {where}.",
        "Keep one row a patient, or name the patient's column as `group` if courses of treatment are meant.",
    )


def _encode(columns: Sequence[Column], cohort: Cohort) -> NDArray[np.intp]:
    """Number the values of each column, a gap being a value too; shape (n, m)."""
    values = [column.values for column in columns]
    if cohort.file.plan is not None:
        values.append(cohort.rows[:, -1])
    if all(column.name != cohort.file.outcome.baseline for column in columns):
        values.append(cohort.baseline)
    values.append(cohort.endpoint)
    return np.column_stack([np.unique(value, return_inverse=True)[1] for value in values])


def _identical(codes: NDArray[np.intp]) -> _Pairs:
    """Identical rows, each with the first of its kind, if there are more than chance makes."""
    _, start, index = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    first = start[index.ravel()]
    second = np.flatnonzero(first != np.arange(len(codes)))
    matches = [float(((np.bincount(column) / len(codes)) ** 2).sum()) for column in codes.T]
    by_chance = _DEPENDENCE * len(codes) ** 2 / 2 * float(np.prod(matches))
    if not len(second) or poisson.sf(len(second) - 1, by_chance) > _CERTAIN:
        second = second[:0]
    return _Pairs(first[second], second, np.zeros(len(second), dtype=np.intp))


def nearly_identical(codes: NDArray[np.intp]) -> _Pairs:
    """Pairs that differ in some values, in one of ten at most.

    Columns are dealt into one block more than values may differ: then a pair agrees in a whole block, and
    only rows that share one are compared. Where so many rows share one that it would take long, fewer
    values may differ.

    Parameters
    ----------
    codes : ndarray of int, shape (n, m)
        Numbered values of each column.

    Returns
    -------
    first, second, differ : ndarray of int
        `first` below `second`; identical pairs are not among them.
    """
    n, m = codes.shape
    rarity = np.column_stack([-np.log2(np.bincount(column) / n)[column] for column in codes.T])
    # Columns that tell patients apart best are dealt first, so that each block has some.
    order = np.argsort(-rarity.mean(axis=0), kind="stable")
    for allowed in range(m // _MAY_DIFFER, 0, -1):
        candidates = _share_a_block(codes, [order[i :: allowed + 1] for i in range(allowed + 1)])
        if candidates is not None:
            break
    else:
        return _Pairs(*(np.empty(0, dtype=np.intp),) * 3)
    first, second = candidates
    same = codes[first] == codes[second]
    differ = m - same.sum(axis=1)
    shared = (rarity[first] * same).sum(axis=1)
    alike = (differ > 0) & (differ <= allowed) & (shared > 2 * np.log2(n) + _MARGIN)
    return _Pairs(first[alike], second[alike], differ[alike])


def _share_a_block(
    codes: NDArray[np.intp], blocks: list[NDArray[np.intp]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Pairs of rows that agree in a block; None if they are too many to compare."""
    n = len(codes)
    found = []
    for block in blocks:
        index = np.unique(codes[:, block], axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(index, kind="stable")
        sizes = np.bincount(index)
        if (sizes * (sizes - 1) // 2).sum() > _MOST_PAIRS:
            return None
        end = np.repeat(np.cumsum(sizes), sizes)  # where the run of rows ends that a sorted row is in
        step = np.arange(1, int(sizes.max()))
        for shift in step:
            left = np.flatnonzero(np.arange(n) + shift < end)
            pair = np.sort(np.column_stack([order[left], order[left + shift]]), axis=1)
            found.append(pair[:, 0] * n + pair[:, 1])
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.intp)
    return keys // n, keys % n


def _join(one: _Pairs, other: _Pairs) -> _Pairs:
    return _Pairs(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))

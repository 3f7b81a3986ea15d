"""How groups (sites, clusters) differ: columns that shift between them, or stand still within them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import norm

from training.diagnostics.columns import resampling_groups
from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.diagnostics.columns import Column

__all__ = ["CONSTANT", "SHIFT", "find_constant_by_group", "find_shifts"]

CONSTANT: Final = "constant_by_group"
SHIFT: Final = "group_shift"

_FEWEST: Final = 10  # patients of a group with a value
_LARGE: Final = 0.50  # standardised mean difference: "medium" of Cohen, five times what counts as balanced
_SHOWN: Final = 3
_BY_CHANCE: Final = 0.001


def find_shifts(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find predictors whose distribution in a group is far from that in the others.

    The effect size is the standardised mean difference of the group from all other patients: for numbers of
    the values, for levels of the share of each level, the largest. A notice: what was learned elsewhere may
    not hold there, which the designs of validation that hold groups out show.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        At most one, naming the largest differences; those count that are above 0.50 with the whole of their
        interval above 0.25 (95 % over all columns and groups).

    References
    ----------
    Austin, Stat Med 2009;28:3083-3107 (standardised difference; 0.1 as balanced).
    """
    groups = resampling_groups(cohort)
    if groups is None:
        return
    present = np.unique(groups)
    z = float(norm.ppf(1 - 0.025 / (len(columns) * len(present))))
    found = []
    for column in columns:
        sizes = [(_difference(column, groups == group, z), group) for group in present]
        value, low, group = max((size[0], size[1], group) for size, group in sizes)
        if value > _LARGE and low > _LARGE / 2:
            found.append((value, column.name, low, int(group)))
    if not found:
        return
    found.sort(reverse=True)
    shown = "; ".join(
        f"{name} in {_name(cohort, group)}: {value:.2f} (at least {low:.2f})"
        for value, name, low, group in found[:_SHOWN]
    )
    yield Finding(
        SHIFT,
        False,
        ", ".join(name for _, name, _, _ in found),
        f"{len(found)} of {len(columns)} predictors differ in some {cohort.file.group} from the others by "
        f"more than {_LARGE:.1f} standard deviations; the largest: {shown}.",
        "Look whether it is measured alike everywhere, and at the validation that holds groups out.",
    )


def find_constant_by_group(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find predictors that do not vary within groups, or are recorded in some groups only.

    They tell which group a patient is from. In a new group they say what was seen of a handful of groups, not
    of all those patients.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        A notice for each predictor. The plan may be given by group: that is a design, not a fault.
    """
    groups = resampling_groups(cohort)
    if groups is None:
        return
    sizes = np.bincount(groups)
    present = np.flatnonzero(sizes >= _FEWEST)
    if len(present) < 2:
        return
    for column in columns:
        values = [column.values[groups == group] for group in present]
        seen = [v[~np.isnan(v)] for v in values]
        if empty := _never_recorded(column, values):
            evidence = (
                f"It is never recorded in {empty} of {len(seen)} groups of at least {_FEWEST} patients."
            )
        elif _constant_within(seen):
            evidence = (
                f"In each of {len(seen)} groups of at least {_FEWEST} patients it has one value, and "
                f"{len(np.unique(np.concatenate(seen)))} values over all groups."
            )
        else:
            continue
        advice = "It stands for the group; leave it out, or trust the validation that holds groups out alone."
        yield Finding(CONSTANT, False, column.name, evidence, advice)


def _never_recorded(column: Column, values: list[NDArray[np.float64]]) -> int:
    """Count the groups without a value; none if so rare a value may be missing there by chance."""
    gaps = float(np.isnan(column.values).mean())
    empty = [v for v in values if np.isnan(v).all()]
    if len(empty) == len(values):
        return 0
    return sum(gaps ** len(v) < _BY_CHANCE / len(values) for v in empty)


def _constant_within(seen: list[NDArray[np.float64]]) -> bool:
    if any(len(v) < 2 or (v != v[0]).any() for v in seen):
        return False
    return len({float(v[0]) for v in seen}) > 1


def _difference(column: Column, inside: NDArray[np.bool_], z: float) -> tuple[float, float]:
    """Standardised mean difference of a group from the others, and the lower end of its interval."""
    there = ~np.isnan(column.values)
    one, other = column.values[there & inside], column.values[there & ~inside]
    if min(len(one), len(other)) < _FEWEST:
        return 0.0, 0.0
    levels = np.unique(np.concatenate([one, other])) if column.categorical else [None]
    best = 0.0
    for level in levels:
        a, b = (one, other) if level is None else (one == level, other == level)
        spread = float(np.sqrt((a.var() + b.var()) / 2))
        gap = abs(float(a.mean() - b.mean()))
        best = max(best, gap / spread if spread > 0 else 0.0)
    # Variance of a standardised mean difference (Hedges and Olkin 1985, formula 5.14).
    error = np.sqrt(
        (len(one) + len(other)) / (len(one) * len(other)) + best**2 / (2 * (len(one) + len(other)))
    )
    return best, best - z * float(error)


def _name(cohort: Cohort, group: int) -> str:
    return f"{cohort.file.group} {cohort.group_names[group]}"

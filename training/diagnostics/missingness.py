"""Gaps that tell what nobody can know yet: that the endpoint is missing, or what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import norm

from models.response_model import OUTCOMES
from models.wilson import wilson_interval
from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.diagnostics.columns import Column

__all__ = ["MISSING_WITH", "TELLS", "compare_shares", "find_missing_with_endpoint", "find_telling_gaps"]

MISSING_WITH: Final = "missing_with_endpoint"
TELLS: Final = "missingness_tells"

_FEWEST: Final = 10  # patients on either side
_SEVERE: Final = 0.50  # difference of two shares, its lower end
_NOTABLE: Final = 0.20


def find_missing_with_endpoint(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find baseline predictors that are missing where the endpoint is: recorded at the same visit.

    A predictor of a later landmark is rightly missing in those who left before, and not looked at.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        Severe if the shares missing differ by more than 50 points (lower end of the 95 % interval, corrected
        for the number of predictors), a notice from 20 points.
    """
    lost = np.isnan(cohort.endpoint)
    for column in columns:
        missing = np.isnan(column.values)
        if column.later or not missing.any():
            continue
        difference = compare_shares(missing[lost], missing[~lost], len(columns))
        if difference is not None and difference[1] > _NOTABLE:
            yield Finding(
                MISSING_WITH,
                difference[1] > _SEVERE,
                column.name,
                f"Missing in {_share(missing[lost])} without an endpoint and in {_share(missing[~lost])} "
                f"with one ({_points(difference)}).",
                "It seems to be recorded with the endpoint: give it its landmark or leave it out.",
            )


def find_telling_gaps(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find predictors whose gaps tell the outcome: recorded because of it.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        Severe if the shares of patients with the outcome differ by more than 50 points between those with and
        without a value (lower end of the 95 % interval, corrected for the number of comparisons), a notice
        from 20 points.
    """
    tests = len(columns) * len(OUTCOMES)
    for column in columns:
        missing = np.isnan(column.values)
        found = []
        for outcome, y in zip(OUTCOMES, (cohort.response, cohort.remission), strict=True):
            known = ~np.isnan(y)
            with_gap, without = y[known & missing] == 1, y[known & ~missing] == 1
            difference = compare_shares(with_gap, without, tests)
            if difference is not None and difference[1] > _NOTABLE:
                found.append((difference[1], difference, outcome, with_gap, without))
        if not found:
            continue
        low, difference, outcome, with_gap, without = max(found, key=lambda entry: entry[0])
        yield Finding(
            TELLS,
            low > _SEVERE,
            column.name,
            f"{outcome.capitalize()} in {_share(with_gap)} without a value and in {_share(without)} with one "
            f"({_points(difference)}).",
            "Find out why it is missing; if it is recorded because of the outcome, leave it out.",
        )


def compare_shares(
    one: NDArray[np.bool_], other: NDArray[np.bool_], tests: int
) -> tuple[float, float, float] | None:
    """Size of a difference of two shares with its interval, 95 % over all tests (Bonferroni).

    Newcombe's method 10 (Stat Med 1998;17:873-890): Wilson's interval of each share, combined.

    Parameters
    ----------
    one, other : ndarray of bool
        Patients of each side; True counts.
    tests : int

    Returns
    -------
    value, low, high : float
        None with fewer than 10 patients on either side.
    """
    if min(len(one), len(other)) < _FEWEST:
        return None
    high_one = one.mean() >= other.mean()
    upper, lower = (one, other) if high_one else (other, one)
    z = float(norm.ppf(1 - 0.025 / tests))
    difference = float(upper.mean() - lower.mean())
    (low_1, high_1), (low_2, high_2) = (wilson_interval(side.sum(), len(side), z) for side in (upper, lower))
    low = difference - float(np.hypot(upper.mean() - low_1, high_2 - lower.mean()))
    high = difference + float(np.hypot(high_1 - upper.mean(), lower.mean() - low_2))
    return difference, low, high


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{int(hits.sum())} of {len(hits)}"


def _points(difference: tuple[float, float, float]) -> str:
    value, low, high = (100 * figure for figure in difference)
    return f"a difference of {value:.0f} points, {low:.0f} to {high:.0f}"

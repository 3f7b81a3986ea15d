"""Groups of comparable patients: counts are direct counts, holes are found, no patient can be read out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.comparable import SMALLEST_GROUP, ComparableGroups, fit_comparable_groups

NAN = float("nan")
NUMBERS = np.array([0, 1], dtype=np.intp)


def people(n: int = 2000, seed: int = 1) -> NDArray[np.float64]:
    """Age, BMI (a fifth missing), a binary, and one of three plans by chance."""
    rng = np.random.default_rng(seed)
    bmi = rng.normal(28, 5, n)
    bmi[rng.random(n) < 0.2] = NAN
    return np.column_stack(
        [rng.uniform(18, 85, n), bmi, rng.integers(0, 2, n), rng.integers(0, 3, n)]
    ).astype(float)


def fit(rows: NDArray[np.float64]) -> ComparableGroups:
    expected = np.column_stack([(rows[:, 0] - 50) / 40] * 3)
    return fit_comparable_groups(rows, 3, NUMBERS, expected)


def direct_count(groups: ComparableGroups, rows: NDArray[np.float64], one: NDArray[np.float64]) -> list[int]:
    """Count, patient by patient, those in the same leaf on each plan."""
    leaf = groups.leaf(one[None])[0]
    same = groups.leaf(rows) == leaf
    return [int((same & (rows[:, -1] == plan)).sum()) for plan in range(3)]


def test_counts_match_a_direct_count() -> None:
    rows = people()
    groups = fit(rows)
    middle = [row for row in people(50, 2) if 20 < row[0] < 83 and not abs(row[1] - 28) > 10]
    assert len(middle) > 30
    for one in middle:
        assert groups.count(one[None])[0].tolist() == direct_count(groups, rows, one)


def test_every_patient_is_in_one_group_and_none_is_small() -> None:
    rows = people()
    groups = fit(rows)
    leaves, sizes = np.unique(groups.leaf(rows), return_counts=True)
    assert len(leaves) > 2
    assert sizes.min() >= SMALLEST_GROUP
    assert groups.counts[leaves].sum() == len(rows)


@pytest.mark.parametrize("age", [70.0, 75.0, 80.0])
def test_a_patient_in_a_hole_has_no_comparable_patients_on_that_plan(age: float) -> None:
    rows = people(4000)
    rows = rows[~((rows[:, 0] > 65) & (rows[:, -1] == 1))]  # nobody over 65 was put on plan 1
    groups = fit(rows)
    count = groups.count(np.array([[age, 28.0, 1.0, 0.0]]))[0]
    assert count[1] == 0
    assert min(count[0], count[2]) >= 10
    younger = groups.count(np.array([[40.0, 28.0, 1.0, 0.0]]))[0]
    assert min(younger) >= 10


def test_a_hole_of_two_predictors_together_is_found() -> None:
    rows = people(6000)
    rows = rows[~((rows[:, 0] > 60) & (rows[:, 1] > 30) & (rows[:, -1] == 2))]
    groups = fit(rows)
    assert groups.count(np.array([[75.0, 35.0, 0.0, 0.0]]))[0, 2] < 10
    assert groups.count(np.array([[75.0, 24.0, 0.0, 0.0]]))[0, 2] >= 10
    assert groups.count(np.array([[30.0, 35.0, 0.0, 0.0]]))[0, 2] >= 10


def test_values_beyond_all_that_was_seen_leave_nobody_to_compare_with() -> None:
    groups = fit(people())
    assert groups.count(np.array([[50.0, 80.0, 0.0, 0.0]])).tolist() == [[0, 0, 0]]
    assert groups.count(np.array([[50.0, NAN, 0.0, 0.0]])).min() > 0  # not known is not beyond


def test_few_patients_are_one_group() -> None:
    rows = people(40)
    groups = fit(rows)
    assert len(groups.left) == 1
    assert groups.counts.tolist() == [np.bincount(rows[:, -1].astype(int), minlength=3).tolist()]

"""Learning curve: nested subsets of whole groups, and whether more patients help."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from tests.models.small import small_cohort
from tests.training.validation.work import do_work
from training.patients import Patients
from training.validation.learning import MEASURED, make_learning_jobs, make_subsets
from training.validation.results import LearningPoint

RIDGE = {"response": "ridge", "remission": "ridge"}


@cache
def curve(n: int, signal: float = 1.0) -> tuple[LearningPoint, ...]:
    patients = Patients.from_cohort(small_cohort(n, 1, signal=signal))
    return do_work(make_learning_jobs(patients, RIDGE, 5))["response"]


@pytest.mark.parametrize("seed", range(4))
def test_subsets_are_nested_and_hold_whole_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, train = rng.integers(0, 14, 400), np.sort(rng.permutation(1000)[:400])
    subsets = make_subsets(train, groups, np.random.default_rng(seed))
    for small, large in pairwise(subsets):
        assert set(small) < set(large)
    np.testing.assert_array_equal(subsets[-1], train)
    for subset, share in zip(subsets, (0.25, 0.5, 1.0), strict=True):
        inside = np.isin(train, subset)
        assert not set(groups[inside]) & set(groups[~inside]), "a group was parted"
        assert len(subset) == pytest.approx(share * 400, abs=400 / 14)


def test_few_groups_are_not_kept_whole_so_that_a_quarter_still_has_several() -> None:
    groups, train = np.arange(400) % 4, np.arange(400)
    subsets = make_subsets(train, groups, np.random.default_rng(1))
    assert [len(subset) for subset in subsets] == [100, 200, 400]
    assert set(groups[subsets[0]]) == {0, 1, 2, 3}


def test_a_signal_is_learned_the_better_the_more_patients() -> None:
    points = curve(900)
    assert [p.patients for p in points] == sorted(p.patients for p in points)
    assert points[-1].patients > 3.5 * points[0].patients
    assert set(points[0].metrics) == set(MEASURED)
    assert points[0].gain == {}
    losses = [p.metrics["log_loss"].value for p in points]
    assert losses[2] < losses[0]
    for before, after in pairwise(points):
        for name in MEASURED:
            difference = after.metrics[name].value - before.metrics[name].value
            assert after.gain[name].value == pytest.approx(difference)
            assert after.gain[name].low < difference < after.gain[name].high
            # Paired on the same patients: far narrower than two figures side by side.
        both = [p.metrics["brier"].high - p.metrics["brier"].low for p in (before, after)]
        assert after.gain["brier"].high - after.gain["brier"].low < sum(both)


def test_without_a_signal_more_patients_do_not_help() -> None:
    for point in curve(900, 0.0)[1:]:
        assert point.gain["auroc"].low < 0 < point.gain["auroc"].high


def test_sizes_that_hold_too_few_events_are_left_out() -> None:
    patients = Patients.from_cohort(small_cohort(300, 1))
    rare = np.where(np.isnan(patients.outcomes["response"]), np.nan, 0.0)
    rare[patients.known[:8]] = 1.0
    few = replace(patients, outcomes={"response": rare, "remission": rare}, groups=None)
    points = do_work(make_learning_jobs(few, RIDGE, 2))["response"]
    assert 1 <= len(points) < 3
    assert points[-1].patients > 200


def test_it_can_be_repeated() -> None:
    patients = Patients.from_cohort(small_cohort(300, 1))
    first, again = (do_work(make_learning_jobs(patients, RIDGE, 2))["remission"] for _ in range(2))
    assert first == again

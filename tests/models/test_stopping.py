"""The futility rule and its error rates."""

import numpy as np
import pytest
from scipy.stats import binomtest

from features.cohort_file_model import Futility
from models.stopping import Share, StoppingRule, judge

NAN = float("nan")
RULE = Futility(("a", "b", "c", "d"), 0.2, 3, "d", "week_2", ("iv",), "in words", "a paper")


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        # From 30 points, an improvement is a fall to 24 or below.
        ((30, 30, 30, NAN), 1),
        ((25, 30, 24.1, NAN), 1),
        ((NAN, NAN, NAN, 24.1), 1),
        ((10, 10, 10, 25), 1),
        ((24, 30, 30, 24), 0),
        ((NAN, 24, NAN, 10), 0),
        ((24, NAN, NAN, 10), 0),
        ((30, 24, 30, NAN), NAN),
        ((30, 30, NAN, 20), NAN),
        ((NAN, NAN, NAN, NAN), NAN),
    ],
)
def test_the_rule_fires_when_what_is_observed_says_so(checks: tuple[float, ...], verdict: float) -> None:
    found = judge(RULE, 0.0, np.array([30.0]), np.array([checks]))
    np.testing.assert_array_equal(found, [verdict])


def test_without_a_baseline_score_nothing_can_be_said() -> None:
    assert np.isnan(judge(RULE, 0.0, np.array([NAN]), np.array([[30.0] * 4]))).all()


def test_a_fall_is_counted_from_the_scales_minimum() -> None:
    # 30 on a scale from 10 on: a fall of 20 % is one of 4 points.
    checks = np.array([[NAN, NAN, NAN, 26.0], [NAN, NAN, NAN, 26.5]])
    verdicts = judge(RULE, 10.0, np.array([30.0, 30.0]), checks)
    assert np.isnan(verdicts[0])
    assert verdicts[1] == 1


@pytest.mark.parametrize(("count", "of"), [(0, 7), (7, 7), (3, 40), (170, 400)])
def test_shares_have_wilson_intervals(count: int, of: int) -> None:
    expected = binomtest(count, of).proportion_ci(0.95, method="wilson")
    assert Share(count, of).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_nobody_says_nothing() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval == (0.0, 1.0)


def test_one_patient_is_judged_as_many_are() -> None:
    stopping = StoppingRule(RULE, 0.0, Share(1, 4), Share(3, 9), None, None)
    assert stopping.fires(30, (30, 30, 30, NAN)) is True
    assert stopping.fires(30, (24, 30, 30, 24)) is False
    assert stopping.fires(NAN, (30, 30, 30, 30)) is None
    text, arrays = stopping.pack()
    assert StoppingRule.unpack(text, arrays) == stopping

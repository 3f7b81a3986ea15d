import numpy as np
import pytest

from features.cohort_file import Outcome
from features.outcomes import find_remission, find_response
from features.scales import Scale, load_scales

MADRS = load_scales()["MADRS"]


def respond(baseline: float, endpoint: float, reduction: float = 0.5, scale: Scale = MADRS) -> float:
    outcome = Outcome(scale, "before", "after", reduction)
    return float(find_response(outcome, np.array([baseline]), np.array([endpoint]))[0])


@pytest.mark.parametrize(
    ("baseline", "endpoint", "expected"),
    [(30, 15, 1), (30, 15.01, 0), (31, 15.5, 1), (31, 16, 0), (20, 0, 1), (20, 25, 0)],
)
def test_response_is_a_fall_of_at_least_half(baseline: float, endpoint: float, expected: float) -> None:
    assert respond(baseline, endpoint) == expected


def test_a_fall_of_exactly_the_cut_counts_for_every_score_and_cut() -> None:
    # In floating point 30 * (1 - 0.7) is 9.000000000000002: a naive comparison would depend on the score.
    for percent in (20, 30, 35, 40, 50, 60, 70, 80, 90, 100):
        for baseline in range(1, 61):
            for endpoint in range(baseline + 1):
                expected = 100 * (baseline - endpoint) >= percent * baseline  # whole numbers: exact
                assert respond(baseline, endpoint, percent / 100) == expected, (percent, baseline, endpoint)


def test_the_fall_is_measured_from_the_lowest_score_of_the_scale() -> None:
    # 30 items scored 1 to 7, as in the PANSS: 60 to 45 is half the way to 30, though only a quarter of 60.
    scale = Scale("P", "P", 30, 210, 58, (), "")
    assert respond(60, 45, scale=scale) == 1
    assert respond(60, 46, scale=scale) == 0


def test_remission_is_at_most_the_cut() -> None:
    outcome = Outcome(MADRS, "before", "after")
    assert find_remission(outcome, np.array([10.0, 10.5, 0.0])).tolist() == [1, 0, 1]


def test_an_outcome_without_a_score_is_unknown() -> None:
    outcome = Outcome(MADRS, "before", "after")
    nan = float("nan")
    assert np.isnan(find_response(outcome, np.array([30, nan]), np.array([nan, 10]))).all()
    assert np.isnan(find_remission(outcome, np.array([nan]))).all()

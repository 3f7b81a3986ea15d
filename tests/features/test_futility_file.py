"""The section `[futility]` of a cohort file."""

import re

import pytest

from features.cohort_file import parse_cohort_file
from features.errors import CohortFileError
from tests.features.files import COHORT

FUTILITY = """
[futility]
checks = ["madrs_day_1", "madrs_session_3", "madrs_session_4"]
improvement = 0.2
consecutive = 2
decisive = "madrs_session_4"
landmark = "day_1"
plans = ["spray"]
text = "The rule in words."
source = "A paper."
"""


def with_futility(old: str = "", new: str = "") -> str:
    assert not old or FUTILITY.count(old) == 1, old
    return COHORT + (FUTILITY.replace(old, new) if old else FUTILITY)


def test_a_futility_rule_is_read() -> None:
    rule = parse_cohort_file(with_futility(), "small.toml").futility
    assert rule is not None
    assert rule.checks == ("madrs_day_1", "madrs_session_3", "madrs_session_4")
    assert (rule.improvement, rule.consecutive, rule.decisive) == (0.2, 2, "madrs_session_4")
    assert (rule.landmark, rule.plans) == ("day_1", ("spray",))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("improvement = 0.2", "improvement = 20", "improvement: must be a share between 0 and 1, got 20"),
        ("consecutive = 2", "consecutive = 4", "consecutive: must be a whole number from 1 to the number"),
        ("consecutive = 2", "consecutive = 1.5", "consecutive: must be a whole number from 1 to the number"),
        (
            'decisive = "madrs_session_4"',
            'decisive = "madrs_session_9"',
            "decisive: 'madrs_session_9' is none of the checks; did you mean 'madrs_session_",
        ),
        (
            'landmark = "day_1"',
            'landmark = "baseline"',
            "landmark: 'baseline' is no later landmark; allowed: day_1",
        ),
        ('plans = ["spray"]', 'plans = ["nose"]', "plans: 'nose' is not a plan of [plan.levels]"),
        ('plans = ["spray"]', "", "plans: is missing: the plans that the rule was made for"),
        ('"madrs_session_3"', '"madrs_end"', "checks: 'madrs_end' is the [outcome] endpoint already"),
        ('"madrs_session_3"', '"crp"', "checks: the predictor 'crp' must be a number that is known after"),
        ('source = "A paper."', "", "source: is missing"),
        ("consecutive = 2", "consecutives = 2", "unknown key 'consecutives'; did you mean 'consecutive'?"),
    ],
)
def test_a_wrong_futility_rule_is_refused(old: str, new: str, problem: str) -> None:
    with pytest.raises(CohortFileError, match=re.escape(f"[futility] {problem}")):
        parse_cohort_file(with_futility(old, new), "small.toml")

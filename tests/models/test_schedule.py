import doctest
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import models.schedule
from features.cohort_file import Regimen, load_cohort_file
from features.cohort_file_model import MAINTENANCE
from features.dosing import check_regimen
from features.errors import ScheduleError
from models.schedule import Schedule, choose_maintenance, make_schedule

TRD = load_cohort_file(Path(__file__).parents[2] / "features" / "cohorts" / "ketamine_trd.toml")
SPRAY, INFUSION, TABLETS = (
    TRD.regimens[plan] for plan in ("esketamine", "iv_ketamine", "oral_antidepressant")
)
START = date(2026, 11, 23)

# Written by hand from the label and, for infusions, the literature: sessions a week in weeks 1-4, and later.
MOST = {"esketamine": (2, 1), "racemic_ketamine": (3, 1)}


def days(schedule: Schedule) -> list[int]:
    return [(session.day - schedule.start).days for session in schedule.sessions]


def test_induction_comes_on_the_days_of_the_regimen() -> None:
    schedule = make_schedule(SPRAY, START, None)
    assert days(schedule) == [0, 3, 7, 10, 14, 17, 21, 24]
    assert [session.number for session in schedule.sessions] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {session.phase for session in schedule.sessions} == {"induction"}
    assert [session.dose for session in schedule.sessions] == ["56 mg"] + ["56 or 84 mg"] * 7
    assert schedule.sessions[1].day == date(2026, 11, 26)


@pytest.mark.parametrize(("level", "interval"), [("weekly", 7), ("every_2_weeks", 14), ("every_4_weeks", 28)])
@pytest.mark.parametrize(("regimen", "last"), [(SPRAY, 24), (INFUSION, 17)])
def test_maintenance_begins_one_interval_after_the_induction(
    regimen: Regimen, last: int, level: str, interval: int
) -> None:
    schedule = make_schedule(regimen, START, level, weeks=26)
    later = [s for s in schedule.sessions if s.phase == "maintenance"]
    assert [(s.day - START).days for s in later] == list(range(last + interval, 182, interval))
    assert [s.number for s in later] == list(range(1, len(later) + 1))
    assert {s.dose for s in later} == {regimen.dose}


@pytest.mark.parametrize("level", [None, "none"])
def test_without_maintenance_there_is_the_induction_alone(level: str | None) -> None:
    assert len(make_schedule(INFUSION, START, level).sessions) == 6


def test_tablets_have_reviews_but_no_sessions() -> None:
    schedule = make_schedule(TABLETS, START, None)
    assert (schedule.sessions, schedule.duties) == ((), ())
    assert [(review.day - START).days for review in schedule.reviews] == [14, 28, 56, 112]
    assert not any(review.ends_induction for review in schedule.reviews)


def test_benefit_is_reviewed_at_the_end_of_the_induction() -> None:
    reviews = make_schedule(SPRAY, START, None).reviews
    assert [((r.day - START).days, r.ends_induction) for r in reviews] == [
        (14, False),
        (28, True),
        (56, False),
        (112, False),
    ]


def test_every_session_is_watched_for_two_hours() -> None:
    texts = " ".join(duty.text for duty in make_schedule(SPRAY, START, None).duties)
    assert "at least 2 hours" in texts
    assert "blood pressure" in texts


def test_a_schedule_less_frequent_than_the_label_says_so() -> None:
    assert make_schedule(SPRAY, START, "weekly").notes == ()
    for level in ("every_2_weeks", "every_4_weeks"):
        (note,) = make_schedule(SPRAY, START, level).notes
        assert "less frequent" in note
    assert make_schedule(INFUSION, START, "every_4_weeks").notes == ()  # off label: no label to differ from
    assert make_schedule(SPRAY, START, None).notes == ()


def test_a_lower_first_dose_is_followed_and_a_higher_one_is_not() -> None:
    lower = make_schedule(SPRAY, START, "weekly", first_amount=28)
    assert lower.sessions[0].dose == "28 mg"
    assert {s.dose for s in lower.sessions[1:8]} == {"28 mg, rising to 56 or 84 mg as tolerated"}
    assert {s.dose for s in lower.sessions[8:]} == {"56 or 84 mg"}
    assert make_schedule(SPRAY, START, None, first_amount=84) == make_schedule(SPRAY, START, None)
    low = TRD.regimens["esketamine_28mg"]
    assert make_schedule(low, START, None, first_amount=28) == make_schedule(low, START, None)


def test_a_short_schedule_is_the_beginning_of_a_long_one() -> None:
    short, long = (make_schedule(SPRAY, START, "weekly", weeks) for weeks in (6, 26))
    assert short.sessions == long.sessions[: len(short.sessions)]
    assert max(days(short)) < 42
    assert days(make_schedule(SPRAY, START, "weekly", 1)) == [0, 3]


@pytest.mark.parametrize(
    ("regimen", "start", "maintenance", "weeks", "problem"),
    [
        (
            SPRAY,
            START,
            "daily",
            26,
            "maintenance: this plan allows none, every_4_weeks, every_2_weeks, weekly",
        ),
        (TABLETS, START, "weekly", 26, "maintenance: this plan allows none$"),
        (SPRAY, START, None, 0, "weeks: allowed are 1 to 104"),
        (SPRAY, START, None, 105, "weeks: allowed are 1 to 104"),
        (SPRAY, date(9999, 12, 1), None, 26, "start: must be at least 26 weeks before 9999-12-31"),
    ],
)
def test_an_impossible_request_is_refused(
    regimen: Regimen, start: date, maintenance: str | None, weeks: int, problem: str
) -> None:
    with pytest.raises(ScheduleError, match=problem):
        make_schedule(regimen, start, maintenance, weeks)


def test_sessions_beyond_the_label_are_never_scheduled_even_if_nobody_checked_the_regimen() -> None:
    unchecked = Regimen("esketamine", "intranasal", "84 mg", 84, 56, "mg", session_days=(0, 1, 2))
    with pytest.raises(ScheduleError, match=r"3 sessions in the 7 days up to day 2; allowed .*: 2"):
        make_schedule(unchecked, START, None)


REGIMENS = st.builds(
    Regimen,
    drug=st.just("esketamine"),
    route=st.just("intranasal"),
    dose=st.just("56 or 84 mg"),
    amount=st.just(84.0),
    first_amount=st.just(56.0),
    unit=st.just("mg"),
    # Steps of 1 to 9 days: about as many regimens are above the limits as within.
    session_days=st.lists(st.integers(1, 9), max_size=9).map(
        lambda steps: tuple(int(day) for day in np.cumsum([0, *steps]))
    ),
    review_days=st.just((28,)),
    maintenance=st.just(MAINTENANCE),
)
INFUSIONS = REGIMENS.map(
    lambda r: Regimen(
        "racemic_ketamine", "iv", "0.5 mg/kg", 0.5, None, "mg/kg", 40, r.session_days, (), MAINTENANCE
    )
)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(
    regimen=st.one_of(REGIMENS, INFUSIONS, st.sampled_from(list(TRD.regimens.values()))),
    start=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    maintenance=st.sampled_from([None, *MAINTENANCE]),
    weeks=st.integers(1, 104),
)
def test_no_schedule_of_an_accepted_regimen_exceeds_the_label(
    regimen: Regimen, start: date, maintenance: str | None, weeks: int
) -> None:
    assume(not list(check_regimen(regimen)))
    if not regimen.session_days:
        maintenance = None
    schedule = make_schedule(regimen, start, maintenance, weeks)
    dates = [session.day for session in schedule.sessions]
    # In order, on distinct days, within the horizon.
    assert dates == sorted(set(dates))
    assert all(start <= day < start + timedelta(weeks=weeks) for day in dates)
    if not dates:
        return
    first, later = MOST[regimen.drug]
    # Treatment weeks, as the label counts them.
    for week, count in Counter((day - start).days // 7 for day in dates).items():
        assert count <= (first if week < 4 else later)
    # Any seven consecutive days: never more than the induction allows, and one from week 5 on.
    for day in dates:
        inside = sum(day - timedelta(days=7) < other <= day for other in dates)
        assert inside <= (first if (day - start).days < 28 else later)
    assert sum(session.phase == "induction" for session in schedule.sessions) <= 8


@pytest.mark.parametrize("regimen", TRD.regimens.values(), ids=TRD.regimens)
def test_every_shipped_plan_has_a_schedule_for_each_maintenance_it_allows(regimen: Regimen) -> None:
    for level in regimen.maintenance:
        assert make_schedule(regimen, START, level).maintenance == level


LOW = np.array([[1.0, 0.5], [1.0, 0.6], [1.0, 0.7], [1.0, 0.8]])


@pytest.mark.parametrize(
    ("target", "level"),
    [(0.5, "none"), (0.51, "every_4_weeks"), (0.65, "every_2_weeks"), (0.8, "weekly"), (0.81, None)],
)
def test_the_least_frequent_maintenance_that_reaches_the_target_is_chosen(
    target: float, level: str | None
) -> None:
    assert choose_maintenance(LOW, MAINTENANCE, target, at_week=1) == level
    # Whatever the order in which the levels come.
    assert choose_maintenance(LOW[::-1], MAINTENANCE[::-1], target, at_week=1) == level


def test_maintenance_is_chosen_at_the_week_asked_for_and_among_what_is_allowed() -> None:
    assert choose_maintenance(LOW, MAINTENANCE, 0.9, at_week=0) == "none"
    assert choose_maintenance(LOW, MAINTENANCE, 0.5, at_week=1, allowed=("weekly",)) == "weekly"
    assert choose_maintenance(LOW, MAINTENANCE, 0.5, at_week=1, allowed=()) is None


def test_a_bound_that_is_not_known_is_never_enough() -> None:
    low = LOW.copy()
    low[0, 1] = np.nan
    assert choose_maintenance(low, MAINTENANCE, 0.5, at_week=1) == "every_4_weeks"


@pytest.mark.parametrize(
    ("target", "at_week", "problem"),
    [
        (0.0, 1, "target"),
        (1.0, 1, "target"),
        (np.nan, 1, "target"),
        (0.5, 2, "at_week: allowed are 0 to 1"),
        (0.5, -1, "at_week"),
    ],
)
def test_a_target_out_of_range_is_refused(target: float, at_week: int, problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        choose_maintenance(LOW, MAINTENANCE, target, at_week)


def test_bounds_that_do_not_belong_to_the_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="one row for each of 3 levels"):
        choose_maintenance(LOW, MAINTENANCE[:3], 0.5, at_week=1)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    bounds=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    targets=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
)
def test_a_higher_target_never_asks_for_fewer_sessions(
    bounds: list[float], targets: tuple[float, float]
) -> None:
    low = np.array(bounds)[:, np.newaxis]
    order = [*MAINTENANCE, None]
    chosen = [order.index(choose_maintenance(low, MAINTENANCE, t, at_week=0)) for t in sorted(targets)]
    assert chosen[0] <= chosen[1]


def test_the_examples_of_the_docstrings_run() -> None:
    result = doctest.testmod(models.schedule)
    assert result.attempted > 0
    assert result.failed == 0

"""Numbers as people read them: no interval lost, nothing rounded to certainty."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.page.pictures import draw_curves, draw_drivers, draw_frequency
from serving.page.planner import make_planner
from serving.page.words import of_100, signed_points


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.0, "0"), (0.004, "fewer than 1"), (0.5249, "52"), (0.996, "more than 99"), (1.0, "100")],
)
def test_natural_frequency_is_never_rounded_to_certainty(probability: float, said: str) -> None:
    assert of_100(probability) == said


@pytest.mark.parametrize(
    ("effect", "said"), [(0.0, "0"), (-0.0004, "0"), (0.031, "+3.1"), (-0.3, "\N{MINUS SIGN}30")]
)
def test_points_carry_their_sign(effect: float, said: str) -> None:
    assert signed_points(effect) == said


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted))
def test_icons_are_a_hundred_and_show_number_and_interval(ends: list[float]) -> None:
    low, p, high = ends
    icons = draw_frequency({"probability": p, "interval": (low, high), "level": 0.9}).icons
    assert len(icons) == 100
    assert sum(kind.startswith("yes") for kind in icons) == round(100 * p)
    assert icons.count("yes") == round(100 * low)
    assert 100 - icons.count("no") == round(100 * high)
    order = [("yes", "yes-maybe", "no-maybe", "no").index(kind) for kind in icons]
    assert order == sorted(order)


def test_drivers_that_are_not_listed_are_summed_not_dropped() -> None:
    drivers = [{"name": f"p{i}", "label": f"P{i}", "value": None, "effect": 0.1 / (i + 1)} for i in range(15)]
    bars, others = draw_drivers(drivers, {}, {})
    assert len(bars) == 10
    assert others is not None
    assert others.label == "All 5 others together"
    assert others.effect == signed_points(sum(0.1 / (i + 1) for i in range(10, 15)))
    assert max(bar.width for bar in bars) == 100


def test_curve_ends_where_too_few_were_followed() -> None:
    nan = float("nan")
    curve = {
        "maintenance": "weekly",
        "relapse_free": [1, 0.8, nan],
        "low": [1, 0.7, nan],
        "high": [1, 0.9, nan],
    }
    none = {"maintenance": "none", "relapse_free": [1, nan, nan], "low": [1, nan, nan], "high": [1, nan, nan]}
    (drawn,) = draw_curves({"weeks": [0, 1, 2], "curves": [curve, none]})
    assert (drawn.title, drawn.until, drawn.line) == ("Weekly", 1, "0,0.00 1,12.00")


def schedule(start: date | None) -> dict[str, Any]:
    def at(day: int, **more: Any) -> dict[str, Any]:
        return {
            "day": day,
            "date": None if start is None else (start + timedelta(days=day)).isoformat(),
            **more,
        }

    return {
        "weeks": 26,
        "maintenance": "every_2_weeks",
        "why": "because",
        "sessions": [
            at(0, number=1, phase="induction", dose="56 mg"),
            at(3, number=2, phase="induction", dose="84 mg"),
            at(28, number=1, phase="maintenance", dose="84 mg"),
        ],
        "reviews": [at(28, ends_induction=True)],
    }


def test_calendar_with_dates_marks_each_session_on_its_day() -> None:
    made = make_planner(schedule(date(2026, 12, 30)))
    assert [sheet.title for sheet in made.sheets] == ["December 2026", "January 2027"]
    marked = [
        (sheet.title, day.text, day.mark)
        for sheet in made.sheets
        for _, row in sheet.rows
        for day in row
        if day.mark
    ]
    assert marked == [
        ("December 2026", "30", "S1"), ("January 2027", "2", "S2"), ("January 2027", "27", "M1 R"),
    ]  # fmt: skip
    assert made.doses == (("S1", "56 mg"), ("S2", "84 mg"), ("M1", "84 mg"))


def test_calendar_without_dates_counts_weeks_and_invents_no_date() -> None:
    made = make_planner(schedule(None))
    (sheet,) = made.sheets
    assert [(heading, [day.mark for day in row]) for heading, row in sheet.rows] == [
        ("Week 1", ["S1", "", "", "S2", "", "", ""]),
        ("Week 5", ["M1 R", "", "", "", "", "", ""]),
    ]
    assert made.reviews == ("day 29, at the end of induction",)

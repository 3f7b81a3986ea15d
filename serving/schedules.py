"""A plan's schedule as the service writes it: days from the first session, and dates if that is known."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from models.schedule import choose_maintenance, make_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.cohort_file_model import Regimen
    from models.plan_scorer import Durability, PlanAnswer

__all__ = ["Aim", "ScheduleReport", "describe_schedule"]

_ORIGIN: Final = date(2001, 1, 1)
"""Day 0 of schedules as they are laid out; any day would do."""
_SHORTEST: Final = 26
"""Weeks that a schedule reaches at least."""


class Aim(NamedTuple):
    """What a schedule is made for.

    Parameters
    ----------
    start : date or None
        Day of the first session.
    target : float
        What the lower bound of the relapse-free probability must reach.
    week : int
        Weeks after response at which it must.
    """

    start: date | None
    target: float
    week: int


class SessionReport(BaseModel):
    """One session."""

    number: int = Field(description="Counted from 1 in its phase.")
    phase: Literal["induction", "maintenance"]
    day: int = Field(description="0 is the day of the first session.")
    date: str | None = Field(description="null without `start`.")
    dose: str


class DutyReport(BaseModel):
    """Something that every session needs."""

    when: str
    text: str
    source: str


class ReviewReport(BaseModel):
    """A day on which benefit is evaluated."""

    day: int
    date: str | None
    ends_induction: bool


class ScheduleReport(BaseModel):
    """What a plan asks for, day by day. It never exceeds the doses of the label."""

    weeks: int = Field(description="How far it reaches.")
    maintenance: str | None = Field(
        description="The least frequent that keeps the lower bound of the relapse-free probability at the "
        "target; null if none does, and then maintenance is not laid out."
    )
    why: str = Field(description="Why this maintenance, or why none.")
    sessions: list[SessionReport]
    duties: list[DutyReport] = Field(description="At every session.")
    reviews: list[ReviewReport]
    notes: list[str] = Field(description="Where it differs from the label.")


def describe_schedule(
    regimen: Regimen, answer: PlanAnswer, first_amount: float | None, aim: Aim
) -> dict[str, Any]:
    """Lay out an offered plan and write it as `ScheduleReport` describes it.

    Parameters
    ----------
    regimen : Regimen
    answer : PlanAnswer
    first_amount : float or None
        A lower first dose that the safety screen asks for.
    aim : Aim

    Returns
    -------
    dict
    """
    maintenance, why = _choose(regimen, answer, aim)
    laid_out = _lay_out(regimen, maintenance, max(_SHORTEST, aim.week), first_amount)
    if aim.start is not None:
        dated = {part: _dated(laid_out[part], aim.start) for part in ("sessions", "reviews")}
        laid_out = laid_out | dated
    return {"maintenance": maintenance, "why": why} | laid_out


@lru_cache(maxsize=1024)
def _lay_out(
    regimen: Regimen, maintenance: str | None, weeks: int, first_amount: float | None
) -> dict[str, Any]:
    """Lay out without dates; patients share the result, so that nobody may change it."""
    schedule = make_schedule(regimen, _ORIGIN, maintenance, weeks, first_amount=first_amount)
    return {
        "weeks": schedule.weeks,
        "sessions": [
            {
                "number": s.number,
                "phase": s.phase,
                "day": (s.day - _ORIGIN).days,
                "date": None,
                "dose": s.dose,
            }
            for s in schedule.sessions
        ],
        "duties": [{"when": d.when, "text": d.text, "source": d.source} for d in schedule.duties],
        "reviews": [
            {"day": (review.day - _ORIGIN).days, "date": None, "ends_induction": review.ends_induction}
            for review in schedule.reviews
        ],
        "notes": schedule.notes,
    }


def _dated(entries: list[dict[str, Any]], start: date) -> list[dict[str, Any]]:
    return [entry | {"date": (start + timedelta(days=entry["day"])).isoformat()} for entry in entries]


def _choose(regimen: Regimen, answer: PlanAnswer, aim: Aim) -> tuple[str | None, str]:
    """The maintenance, and why it or none was chosen."""
    if not regimen.maintenance:
        return None, "This plan has no maintenance sessions to choose from."
    if answer.durability is None:
        few = "its durability is not known" if answer.sufficient else "not enough comparable patients"
        return None, f"No maintenance is chosen: {few}."
    found = answer.durability
    low = np.array(found.curves[1])
    goal = f"a lower bound of {aim.target:g} for the relapse-free probability at week {aim.week}"
    chosen = choose_maintenance(low, found.levels, aim.target, aim.week, allowed=regimen.maintenance)
    if chosen is not None:
        reached = low[found.levels.index(chosen), aim.week]
        return chosen, f"The least frequent maintenance that reaches {goal}: {reached:.2f}."
    return None, _none_reaches(goal, found, regimen.maintenance, aim.week)


def _none_reaches(goal: str, found: Durability, allowed: Sequence[str], week: int) -> str:
    bounds = {
        level: float(low)
        for level, low in zip(found.levels, found.curves[1, :, week], strict=True)
        if level in allowed and not np.isnan(low)
    }
    if not bounds:
        return (
            f"No maintenance is chosen: too few patients were followed to week {week} on those of this plan."
        )
    best = max(bounds, key=lambda level: bounds[level])
    return f"No maintenance reaches {goal}; the highest is {bounds[best]:.2f} ({best})."

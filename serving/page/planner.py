"""A schedule as a calendar: months where the first day is known, weeks where it is not."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from serving.page.pictures import maintenance_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Day", "Planner", "Sheet", "make_planner"]


@dataclass(frozen=True, slots=True)
class Day:
    """One cell.

    Parameters
    ----------
    text : str
        Day of the month; empty outside the month, or without dates.
    mark : str
        Letters of what happens; empty if nothing does.
    told : str
        The same in words.
    kind : str
        `induction`, `maintenance`, `review` or empty.
    """

    text: str
    mark: str = ""
    told: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A grid of seven columns.

    Parameters
    ----------
    title : str
    rows : tuple of (str, tuple of Day)
        Each with its heading, empty in a month.
    """

    title: str
    rows: tuple[tuple[str, tuple[Day, ...]], ...]


@dataclass(frozen=True, slots=True)
class Planner:
    """The calendar of one plan.

    Parameters
    ----------
    columns : tuple of str
        Names of the seven columns.
    sheets : tuple of Sheet
    dated : bool
    weeks : int
        How far the plan is laid out.
    maintenance, why : str
    doses : tuple of (str, str)
        Sessions, and their dose.
    reviews : tuple of str
    """

    columns: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    dated: bool
    weeks: int
    maintenance: str
    why: str
    doses: tuple[tuple[str, str], ...]
    reviews: tuple[str, ...]


def make_planner(schedule: Mapping[str, Any]) -> Planner:
    """Lay a schedule out as a calendar.

    Parameters
    ----------
    schedule : mapping
        As `ScheduleReport` describes it.

    Returns
    -------
    Planner
    """
    sessions, reviews = schedule["sessions"], schedule["reviews"]
    dated = any(entry["date"] is not None for entry in (*sessions, *reviews))
    by_day = _by_day(sessions, reviews)
    names = tuple(calendar.day_abbr) if dated else tuple(f"Day {day}" for day in range(1, 8))
    return Planner(
        columns=names,
        sheets=tuple(_months(sessions, reviews, by_day)) if dated else _weeks(by_day),
        dated=dated,
        weeks=schedule["weeks"],
        maintenance=maintenance_text(schedule["maintenance"]),
        why=schedule["why"],
        doses=_doses(sessions),
        reviews=tuple(_when(review) for review in reviews),
    )


def _by_day(sessions: Iterable[Mapping[str, Any]], reviews: Iterable[Mapping[str, Any]]) -> dict[int, Day]:
    """What happens on each day, counted from the first session; a review may fall on a session's day."""
    days: dict[int, Day] = {}
    for session in sessions:
        letter = "S" if session["phase"] == "induction" else "M"
        told = f"{session['phase']} session {session['number']}"
        days[session["day"]] = Day("", f"{letter}{session['number']}", told, session["phase"])
    for review in reviews:
        there = days.get(review["day"])
        days[review["day"]] = (
            Day("", "R", "review of benefit", "review")
            if there is None
            else Day("", f"{there.mark} R", f"{there.told}, review of benefit", there.kind)
        )
    return days


def _months(
    sessions: Iterable[Mapping[str, Any]], reviews: Iterable[Mapping[str, Any]], by_day: Mapping[int, Day]
) -> Iterable[Sheet]:
    dates = {date.fromisoformat(entry["date"]): by_day[entry["day"]] for entry in (*sessions, *reviews)}
    first, last = min(dates), max(dates)
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        year, month = number // 12, number % 12 + 1
        rows = tuple(
            ("", tuple(_cell(day, month, dates.get(day)) for day in week))
            for week in calendar.Calendar().monthdatescalendar(year, month)
        )
        yield Sheet(f"{calendar.month_name[month]} {year}", rows)


def _cell(day: date, month: int, event: Day | None) -> Day:
    if day.month != month:
        return Day("")
    if event is None:
        return Day(str(day.day))
    return Day(str(day.day), event.mark, event.told, event.kind)


def _weeks(by_day: Mapping[int, Day]) -> tuple[Sheet, ...]:
    """Rows of seven days; weeks in which nothing happens are left out."""
    weeks = sorted({day // 7 for day in by_day})
    rows = tuple(
        (f"Week {week + 1}", tuple(by_day.get(7 * week + i, Day("")) for i in range(7))) for week in weeks
    )
    return (Sheet("Weeks from the first session", rows),) if rows else ()


def _doses(sessions: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Runs of sessions with the same dose."""
    runs: list[tuple[str, str, int, int]] = []
    for session in sessions:
        phase, dose, number = session["phase"], session["dose"], session["number"]
        if runs and runs[-1][:2] == (phase, dose):
            runs[-1] = (phase, dose, runs[-1][2], number)
        else:
            runs.append((phase, dose, number, number))
    return tuple((_named(phase, first, last), dose) for phase, dose, first, last in runs)


def _named(phase: str, first: int, last: int) -> str:
    letter = "S" if phase == "induction" else "M"
    return f"{letter}{first}" if first == last else f"{letter}{first} to {letter}{last}"


def _when(review: Mapping[str, Any]) -> str:
    day = f"day {review['day'] + 1}" if review["date"] is None else str(review["date"])
    return f"{day}, at the end of induction" if review["ends_induction"] else day

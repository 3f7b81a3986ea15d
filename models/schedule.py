"""The schedule of a plan: dated sessions of induction and maintenance, what each needs, and when to review.

A schedule is arithmetic on the regimen of the cohort file; nothing is learned here. What is learned, how long
relief lasts under each maintenance interval, enters through `choose_maintenance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from features.cohort_file_model import MAINTENANCE
from features.dosing import DAYS_A_WEEK, SessionDuty, find_excess, load_dosing
from features.errors import ScheduleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from features.cohort_file_model import Regimen
    from features.dosing import Limits

__all__ = ["LONGEST_WEEKS", "Review", "Schedule", "Session", "choose_maintenance", "make_schedule"]

INTERVALS: Mapping[str, int] = MappingProxyType({"every_4_weeks": 28, "every_2_weeks": 14, "weekly": 7})
"""Days between maintenance sessions; "none" has no sessions."""

LONGEST_WEEKS = 104
"""No durability is known beyond two years, in any cohort."""

Phase = Literal["induction", "maintenance"]


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Parameters
    ----------
    number : int
        Counted from 1 in its phase.
    phase : {"induction", "maintenance"}
    day : date
    dose : str
        As people read it.
    """

    number: int
    phase: Phase
    day: date
    dose: str


@dataclass(frozen=True, slots=True)
class Review:
    """A day on which benefit is evaluated: go on, change, or stop.

    Parameters
    ----------
    day : date
    ends_induction : bool
        Whether it is the first one after the last session of the induction.
    """

    day: date
    ends_induction: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a plan asks for, day by day.

    Parameters
    ----------
    start : date
        Day of the first session, or of the first tablet.
    weeks : int
        How far it reaches.
    maintenance : str or None
        Level of `MAINTENANCE`; None where none was chosen.
    sessions : tuple of Session
        Ascending, one a day at most.
    duties : tuple of SessionDuty
        At every session.
    reviews : tuple of Review
    notes : tuple of str
        Where it differs from the label.
    """

    start: date
    weeks: int
    maintenance: str | None
    sessions: tuple[Session, ...]
    duties: tuple[SessionDuty, ...]
    reviews: tuple[Review, ...]
    notes: tuple[str, ...]


def make_schedule(
    regimen: Regimen,
    start: date,
    maintenance: str | None,
    weeks: int = 26,
    *,
    first_amount: float | None = None,
) -> Schedule:
    """Lay out a plan from its first day.

    The first maintenance session comes one interval after the last one of the induction.

    Parameters
    ----------
    regimen : Regimen
    start : date
        Of the first session.
    maintenance : str or None
        One of `regimen.maintenance`; "none" or None: induction only.
    weeks : int
        How far the schedule reaches, 1 to 104; days from 7 * weeks on are left out.
    first_amount : float or None
        A lower first dose, as the safety screen asks for (`Screen.first_amount`); one that is no lower
        than the regimen's changes nothing.

    Returns
    -------
    Schedule

    Raises
    ------
    ScheduleError
        If the regimen does not have that maintenance, `weeks` is out of range, the calendar ends, or the
        sessions would exceed what the drug allows (which no regimen of a checked cohort file does).
    """
    _check_request(regimen, start, maintenance, weeks)
    limits = load_dosing()[regimen.drug][regimen.route]
    interval = INTERVALS.get(maintenance or "none")
    induction = regimen.session_days
    later = () if interval is None else tuple(range(induction[-1] + interval, weeks * DAYS_A_WEEK, interval))
    for problem in find_excess((*induction, *later), limits):
        raise ScheduleError(problem)
    horizon = weeks * DAYS_A_WEEK
    sessions = [
        Session(number, phase, start + timedelta(days=day), _name_dose(regimen, day, first_amount))
        for phase, number, day in _number_sessions(induction, later)
        if day < horizon
    ]
    return Schedule(
        start=start,
        weeks=weeks,
        maintenance=maintenance,
        sessions=tuple(sessions),
        duties=limits.duties,
        reviews=_make_reviews(regimen, start, horizon),
        notes=_make_notes(limits, maintenance),
    )


def _check_request(regimen: Regimen, start: date, maintenance: str | None, weeks: int) -> None:
    if not 1 <= weeks <= LONGEST_WEEKS:
        raise ScheduleError(f"weeks: allowed are 1 to {LONGEST_WEEKS}")
    if start > date.max - timedelta(weeks=weeks):
        raise ScheduleError(
            f"start: must be at least {weeks} weeks before {date.max}, where the calendar ends"
        )
    if maintenance in (None, "none"):
        return
    allowed = [level for level in regimen.maintenance if level != "none"]
    if maintenance not in allowed or maintenance not in INTERVALS or not regimen.session_days:
        raise ScheduleError(f"maintenance: this plan allows {', '.join(['none', *allowed])}")


def _number_sessions(induction: Sequence[int], later: Sequence[int]) -> Iterator[tuple[Phase, int, int]]:
    for number, day in enumerate(induction, start=1):
        yield "induction", number, day
    for number, day in enumerate(later, start=1):
        yield "maintenance", number, day


def _name_dose(regimen: Regimen, day: int, lower: float | None) -> str:
    """Dose of the session on a day; the first one may be lower than the others."""
    if regimen.amount is None:
        return regimen.dose
    usual = regimen.amount if regimen.first_amount is None else regimen.first_amount
    first = usual if lower is None else min(usual, lower)
    if day == 0:
        return regimen.dose if first == regimen.amount else f"{first:g} {regimen.unit}"
    if first < usual and day <= regimen.session_days[-1]:
        return f"{first:g} {regimen.unit}, rising to {regimen.dose} as tolerated"
    return regimen.dose


def _make_reviews(regimen: Regimen, start: date, horizon: int) -> tuple[Review, ...]:
    last = regimen.session_days[-1] if regimen.session_days else None
    after = [day for day in regimen.review_days if last is not None and day >= last]
    return tuple(
        Review(start + timedelta(days=day), ends_induction=day in after[:1])
        for day in regimen.review_days
        if day < horizon
    )


def _make_notes(limits: Limits, maintenance: str | None) -> tuple[str, ...]:
    is_chosen = maintenance in INTERVALS
    follows_label = maintenance == "weekly" or not limits.label_maintenance
    return (limits.label_note,) if is_chosen and not follows_label else ()


def choose_maintenance(
    low: NDArray[np.float64],
    levels: Sequence[str],
    target: float,
    at_week: int,
    *,
    allowed: Collection[str] | None = None,
) -> str | None:
    """Choose the least frequent maintenance that keeps relief likely enough.

    Parameters
    ----------
    low : array of shape (n_levels, n_weeks)
        Lower bound of the probability to be free of relapse, at weeks 0, 1, ...
    levels : sequence of str
        Of `MAINTENANCE`, one a row of `low`.
    target : float
        Probability that the lower bound must reach, above 0 and below 1.
    at_week : int
        The week at which it must.
    allowed : collection of str, optional
        Levels to choose from, such as a regimen's; all by default.

    Returns
    -------
    str or None
        None if no level reaches the target.

    Raises
    ------
    ScheduleError
        If the target or the week is out of range.
    ValueError
        If `low` does not have one row a level.

    Examples
    --------
    >>> low = np.array([[1.0, 0.6], [1.0, 0.8], [1.0, 0.9]])
    >>> choose_maintenance(low, ("none", "every_2_weeks", "weekly"), target=0.75, at_week=1)
    'every_2_weeks'
    """
    if low.ndim != 2 or len(low) != len(levels):
        raise ValueError(f"low must have one row for each of {len(levels)} levels, got shape {low.shape}")
    if not 0 < target < 1:
        raise ScheduleError("target: allowed is a probability above 0 and below 1")
    if not 0 <= at_week < low.shape[1]:
        raise ScheduleError(f"at_week: allowed are 0 to {low.shape[1] - 1}")
    bounds = dict(zip(levels, low[:, at_week], strict=True))
    for level in MAINTENANCE:  # least frequent first
        if level in bounds and (allowed is None or level in allowed) and bounds[level] >= target:
            return level
    return None

"""What a regimen may not exceed: doses and sessions by drug and route, from ``dosing.toml``."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from features.cohort_file_model import Regimen

__all__ = ["Limits", "SessionDuty", "check_regimen", "find_excess", "load_dosing"]

DAYS_A_WEEK = 7


@dataclass(frozen=True, slots=True)
class SessionDuty:
    """Something that every session needs.

    Parameters
    ----------
    when : str
        "before", "during" or "after" the dose.
    text, source : str
    """

    when: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a regimen of one drug by one route may not exceed.

    Parameters
    ----------
    drug, route, title : str
    source : str
        Where the limits come from.
    mark : str
        "verified" or "from memory".
    checked : date
        When source and mark were last looked at.
    unit : str or None
        Of a dose; None where nothing is given in sessions.
    largest, first : float
        Largest dose, and largest dose of the first session, in `unit`.
    amounts : tuple of float
        The only doses there are; () where any dose can be given.
    least_minutes : float or None
        Shortest infusion.
    induction_weeks, induction_sessions : int
        How long the induction may last, and how many sessions it may hold.
    weekly_in_induction, weekly_after : int
        Most sessions in any 7 days that end in those weeks, and in any that end later.
    review_by_day : int or None
        Day, counted from the first session as 0, by which the benefit must have been evaluated.
    label_maintenance : tuple of str
        Maintenance intervals that a label names; () without a label.
    label_note : str
        What to say of other intervals.
    duties : tuple of SessionDuty
    """

    drug: str
    route: str
    title: str
    source: str
    mark: str
    checked: date
    unit: str | None = None
    largest: float = 0.0
    first: float = 0.0
    amounts: tuple[float, ...] = ()
    least_minutes: float | None = None
    induction_weeks: int = 0
    induction_sessions: int = 0
    weekly_in_induction: int = 0
    weekly_after: int = 0
    review_by_day: int | None = None
    label_maintenance: tuple[str, ...] = ()
    label_note: str = ""
    duties: tuple[SessionDuty, ...] = ()

    def weekly(self, day: int) -> int:
        """Most sessions in the 7 days that end with `day`, counted from the first session as 0."""
        return self.weekly_in_induction if day < self.induction_weeks * DAYS_A_WEEK else self.weekly_after


@cache
def load_dosing() -> Mapping[str, Mapping[str, Limits]]:
    """Load the limits.

    Returns
    -------
    mapping of str to mapping of str to Limits
        By drug, then by route, in the order of ``dosing.toml``.

    Examples
    --------
    >>> load_dosing()["esketamine"]["intranasal"].largest
    84.0
    """
    tables = tomllib.loads(files("features").joinpath("dosing.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            drug: MappingProxyType(
                {route: _make_limits(drug, route, table) for route, table in routes.items()}
            )
            for drug, routes in tables.items()
        }
    )


def _make_limits(drug: str, route: str, table: Mapping[str, Any]) -> Limits:
    values = dict(table)
    values["duties"] = tuple(SessionDuty(**duty) for duty in table.get("duties", ()))
    values["amounts"] = tuple(float(amount) for amount in table.get("amounts", ()))
    values["label_maintenance"] = tuple(table.get("label_maintenance", ()))
    for key in ("largest", "first", "least_minutes"):
        if key in table:
            values[key] = float(table[key])
    return Limits(drug=drug, route=route, **values)  # a key that is unknown or missing is a TypeError


def find_excess(days: Sequence[int], limits: Limits) -> Iterator[str]:
    """Find sessions that come too often.

    Any 7 consecutive days count, not calendar weeks alone: two sessions at the end of one week and two at
    the start of the next are four in a few days.

    Parameters
    ----------
    days : sequence of int
        Of all sessions, ascending, counted from the first session as 0.
    limits : Limits

    Yields
    ------
    str
        What is too often, and what is allowed.
    """
    for index, day in enumerate(days):
        inside = index + 1 - bisect_right(days, day - DAYS_A_WEEK)
        most = limits.weekly(day)
        if inside > most:
            yield f"{inside} sessions in the 7 days up to day {day}; allowed for {limits.title}: {most}"


def check_regimen(regimen: Regimen) -> Iterator[str]:
    """Find where a regimen exceeds its limits.

    Parameters
    ----------
    regimen : Regimen
        Of a drug and a route that `load_dosing` has.

    Yields
    ------
    str
        "key: what is wrong, and what is allowed", one sentence a problem.
    """
    limits = load_dosing()[regimen.drug][regimen.route]
    if limits.unit is None:
        yield from _check_without_sessions(regimen, limits)
        return
    yield from _check_doses(regimen, limits)
    yield from _check_sessions(regimen, limits)


def _check_without_sessions(regimen: Regimen, limits: Limits) -> Iterator[str]:
    given = {
        "amount": regimen.amount is not None,
        "first_amount": regimen.first_amount is not None,
        "unit": regimen.unit is not None,
        "minutes": regimen.minutes is not None,
        "session_days": bool(regimen.session_days),
        "maintenance": any(level != "none" for level in regimen.maintenance),
    }
    for key, written in given.items():
        if written:
            yield f"{key}: has no meaning for {limits.title}, which is not given in sessions; leave it out"


def _check_doses(regimen: Regimen, limits: Limits) -> Iterator[str]:
    if regimen.unit != limits.unit:
        yield f"unit: must be {limits.unit!r} for {limits.title}"
        return  # numbers in another unit cannot be compared
    largest = {"amount": limits.largest, "first_amount": limits.first}
    first = regimen.amount if regimen.first_amount is None else regimen.first_amount
    for key, amount in (("amount", regimen.amount), ("first_amount", first)):
        if amount is None:
            yield f"{key}: is missing; at most {largest[key]:g} {limits.unit} for {limits.title}"
        elif not 0 < amount <= largest[key]:
            where = " at the first session" if key == "first_amount" else ""
            yield (
                f"{key}: {amount:g} {limits.unit} is not allowed{where}; "
                f"allowed for {limits.title}: above 0, at most {largest[key]:g} {limits.unit}"
            )
        elif limits.amounts and amount not in limits.amounts:
            doses = ", ".join(f"{dose:g}" for dose in limits.amounts)
            yield f"{key}: {amount:g} {limits.unit} cannot be given; doses of {limits.title}: {doses}"
    if (
        regimen.first_amount is not None
        and regimen.amount is not None
        and regimen.first_amount > regimen.amount
    ):
        yield "first_amount: must not be above amount, the largest dose of the regimen"
    least = limits.least_minutes
    if least is not None and (regimen.minutes is None or regimen.minutes < least):
        yield f"minutes: at least {least:g} minutes are needed for {limits.title}"
    if least is None and regimen.minutes is not None:
        yield f"minutes: has no meaning for {limits.title}; leave it out"


def _check_sessions(regimen: Regimen, limits: Limits) -> Iterator[str]:
    days = regimen.session_days
    if not days:
        yield f"session_days: is missing; {limits.title} is given in sessions"
        return
    if len(days) > limits.induction_sessions:
        yield (
            f"session_days: {len(days)} sessions; allowed in the induction with {limits.title}: "
            f"at most {limits.induction_sessions}"
        )
    last = limits.induction_weeks * DAYS_A_WEEK - 1
    if days[-1] > last:
        yield (
            f"session_days: day {days[-1]} is not in the induction; allowed for {limits.title}: "
            f"days 0 to {last}, later sessions are maintenance"
        )
    for problem in find_excess(days, limits):
        yield f"session_days: {problem}"
    by_day = limits.review_by_day
    if by_day is not None and not any(days[-1] <= day <= by_day for day in regimen.review_days):
        yield (
            f"review_days: a review is needed from day {days[-1]}, the last session of the induction, "
            f"to day {by_day}, for {limits.title}"
        )

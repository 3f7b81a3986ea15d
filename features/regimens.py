"""Read [regimens.PLAN] of a cohort file: how a plan is given, held against what its drug allows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from features.cohort_file_model import MAINTENANCE, Regimen
from features.dosing import check_regimen, load_dosing
from features.toml_section import name_nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from features.toml_section import Section

__all__ = ["read_regimens"]

LAST_DAY = 364
"""Days of a regimen are those of the first year."""


def read_regimens(section: Section | None) -> Mapping[str, Regimen]:
    """Read [regimens.PLAN] of a file.

    Parameters
    ----------
    section : Section or None

    Returns
    -------
    mapping of str to Regimen
        By plan, in the order of the file; empty without the section.
    """
    if section is None:
        return {}
    return {
        plan: _read_regimen(part)
        for plan in section.keys()  # noqa: SIM118 - no mapping
        if (part := section.section(plan, f"[regimens.{plan}]")) is not None
    }


def _read_regimen(section: Section) -> Regimen:
    dosing = load_dosing()
    drug = _read_word(section, "drug", dosing)
    route = _read_word(section, "route", dosing.get(drug, ()))
    regimen = Regimen(
        drug=drug,
        route=route,
        dose=section.text("dose"),
        amount=section.optional_number("amount"),
        first_amount=section.optional_number("first_amount"),
        unit=section.optional_text("unit"),
        minutes=section.optional_number("minutes"),
        session_days=_read_days(section, "session_days"),
        review_days=_read_days(section, "review_days"),
        maintenance=_read_maintenance(section),
    )
    section.close()
    days = regimen.session_days
    if days and days[0] != 0:
        section.note("session_days", f"must start with 0, the day of the first session, got {days[0]}")
    elif route in dosing.get(drug, {}):
        for problem in check_regimen(regimen):
            section.note(*problem.split(": ", 1))
    return regimen


def _read_word(section: Section, key: str, known: Collection[str]) -> str:
    value = section.text(key)
    if value and known and value not in known:
        section.note(key, f"{value!r} is not known; {name_nearest(value, known, 'allowed')}")
    return value


def _read_days(section: Section, key: str) -> tuple[int, ...]:
    value = section.raw(key)
    if value is None:
        return ()
    whole = isinstance(value, list) and all(type(day) is int and 0 <= day <= LAST_DAY for day in value)
    if not (isinstance(value, list) and whole):
        section.note(key, f"must be a list of whole numbers from 0 to {LAST_DAY}")
        return ()
    if any(later <= earlier for earlier, later in pairwise(value)):
        section.note(key, "must be ascending, each day once")
        return ()
    return tuple(value)


def _read_maintenance(section: Section) -> tuple[str, ...]:
    value = section.raw("maintenance")
    if value is None:
        return ()
    if not (isinstance(value, list) and all(level in MAINTENANCE for level in value)):
        section.note("maintenance", f"must be a list of some of: {', '.join(MAINTENANCE)}")
        return ()
    # In the order of MAINTENANCE, least frequent first, whatever the file's order.
    return tuple(level for level in MAINTENANCE if level in value)

"""Read the text of a FHIR mapping, noting everything that is wrong with it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final, cast, get_args

from features.errors import CohortFileError
from features.fhir_codes import FhirCode, parse_code
from features.fhir_mapping_model import FhirMapping, FhirSource, Reading
from features.toml_section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["YES_ONLY", "parse_mapping"]

_BY_CODE: Final = ("observation", "condition", "medication")
YES_ONLY: Final = ("condition", "medication")
"""What can only say yes or no."""

_MEANT_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "panels": ("observation",),
    "total_of": ("observation",),
    "item_values": ("observation",),
    "units": ("observation",),
    "values": ("observation", "gender", "encounter"),
    "look_back_days": ("observation", "condition"),
    "below": ("birth_date",),
    "past": ("condition",),
    "absent_is_no": YES_ONLY,
}
"""Which readings a key has a meaning for."""


def parse_mapping(text: str, origin: str) -> FhirMapping:
    """Read the text of a mapping.

    Parameters
    ----------
    text : str
        TOML.
    origin : str
        Where it comes from, for messages.

    Returns
    -------
    FhirMapping

    Raises
    ------
    CohortFileError
        With every problem of the file.

    Examples
    --------
    >>> mapping = parse_mapping('''
    ... cohort = "example"
    ... outcome_days = 56
    ... [systems]
    ... loinc = "http://loinc.org"
    ... [predictors.phq9]
    ... read = "observation"
    ... codes = ["loinc|44261-6"]
    ... units = {"{score}" = 1}
    ... look_back_days = 30
    ... ''', "example.fhir.toml")
    >>> mapping.predictors["phq9"].codes[0].code
    '44261-6'
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # of TOML; a number, or brackets, without end
        raise CohortFileError(origin, [f"is not TOML: {exc}"]) from exc
    problems: list[str] = []
    top = Section(table, "", problems)
    systems = _read_systems(top)
    mapping = FhirMapping(
        cohort=top.text("cohort"),
        outcome_days=_whole(top, "outcome_days", 1) or 1,
        plan=top.optional_text("plan"),
        forms=top.words("forms", fewest=1) if top.has("forms") else (),
        predictors=_read_sources(top, "predictors", systems),
        safety=_read_sources(top, "safety", systems),
        orders=_read_orders(top, systems),
    )
    top.close()
    if problems:
        raise CohortFileError(origin, problems)
    return mapping


def _read_systems(top: Section) -> dict[str, str]:
    section = top.section("systems")
    if section is None:
        return {}
    found = {key: section.text(key) for key in section.keys()}  # noqa: SIM118 - no mapping
    section.close()
    return found


def _read_sources(top: Section, key: str, systems: Mapping[str, str]) -> dict[str, FhirSource]:
    section = top.section(key)
    if section is None:
        return {}
    parts = {name: section.section(name, f"[{key}.{name}]") for name in section.keys()}  # noqa: SIM118
    return {name: _read_source(part, systems) for name, part in parts.items() if part is not None}


def _read_source(section: Section, systems: Mapping[str, str]) -> FhirSource:
    read = cast("Reading", section.choice("read", get_args(Reading)))
    codes = _read_codes(section, "codes", systems) if read in _BY_CODE else ()
    by_code = systems if read == "observation" else None
    values = _read_values(section, "values", by_code)
    source = FhirSource(
        read=read,
        codes=codes,
        total_of=_read_codes(section, "total_of", systems) if section.has("total_of") else (),
        item_values=_read_values(section, "item_values", by_code),
        panels=_read_codes(section, "panels", systems) if section.has("panels") else (),
        units=_read_units(section),
        values=values,
        look_back_days=_whole(section, "look_back_days", None),
        below=section.optional_number("below"),
        past=section.flag("past"),
        absent_is_no=section.flag("absent_is_no"),
    )
    section.close()
    if read in ("gender", "encounter") and not values:
        section.note("values", "are needed: what each code means")
    for key, readers in _MEANT_FOR.items():
        if section.has(key) and read not in readers:
            section.note(key, f"has no meaning for read = {read!r}; leave it out")
    return source


def _read_codes(section: Section, key: str, systems: Mapping[str, str]) -> tuple[FhirCode, ...]:
    found = []
    for written in section.words(key, fewest=1):
        code = parse_code(written, systems)
        if code is None:
            section.note(key, _not_a_code(written, systems))
        else:
            found.append(code)
    return tuple(found)


def _read_values(section: Section, key: str, systems: Mapping[str, str] | None) -> dict[str, object]:
    """Read what codes mean; with `systems`, keys become the full ``system|code``."""
    part = section.section(key, f"{section.where} {key}")
    if part is None:
        return {}
    found: dict[str, object] = {}
    for written in part.keys():  # noqa: SIM118 - no mapping
        value = part.raw(written)
        code = None if systems is None else parse_code(written, systems)
        if systems is not None and (code is None or code.prefix):
            section.note(
                "values", f"{written!r}: must be system|code, with a system of: {', '.join(systems)}"
            )
        elif not isinstance(value, bool | int | float | str):
            section.note(key, f"{written!r}: must mean a text, a number, true or false")
        else:
            found[written if code is None else code.full] = value
    return found


def _read_units(section: Section) -> dict[str, float]:
    part = section.section("units", f"{section.where} units")
    return {} if part is None else {unit: part.number(unit) for unit in part.keys()}  # noqa: SIM118


def _read_orders(top: Section, systems: Mapping[str, str]) -> dict[str, tuple[FhirCode, ...]]:
    section = top.section("orders")
    if section is None:
        return {}
    return {plan: _read_codes(section, plan, systems) for plan in section.keys()}  # noqa: SIM118


def _not_a_code(written: str, systems: Mapping[str, str]) -> str:
    return f"{written!r}: must be system|code, with a system of: {', '.join(systems)}"


def _whole(section: Section, key: str, default: int | None) -> int | None:
    if not section.has(key):
        if default is not None:
            section.note(key, "is missing")
        return default
    number = section.number(key)
    if number != int(number) or number < 1:
        section.note(key, "must be a whole number of at least 1")
    return int(number)

"""One value of a health record: the newest that stands where the mapping says."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from serving.health_record.forms import form_items
from serving.health_record.resources import codings, newest_time, reference_of, text_at
from serving.schemas import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from features.fhir_codes import FhirCode
    from features.fhir_mapping import FhirSource, Reading
    from serving.health_record.resources import PatientRecord

__all__ = ["Read", "Unusable", "read_source"]

_DECLARED: Final = frozenset({"final", "amended", "corrected"})
"""Observations that somebody stands for: not preliminary, cancelled or entered in error."""
_OVER: Final = frozenset({"inactive", "remission", "resolved"})
_HAPPENING: Final = frozenset({"in-progress", "arrived", "triaged", "onleave"})
_UCUM: Final = "http://unitsofmeasure.org"
_NO_UNIT: Final = "{score}"
_LEEWAY: Final = datetime.timedelta(days=1)
"""How far in the future a time may lie: clocks differ, and a date has no time zone."""


@dataclass(frozen=True, slots=True)
class Read:
    """A value.

    Parameters
    ----------
    value : object
        Number, text, true or false.
    date : str or None
    reference : str or None
    """

    value: object
    date: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """Something that was found and cannot be used.

    Parameters
    ----------
    reason : str
        Without the value.
    """

    reason: str


def read_source(source: FhirSource, record: PatientRecord, now: datetime.datetime) -> Read | Unusable | None:
    """Read one value.

    Parameters
    ----------
    source : FhirSource
    record : PatientRecord
    now : datetime

    Returns
    -------
    Read, Unusable or None
        None: the record says nothing of it.
    """
    return _READERS[source.read](source, record, now)


def _birth_date(source: FhirSource, record: PatientRecord, now: datetime.datetime) -> Read | Unusable | None:
    written = text_at(record.patient, "birthDate")
    if not written:
        return None
    try:
        born = datetime.date.fromisoformat(written)
    except ValueError:
        return Unusable("the birth date has no month or day")
    today = now.date()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    value = float(years) if source.below is None else years < source.below
    return Read(value, None, record.reference)


def _gender(source: FhirSource, record: PatientRecord, _: datetime.datetime) -> Read | None:
    meant = source.values.get(text_at(record.patient, "gender"))
    return None if meant is None else Read(meant, None, record.reference)


def _encounter(source: FhirSource, record: PatientRecord, _: datetime.datetime) -> Read | None:
    for encounter in record.resources.get("Encounter", ()):
        kind = encounter.get("class")
        code = kind.get("code") if isinstance(kind, dict) else None
        if text_at(encounter, "status") in _HAPPENING and isinstance(code, str) and code in source.values:
            return Read(source.values[code], None, reference_of(encounter))
    return None


def _observation(source: FhirSource, record: PatientRecord, now: datetime.datetime) -> Read | Unusable | None:
    """Read the newest observation; of several at one moment the last one issued, then by id."""
    found = [
        (time, text_at(o, "issued"), text_at(o, "id"), o, part)
        for o, part in _measured(source, record)
        if (time := newest_time(o)) is not None and _is_recent(source, time, now)
    ]
    if not found:
        return None
    time, _, _, newest, part = max(found, key=lambda entry: entry[:3])
    value = _value(source, part)
    if isinstance(value, Unusable):
        return value
    return Read(value, time.date().isoformat(), reference_of(newest))


def _measured(
    source: FhirSource, record: PatientRecord
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Give each resource that says the value, and the part of it that holds it."""
    for observation in record.resources.get("Observation", ()):
        part = _part(source, observation) if text_at(observation, "status") in _DECLARED else None
        if part is not None:
            yield observation, part
    for form in record.resources.get("QuestionnaireResponse", ()):
        items = form_items(form)
        answered = next((items[code.full] for code in source.codes if code.full in items), None)
        if answered is not None:
            yield form, answered
        elif source.total_of and all(code.full in items for code in source.total_of):
            yield form, _total(source, [items[code.full] for code in source.total_of])


def _total(source: FhirSource, items: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Add up the items of a form; where one cannot be read, neither can the total."""
    as_item = replace(source, values=source.item_values)
    values = [_value(as_item, item) for item in items]
    numbers = [value for value in values if isinstance(value, int | float)]
    return {"valueInteger": sum(numbers) if len(numbers) == len(values) else None}


def _part(source: FhirSource, observation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give what holds the value: the observation itself, or the component of a panel."""
    if _is_meant(source.codes, observation.get("code")):
        return observation
    components = observation.get("component")
    if not isinstance(components, list) or not _is_meant(source.panels, observation.get("code")):
        return None
    meant = (c for c in components if isinstance(c, dict) and _is_meant(source.codes, c.get("code")))
    return next(meant, None)


def _value(source: FhirSource, observation: Mapping[str, Any]) -> object:
    concept, quantity = observation.get("valueCodeableConcept"), observation.get("valueQuantity")
    if concept is not None:
        meant = [source.values[f"{s}|{c}"] for s, c in codings(concept) if f"{s}|{c}" in source.values]
        return meant[0] if meant else Unusable("has an answer that the mapping does not know")
    if isinstance(observation.get("valueBoolean"), bool):
        return observation["valueBoolean"]
    if quantity is None:
        return _scaled(source, observation.get("valueInteger"), _NO_UNIT)
    if not isinstance(quantity, dict):
        return Unusable("has no value")
    if quantity.get("comparator") is not None:
        return Unusable("is only known to lie above or below a number")
    return _scaled(source, quantity.get("value"), _unit(quantity))


def _unit(quantity: Mapping[str, Any]) -> str:
    """Give the unit as UCUM writes it; a unit of another system is none that could be known."""
    if quantity.get("system") in (None, _UCUM) and isinstance(quantity.get("code"), str):
        return str(quantity["code"])
    if quantity.get("code") is None and isinstance(quantity.get("unit"), str):
        return str(quantity["unit"])
    return "?" if quantity.get("code") is not None else _NO_UNIT


def _scaled(source: FhirSource, number: object, unit: str) -> object:
    if not isinstance(number, int | float) or isinstance(number, bool):
        return Unusable("has no value")
    unit = _NO_UNIT if unit == "1" else unit
    if unit not in source.units:
        return Unusable(f"is in a unit that the mapping does not know (known: {', '.join(source.units)})")
    factor = source.units[unit]
    if factor == 1:
        return number
    # JSON's integers have no bound, and one that no float can hold cannot be multiplied.
    return number * factor if abs(number) <= LARGEST else Unusable("is beyond all bounds")


def _condition(source: FhirSource, record: PatientRecord, now: datetime.datetime) -> Read | None:
    """Yes by a condition that is there, no by one that was refuted or, if the mapping says so, by none."""
    refuted = None
    for condition in record.resources.get("Condition", ()):
        if not _is_meant(source.codes, condition.get("code")):
            continue
        verified = _codes(condition.get("verificationStatus"))
        if "entered-in-error" in verified:
            continue
        time = newest_time(condition)
        if source.look_back_days is not None and (time is None or not _is_recent(source, time, now)):
            continue
        date = None if time is None else time.date().isoformat()
        if "refuted" in verified:
            refuted = Read(False, date, reference_of(condition))
        elif source.past or not _OVER & _codes(condition.get("clinicalStatus")):
            return Read(True, date, reference_of(condition))
    return refuted or _absent(source, record, "Condition")


def _medication(source: FhirSource, record: PatientRecord, _: datetime.datetime) -> Read | None:
    for request in record.resources.get("MedicationRequest", ()):
        wanted = _is_meant(source.codes, request.get("medicationCodeableConcept"))
        if wanted and text_at(request, "status") == "active" and request.get("doNotPerform") is not True:
            return Read(True, None, reference_of(request))
    return _absent(source, record, "MedicationRequest")


def _absent(source: FhirSource, record: PatientRecord, kind: str) -> Read | None:
    whole = kind in record.resources and kind not in record.partial
    return Read(False, None, None) if source.absent_is_no and whole else None


def _is_meant(codes: tuple[FhirCode, ...], concept: object) -> bool:
    return any(code.covers(system, value) for system, value in codings(concept) for code in codes)


def _is_recent(source: FhirSource, time: datetime.datetime, now: datetime.datetime) -> bool:
    if time > now + _LEEWAY:
        return False
    if source.look_back_days is None:
        return True
    # Whole days, so that the same record gives the same answer at every hour of a day.
    return time.date() >= now.date() - datetime.timedelta(days=source.look_back_days)


def _codes(concept: object) -> set[object]:
    return set(_hashable(code for _, code in codings(concept)))


def _hashable(codes: Iterator[object]) -> Iterator[object]:
    return (code for code in codes if isinstance(code, str))


_READERS: Final[
    Mapping[Reading, Callable[[FhirSource, PatientRecord, datetime.datetime], Read | Unusable | None]]
] = {
    "birth_date": _birth_date,
    "gender": _gender,
    "encounter": _encounter,
    "observation": _observation,
    "condition": _condition,
    "medication": _medication,
}

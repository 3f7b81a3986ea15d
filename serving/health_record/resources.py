"""FHIR resources as they arrive: read only where this service needs them, and never trusted to be well made.

Only plain values of JSON come in here. What is not as FHIR R4 says is taken for absent.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["PatientRecord", "codings", "gather", "newest_time", "reference_of", "resources_in", "text_at"]

_SUBJECTS: Final = ("subject", "patient")
_TIMES: Final = {
    "Observation": ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"),
    "QuestionnaireResponse": ("authored",),
    "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
}


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """What a client sent of one patient.

    Parameters
    ----------
    patient : mapping
        The Patient resource.
    resources : mapping of str to tuple of mapping
        The others by type; a type is a key only if it was looked for, or some of it was sent.
    partial : frozenset of str
        Types of which only a part was sent: a page of a search, or an answer with an error.
    """

    patient: Mapping[str, Any]
    resources: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

    @property
    def reference(self) -> str:
        """How other resources refer to the patient."""
        return f"Patient/{self.patient['id']}"


def gather(
    patient: Mapping[str, Any],
    resources: Iterable[Mapping[str, Any]],
    *,
    also: str | None = None,
    looked_for: Iterable[str] = (),
    partial: Iterable[str] = (),
) -> PatientRecord:
    """Put the resources of one patient together.

    Parameters
    ----------
    patient : mapping
    resources : iterable of mapping
    also : str, optional
        Another reference to the patient: an entry's `fullUrl`.
    looked_for : iterable of str
        Types that the client has searched.
    partial : iterable of str

    Returns
    -------
    PatientRecord

    Raises
    ------
    ProblemError
        422 if a resource is about another patient: such a mistake must not end in a number.
    """
    own = {f"Patient/{patient['id']}", also}
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in looked_for}
    for resource in resources:
        kind = resource.get("resourceType")
        if not isinstance(kind, str):
            continue
        about = next((ref for key in _SUBJECTS if (ref := _reference_at(resource, key))), None)
        if about is not None and about not in own and _relative(about) not in own:
            raise ProblemError(422, f"a resource of type {_shown(kind)} is about another patient")
        found.setdefault(kind, []).append(resource)
    return PatientRecord(patient, {kind: tuple(some) for kind, some in found.items()}, frozenset(partial))


def resources_in(bundle: Mapping[str, Any]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Give the resources of a Bundle, each with its `fullUrl`."""
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            url = entry.get("fullUrl")
            yield (url if isinstance(url, str) else None), entry["resource"]


def codings(concept: object) -> Iterator[tuple[object, object]]:
    """Give system and code of each coding of a CodeableConcept."""
    some = concept.get("coding") if isinstance(concept, dict) else None
    for coding in some if isinstance(some, list) else ():
        if isinstance(coding, dict):
            yield coding.get("system"), coding.get("code")


def text_at(resource: Mapping[str, Any], key: str) -> str:
    """Give a text of a resource; empty where there is none."""
    value = resource.get(key)
    return value if isinstance(value, str) else ""


def reference_of(resource: Mapping[str, Any]) -> str | None:
    """How to refer to a resource; None if it has no id."""
    name = resource.get("id")
    return f"{resource['resourceType']}/{name}" if isinstance(name, str) and name else None


def newest_time(resource: Mapping[str, Any]) -> datetime.datetime | None:
    """When what a resource says was so: the end of a period; the first moment of a day, month or year.

    Parameters
    ----------
    resource : mapping

    Returns
    -------
    datetime or None
        In UTC; times without an offset, which FHIR allows for dates only, are taken for UTC.
    """
    for key in _TIMES.get(resource["resourceType"], ()):
        value = resource.get(key)
        if isinstance(value, dict):
            value = value.get("end") or value.get("start")
        if isinstance(value, str) and (found := _parse(value)):
            return found
    return None


def _parse(text: str) -> datetime.datetime | None:
    padded = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text)
    try:
        moment = datetime.datetime.fromisoformat(padded)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return aware.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def _reference_at(resource: Mapping[str, Any], key: str) -> str | None:
    part = resource.get(key)
    reference = part.get("reference") if isinstance(part, dict) else None
    return reference if isinstance(reference, str) else None


def _relative(reference: str) -> str:
    """Strip base address and version of a reference."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


def _shown(kind: str) -> str:
    """Give a resource's type, if it looks like one: anything else could be patient data."""
    return kind if kind in {"Observation", "Condition", "MedicationRequest", "Encounter"} else "another type"

"""From a health record to predictors and safety answers, as the mapping says; what cannot be used is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from features.safety import load_rules
from serving.health_record.reading import Read, Unusable, read_source
from serving.schemas import LARGEST

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from features.cohort_file import CohortFile, Predictor
    from features.fhir_mapping import FhirMapping, FhirSource
    from features.safety import Rule
    from serving.health_record.resources import PatientRecord

__all__ = ["Extracted", "Item", "extract"]

_TYPES: Final = {"observation": "Observation", "condition": "Condition", "medication": "MedicationRequest"}
_WORDS: Final = {
    "Observation": "observations",
    "QuestionnaireResponse": "forms",
    "Condition": "diagnoses",
    "MedicationRequest": "medicines",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A value that was found.

    Parameters
    ----------
    name : str
        Of the predictor or the question.
    label : str
    value : object
    date : str or None
        Day from which it is.
    reference : str or None
        The resource that says it.
    """

    name: str
    label: str
    value: object
    date: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a health record says of a patient.

    Parameters
    ----------
    patient : mapping of str to object
        Predictors by name, each one that its cohort file allows.
    safety : mapping of str to object
        Answers by question.
    items : tuple of Item
        The same with date and origin, predictors first.
    unused : tuple of str
        Sentences: what was found and could not be used, without its value.
    unread : tuple of str
        What could not be read, or only in part, in words.
    """

    patient: Mapping[str, object]
    safety: Mapping[str, object]
    items: tuple[Item, ...]
    unused: tuple[str, ...]
    unread: tuple[str, ...]


def extract(
    mapping: FhirMapping, cohort_file: CohortFile, record: PatientRecord, now: datetime.datetime
) -> Extracted:
    """Read all that a mapping names: of each the newest value, within its look-back.

    Parameters
    ----------
    mapping : FhirMapping
        Of this cohort.
    cohort_file : CohortFile
    record : PatientRecord
    now : datetime
        With an offset.

    Returns
    -------
    Extracted
        A newest value that is not allowed makes a predictor missing: an older one is never taken instead.
    """
    predictors = {p.name: p for p in cohort_file.baseline_predictors}
    rules = {rule.name: rule for rule in load_rules()}
    items: list[Item] = []
    unused: list[str] = []
    patient: dict[str, object] = {}
    safety: dict[str, object] = {}
    for name, source in mapping.predictors.items():
        predictor = predictors[name]
        found = _checked(read_source(source, record, now), predictor)
        _keep(found, name, predictor.label, patient, items, unused)
    for name, source in mapping.safety.items():
        answer = _answered(read_source(source, record, now), rules[name])
        _keep(answer, name, rules[name].question, safety, items, unused)
    return Extracted(patient, safety, tuple(items), tuple(unused), _unread(mapping, record))


def _keep(
    found: Read | Unusable | None,
    name: str,
    label: str,
    values: dict[str, object],
    items: list[Item],
    unused: list[str],
) -> None:
    if isinstance(found, Read):
        values[name] = found.value
        items.append(Item(name, label, found.value, found.date, found.reference))
    elif found is not None:
        unused.append(f"{label}: {found.reason}")


def _checked(found: Read | Unusable | None, predictor: Predictor) -> Read | Unusable | None:
    """Let a value through that the cohort file allows."""
    if not isinstance(found, Read):
        return found
    value = found.value
    if predictor.kind == "binary":
        return found if isinstance(value, bool) else Unusable("is neither yes nor no")
    if predictor.levels:
        return found if value in predictor.levels else Unusable("is not one of the levels")
    low, high = predictor.valid or (-LARGEST, LARGEST)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Unusable("is not a number")
    return found if low <= value <= high else Unusable(f"is not from {low:g} to {high:g}")


def _answered(found: Read | Unusable | None, rule: Rule) -> Read | Unusable | None:
    """Let an answer through that its question allows.

    Blood pressure is asked for in whole numbers and may be measured in halves: it is rounded up, to the side
    of caution, as no rule fires on low numbers.
    """
    if not isinstance(found, Read):
        return found
    value = found.value
    if rule.valid is None:
        return found if isinstance(value, bool) else Unusable("is neither yes nor no")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Unusable("is not a number")
    whole = float(-(-value // 1))
    low, high = rule.valid
    if not low <= whole <= high:
        return Unusable(f"is not from {low} to {high}")
    return Read(whole, found.date, found.reference)


def _unread(mapping: FhirMapping, record: PatientRecord) -> tuple[str, ...]:
    sources: list[FhirSource] = [*mapping.predictors.values(), *mapping.safety.values()]
    wanted = dict.fromkeys(_TYPES[source.read] for source in sources if source.read in _TYPES)
    wanted |= dict.fromkeys(["QuestionnaireResponse"] if mapping.forms else [])
    sentences = []
    for kind in wanted:
        if kind in record.partial:
            sentences.append(f"{_WORDS[kind]} (only in part)")
        elif kind not in record.resources:
            sentences.append(_WORDS[kind])
    return tuple(sentences)

"""From a health record to predictors: the newest value that counts, in the right unit, or none."""

import datetime
from typing import Any

import pytest

from features.cohort_file import CohortFile
from features.fhir_mapping import FhirMapping, find_mapping, parse_mapping
from serving.health_record.extracting import Extracted, extract
from serving.health_record.resources import gather
from tests.serving.health_record.records import (
    ATC,
    LOINC,
    PHQ9_ITEMS,
    Resource,
    concept,
    condition,
    days_ago,
    form,
    medication,
    now,
    observation,
    patient,
)

PHQ9 = "44261-6"


@pytest.fixture(scope="module")
def mapping(shipped: CohortFile) -> FhirMapping:
    found = find_mapping(None, shipped)
    assert found is not None
    return found


def read(mapping: FhirMapping, file: CohortFile, *resources: Resource, **about: object) -> Extracted:
    looked_for = ("Observation", "Condition", "MedicationRequest")
    return extract(mapping, file, gather(patient(**about), resources, looked_for=looked_for), now())  # type: ignore[arg-type]


def quantity(**parts: object) -> dict[str, Any]:
    return {"valueQuantity": parts}


def test_newest_within_the_look_back_is_taken(mapping: FhirMapping, shipped: CohortFile) -> None:
    found = read(
        mapping,
        shipped,
        observation(PHQ9, 12, days=9),
        observation(PHQ9, 19, days=3),
        observation(PHQ9, 7, days=20),
    )
    assert found.patient["phq9_baseline"] == 19
    (item,) = (item for item in found.items if item.name == "phq9_baseline")
    assert (item.date, item.reference) == (days_ago(3)[:10], "Observation/o-44261-6-3")


@pytest.mark.parametrize(("days", "counts"), [(30, True), (31, False), (-0.5, True), (-3, False)])
def test_too_old_or_from_the_future_does_not_count(
    mapping: FhirMapping, shipped: CohortFile, days: float, counts: bool
) -> None:
    found = read(mapping, shipped, observation(PHQ9, 12, days=days))
    assert ("phq9_baseline" in found.patient) is counts


@pytest.mark.parametrize(
    "status", ["entered-in-error", "cancelled", "preliminary", "registered", "unknown", None]
)
def test_observation_that_nobody_stands_for_does_not_count(
    mapping: FhirMapping, shipped: CohortFile, status: str | None
) -> None:
    newest = observation(PHQ9, 27, days=1, status=status)
    found = read(mapping, shipped, newest, observation(PHQ9, 12, days=3))
    assert found.patient["phq9_baseline"] == 12


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"valueInteger": 12}, 12),
        (quantity(value=12), 12),
        (quantity(value=12, code="1", system="http://unitsofmeasure.org"), 12),
        (quantity(value=12, unit="{score}"), 12),
        (quantity(value=12, code="mg/L"), "unit"),
        (quantity(value=12, code="{score}", system="urn:other"), "unit"),
        (quantity(value=12, code="{score}", comparator="<"), "above or below"),
        (quantity(code="{score}"), "no value"),
        (quantity(value=True, code="{score}"), "no value"),
        (quantity(value="12", code="{score}"), "no value"),
        ({"valueString": "12"}, "no value"),
        ({"valueCodeableConcept": concept(LOINC, "LA6569-3")}, "answer that the mapping does not know"),
        ({"valueQuantity": 12}, "no value"),
        ({"valueInteger": 28}, "is not from 0 to 27"),
    ],
)
def test_value_is_read_as_written_or_not_at_all(
    mapping: FhirMapping, shipped: CohortFile, sent: dict[str, Any], expected: float | str
) -> None:
    found = read(mapping, shipped, observation(PHQ9, None, **sent))
    if isinstance(expected, str):
        (said,) = found.unused
        assert expected in said
        assert "12" not in said
        assert "phq9_baseline" not in found.patient
    else:
        assert (found.patient["phq9_baseline"], found.unused) == (expected, ())


def test_units_are_converted(mapping: FhirMapping, shipped: CohortFile) -> None:
    milligrams = observation("1988-5", None, **quantity(value=0.75, code="mg/dL"))
    assert read(mapping, shipped, milligrams).patient["crp"] == 7.5


@pytest.mark.parametrize("value", [10**400, -(10**400), float("inf"), float("nan")])
def test_number_beyond_all_bounds_is_not_converted(
    mapping: FhirMapping, shipped: CohortFile, value: float
) -> None:
    found = read(mapping, shipped, observation("1988-5", None, **quantity(value=value, code="mg/dL")))
    assert "crp" not in found.patient
    (said,) = found.unused
    assert "is beyond all bounds" in said


def test_scale_of_adolescents_is_another_scale(mapping: FhirMapping, shipped: CohortFile) -> None:
    assert "phq9_baseline" not in read(mapping, shipped, observation("89204-2", 12)).patient


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"clinicalStatus": None}, True),
        ({"clinicalStatus": concept("s", "resolved")}, None),
        ({"verificationStatus": concept("s", "refuted")}, False),
        ({"verificationStatus": concept("s", "entered-in-error")}, None),
    ],
)
def test_diagnosis_says_yes_or_no_or_nothing(
    mapping: FhirMapping, shipped: CohortFile, changed: dict[str, Any], expected: bool | None
) -> None:
    assert read(mapping, shipped, condition("E11.9", **changed)).patient.get("diabetes") is expected


def test_diagnosis_that_is_not_listed_is_unknown(mapping: FhirMapping, shipped: CohortFile) -> None:
    found = read(mapping, shipped)
    assert set(found.patient) == {"age", "sex"}
    assert set(found.safety) == {"under_18"}


def test_none_in_a_complete_list_means_no_if_the_mapping_says_so(shipped: CohortFile) -> None:
    text = """
cohort = "ketamine-trd"
outcome_days = 28
plan = "iv_ketamine"
[systems]
icd = "http://hl7.org/fhir/sid/icd-10-cm"
[predictors.diabetes]
read = "condition"
codes = ["icd|E11*"]
absent_is_no = true
"""
    mapping = parse_mapping(text, "x")
    whole = gather(patient(), (), looked_for=("Condition",))
    assert extract(mapping, shipped, whole, now()).patient == {"diabetes": False}
    part = gather(patient(), (), looked_for=("Condition",), partial=("Condition",))
    not_sent = gather(patient(), ())
    for record in (part, not_sent):
        found = extract(mapping, shipped, record, now())
        assert found.patient == {}
        assert len(found.unread) == 1


def test_past_counts_where_the_past_is_asked_for(mapping: FhirMapping, shipped: CohortFile) -> None:
    attempt = condition("T14.91XD", clinicalStatus=concept("s", "resolved"), onsetDateTime="2019-05")
    found = read(mapping, shipped, attempt)
    assert found.patient["past_suicide_attempt"] is True
    assert "recent_suicide_attempt" not in found.safety


@pytest.mark.parametrize(("status", "expected"), [("active", True), ("stopped", None), ("draft", None)])
def test_medicine_counts_while_it_is_taken(
    mapping: FhirMapping, shipped: CohortFile, status: str, expected: bool | None
) -> None:
    found = read(mapping, shipped, medication("N06AB06", status=status))
    assert found.patient.get("concurrent_antidepressant") is expected


def test_lithium_is_no_antipsychotic(mapping: FhirMapping, shipped: CohortFile) -> None:
    assert "antipsychotic" not in read(mapping, shipped, medication("N05AN01", ATC)).patient


@pytest.mark.parametrize(
    ("born", "age"), [("1980-11-24", 45), ("1980-11-23", 46), ("1980-01-01", 46), ("1980-12-31", 45)]
)
def test_age_is_in_completed_years(mapping: FhirMapping, shipped: CohortFile, born: str, age: int) -> None:
    day = datetime.datetime(2026, 11, 23, 1, 0, tzinfo=datetime.UTC)
    record = gather(patient(birthDate=born), ())
    assert extract(mapping, shipped, record, day).patient["age"] == age


def test_age_is_not_guessed_from_a_year(mapping: FhirMapping, shipped: CohortFile) -> None:
    found = read(mapping, shipped, birthDate="1980")
    assert "age" not in found.patient
    assert "Age: the birth date has no month or day" in found.unused


NEVER, SEVERAL, HALF, NEARLY = "LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"


def test_whole_form_has_a_total_and_its_items_are_screened(mapping: FhirMapping, shipped: CohortFile) -> None:
    filled = form(*[HALF] * 7, NEVER, NEARLY)
    found = read(mapping, shipped, filled, observation(PHQ9, 5, days=4))
    assert found.patient["phq9_baseline"] == 17
    assert found.safety["phq9_item_9"] == 3
    assert {i.reference for i in found.items if "phq9" in i.name} == {"QuestionnaireResponse/q-1"}


def test_newer_observation_comes_before_a_form(mapping: FhirMapping, shipped: CohortFile) -> None:
    filled = form(*[HALF] * 9, days=5)
    assert read(mapping, shipped, filled, observation(PHQ9, 5, days=4)).patient["phq9_baseline"] == 5


@pytest.mark.parametrize(
    "filled",
    [
        form(*[SEVERAL] * 8),
        form(*[SEVERAL] * 9, status="in-progress"),
        form(*[SEVERAL] * 9, status="entered-in-error"),
        form(*[SEVERAL] * 9, days=40),
        form(*[SEVERAL] * 8, "LA-unknown"),
        form(item=[{"linkId": f"q{i}", "answer": [{"valueInteger": 1}]} for i in range(9)]),
        form(item={"linkId": "/44250-9"}),
        form(item=[{"linkId": f"/{code}", "answer": [{"valueInteger": 1}] * 2} for code in PHQ9_ITEMS]),
    ],
    ids=[
        "item missing",
        "not finished",
        "in error",
        "old",
        "unknown answer",
        "own links",
        "no list",
        "two answers",
    ],
)
def test_form_that_is_not_whole_has_no_total(
    mapping: FhirMapping, shipped: CohortFile, filled: Resource
) -> None:
    assert "phq9_baseline" not in read(mapping, shipped, filled).patient


def test_items_are_found_by_their_definition_and_in_groups(mapping: FhirMapping, shipped: CohortFile) -> None:
    items = [
        {"linkId": f"q{i}", "definition": f"http://loinc.org/{code}", "answer": [{"valueInteger": 1}]}
        for i, code in enumerate(PHQ9_ITEMS)
    ]
    grouped = form(item=[{"linkId": "group", "item": items}])
    assert read(mapping, shipped, grouped).patient["phq9_baseline"] == 9


def test_component_of_a_panel_is_read(mapping: FhirMapping, shipped: CohortFile) -> None:
    def pressure(code: str, value: float) -> Resource:
        return {"code": concept(LOINC, code), **quantity(value=value, code="mm[Hg]")}

    parts = [None, {"code": 4}, pressure("8480-6", 151), pressure("8462-4", 88)]
    whole = observation("85354-9", None, component=parts)
    found = read(mapping, shipped, whole)
    assert (found.safety["systolic_pressure"], found.safety["diastolic_pressure"]) == (151, 88)
    # A component of something else says something else.
    other = observation("8716-3", None, component=parts)
    assert "systolic_pressure" not in read(mapping, shipped, other).safety


def test_blood_pressure_is_rounded_to_the_side_of_caution(mapping: FhirMapping, shipped: CohortFile) -> None:
    measured = observation("8480-6", None, **quantity(value=140.5, code="mm[Hg]"))
    assert read(mapping, shipped, measured).safety["systolic_pressure"] == 141


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "Observation", "status": "final", "code": "x"},
        {"resourceType": "Observation", "status": "final", "code": {"coding": [None, 4, {"code": 4}]}},
        {"resourceType": "Observation", "status": ["final"], "code": {"coding": {}}},
        observation(PHQ9, 4, effectiveDateTime="yesterday"),
        observation(PHQ9, 4, effectiveDateTime=7),
        observation(PHQ9, 4, effectiveDateTime="0001-01-01T00:00:00+14:00"),
        observation(PHQ9, 4, subject=[]),
        {"resourceType": ["Observation"]},
        {"resourceType": "Condition", "code": concept("s", "c"), "clinicalStatus": [[]]},
        {"resourceType": "Encounter", "status": "in-progress", "class": {"code": ["IMP"]}},
    ],
)
def test_resource_that_is_not_well_made_breaks_nothing(
    mapping: FhirMapping, shipped: CohortFile, broken: Resource
) -> None:
    assert read(mapping, shipped, broken, condition("E11.9")).patient["diabetes"] is True

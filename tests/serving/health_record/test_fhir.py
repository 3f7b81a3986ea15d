"""The FHIR operation: a Bundle of one patient in, RiskAssessment and AuditEvent out."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serving.health_record import records
from tests.serving.health_record.records import LOINC, Resource, concept, condition, medication, observation

PATH = "/fhir/$predict"
KETAMINE = medication("N01AX03", status="draft")


def named(plan: object) -> Resource:
    return {"resourceType": "Parameters", "parameter": [{"name": "plan", "valueCode": plan}]}


def ask(service: TestClient, *more: Resource) -> list[dict[str, Any]]:
    answer = service.post(PATH, json=records.bundle(*more))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    return [entry["resource"] for entry in bundle["entry"]]


def test_answer_is_an_assessment_and_its_audit_event(service: TestClient) -> None:
    risk, audit = ask(service, KETAMINE)
    assert (risk["resourceType"], audit["resourceType"]) == ("RiskAssessment", "AuditEvent")
    assert risk["subject"] == {"reference": "Patient/p1"}
    made = risk["identifier"][0]["value"]
    assert [entity["what"]["reference"] for entity in audit["entity"]] == ["Patient/p1", made]
    assert audit["agent"][0]["who"]["display"] == "anonymous"
    # Only who, when, which: no value of the patient.
    assert "probability" not in json.dumps(audit)


def test_probabilities_are_percentages_inside_their_interval(service: TestClient) -> None:
    risk, _ = ask(service, KETAMINE)
    for point, interval in zip(risk["prediction"][::2], risk["prediction"][1::2], strict=True):
        bounds = [interval["probabilityRange"][end] for end in ("low", "high")]
        assert all((b["code"], b["system"]) == ("%", "http://unitsofmeasure.org") for b in bounds)
        low, high = (bound["value"] for bound in bounds)
        assert 1 < low < point["probabilityDecimal"] < high < 100
        assert "90 % interval" in interval["outcome"]["text"]


def test_assessment_names_model_basis_time_and_what_is_missing(service: TestClient) -> None:
    risk, _ = ask(service, KETAMINE)
    coding = risk["method"]["coding"][0]
    assert (coding["code"], coding["version"]) == ("ketamine-trd", "local")
    assert "simulated patients" in risk["method"]["text"]
    assert {"reference": "Condition/c-E11.9"} in risk["basis"]
    assert risk["prediction"][0]["whenPeriod"]["start"] == risk["occurrenceDateTime"]
    notes = [note["text"] for note in risk["note"]]
    assert notes[0] == "Trained on simulated patients. Not for clinical use."
    assert any(note.startswith("Missing: ") and "Sleep" in note for note in notes)


def test_each_ordered_plan_is_assessed(service: TestClient) -> None:
    made = ask(service, KETAMINE, medication("N06AB06", status="draft"))
    texts = [r["prediction"][0]["outcome"]["text"] for r in made if r["resourceType"] == "RiskAssessment"]
    assert ["IV ketamine" in texts[0], "Change of oral" in texts[1]] == [True, True]


def test_named_plan_comes_before_orders(service: TestClient) -> None:
    (risk, _) = ask(service, KETAMINE, named("esketamine_28mg"))
    assert "28 mg" in risk["prediction"][0]["outcome"]["text"]


def test_medicine_that_is_taken_is_not_an_order(service: TestClient) -> None:
    refused = service.post(PATH, json=records.bundle(medication("N01AX03")))
    assert refused.status_code == 422
    assert "no plan is named" in refused.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("more", [(KETAMINE,), ()], ids=["with a plan", "without a plan"])
def test_danger_sign_takes_the_place_of_the_assessment(
    service: TestClient, more: tuple[Resource, ...]
) -> None:
    sign = observation("93293-9", None, valueCodeableConcept=concept(LOINC, "LA30374-5"))
    issue, audit = ask(service, sign, *more)
    assert (issue["resourceType"], issue["severity"]) == ("DetectedIssue", "high")
    assert "urgent evaluation by a clinician now" in issue["detail"]
    assert issue["evidence"] == [{"detail": [{"reference": "Observation/o-93293-9-2"}]}]
    assert audit["resourceType"] == "AuditEvent"
    assert "prediction" not in issue


def test_contraindication_takes_the_place_of_the_assessment_of_that_plan_alone(service: TestClient) -> None:
    issue, risk, _ = ask(service, condition("I61.9"), KETAMINE, medication("N06AB06", status="draft"))
    assert issue["code"]["text"].startswith("Contraindicated: IV ketamine")
    assert issue["evidence"] == [{"detail": [{"reference": "Condition/c-I61.9"}]}]
    assert risk["resourceType"] == "RiskAssessment"


def test_patient_may_be_referred_to_by_full_url(service: TestClient) -> None:
    url = "urn:uuid:2f0f2a6e-2f4c-4b7e-8d3e-0a4b6f5c7d11"
    without_id = {name: value for name, value in records.patient().items() if name != "id"}
    score = observation("44261-6", 19, subject={"reference": url})
    entries = [
        {"fullUrl": url, "resource": without_id},
        {"resource": score},
        {"resource": named("iv_ketamine")},
    ]
    answer = service.post(PATH, json={"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert answer.status_code == 200
    risk = answer.json()["entry"][0]["resource"]
    assert risk["basis"][-1] == {"reference": "Observation/o-44261-6-2"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"a": NaN}', 400),
        (b"[" * 20_000 + b"]" * 20_000, 400),
        (b"[]", 422),
        (b'{"resourceType": "Patient"}', 422),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}', 422),
        (b'{"resourceType": "Bundle", "entry": 4}', 422),
    ],
)
def test_body_that_is_no_bundle_of_one_patient_is_refused(
    service: TestClient, body: bytes, status: int
) -> None:
    refused = service.post(PATH, content=body, headers={"Content-Type": "application/fhir+json"})
    assert refused.status_code == status
    assert refused.json()["resourceType"] == "OperationOutcome"


def test_two_patients_are_refused(service: TestClient) -> None:
    assert service.post(PATH, json=records.bundle(KETAMINE, records.patient("p2"))).status_code == 422


def test_unknown_plan_is_refused_without_repeating_it(service: TestClient) -> None:
    for plan in ("Jones-4711", ["Jones-4711"], {"a": "Jones-4711"}, None):
        refused = service.post(PATH, json=records.bundle(named(plan)))
        assert refused.status_code == 422
        assert "Jones" not in refused.text
        assert "iv_ketamine" in refused.json()["issue"][0]["diagnostics"]


def test_other_media_types_are_refused(service: TestClient) -> None:
    refused = service.post(PATH, content=b"<Bundle/>", headers={"Content-Type": "application/fhir+xml"})
    assert refused.status_code == 415


def test_same_bundle_gets_the_same_assessment(service: TestClient) -> None:
    first, second = (ask(service, KETAMINE)[0] for _ in range(2))
    assert first.pop("identifier") != second.pop("identifier")
    assert first == second

"""CDS Hooks services: what a clinician gets to see, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from tests.serving.health_record import records
from tests.serving.health_record.conftest import settings_in
from tests.serving.health_record.records import LOINC, concept, condition, medication, observation

VIEW = "/cds-services/response-prediction"
SELECT = "/cds-services/order-response"


def cards_of(service: TestClient, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = service.post(path, json=body)
    assert answer.status_code == 200, answer.text
    cards: list[dict[str, Any]] = answer.json()["cards"]
    return cards


def sent_with(**parts: object) -> dict[str, Any]:
    return records.prefetch() | parts


def test_card_holds_the_number_that_predict_gives(service: TestClient) -> None:
    (card,) = cards_of(service, VIEW, records.call())
    patient = {
        "age": 46,
        "sex": "female",
        "inpatient": False,
        "phq9_baseline": 19,
        "madrs_baseline": 34,
        "crp": 4.0,  # 0.4 mg/dL
        "bmi": 31.5,
        "diabetes": True,
        "generalised_anxiety": True,
        "anxiety_disorder": True,
        "lamotrigine": True,
    }
    body = {"patient": patient, "plan": "iv_ketamine", "safety": {"phq9_item_9": 1}}
    direct = service.post("/v1/predict", json=body).json()
    assert card["indicator"] == "info"
    (action,) = card["suggestions"][0]["actions"]
    point, interval, remission, _ = action["resource"]["prediction"]
    response = direct["response"]
    assert point["probabilityDecimal"] == pytest.approx(100 * response["probability"], abs=0.05)
    assert remission["probabilityDecimal"] == pytest.approx(
        100 * direct["remission"]["probability"], abs=0.05
    )
    bounds = [interval["probabilityRange"][end]["value"] for end in ("low", "high")]
    assert bounds == pytest.approx([100 * bound for bound in response["interval"]], abs=0.05)
    assert f"Response {100 * response['probability']:.0f} % (90 % interval" in card["summary"]


def test_card_says_what_it_rests_on_and_what_is_missing(service: TestClient) -> None:
    (card,) = cards_of(service, VIEW, records.call())
    assert card["summary"].startswith("Simulated, not for clinical use: ")
    assert len(card["summary"]) < 140
    detail = card["detail"]
    assert "Trained on simulated patients. Not for clinical use." in detail
    assert "| Self-rated depression before treatment (PHQ-9) | 19 |" in detail
    assert "Body mass index" in detail.partition("**Missing**")[0]
    assert "Sleep" in detail.partition("**Missing**")[2]
    assert "questions of the safety screen are not answered by the record: that is not a no" in detail
    resource = card["suggestions"][0]["actions"][0]["resource"]
    assert {"reference": "Observation/o-44261-6-2"} in resource["basis"]
    assert resource["meta"]["security"][0]["code"] == "HTEST"


@pytest.mark.parametrize(
    "sign",
    [
        observation("93293-9", None, valueCodeableConcept=concept(LOINC, "LA30373-7")),
        observation("44260-8", 3),
        records.form("LA6568-5", item=[{"linkId": "/44260-8", "answer": [{"valueInteger": 3}]}]),
        condition("T14.91XA", onsetDateTime=records.days_ago(40)),
    ],
    ids=["C-SSRS 4", "PHQ-9 item 9", "PHQ-9 item 9 in a form", "recent attempt"],
)
@pytest.mark.parametrize("hook", ["view", "select", "select nothing known"])
def test_danger_sign_is_critical_and_stands_alone(
    service: TestClient, sign: dict[str, Any], hook: str
) -> None:
    keys = {"Observation": "observations", "QuestionnaireResponse": "forms", "Condition": "conditions"}
    key = keys[sign["resourceType"]]
    sent = sent_with(**{key: records.searchset(sign)})
    drug = medication("N01AX03" if hook == "select" else "C09AA05", status="draft")
    body = records.call(sent=sent) if hook == "view" else records.order(drug, sent=sent)
    (card,) = cards_of(service, VIEW if hook == "view" else SELECT, body)
    assert card["indicator"] == "critical"
    assert card["summary"].startswith("DANGER SIGN")
    assert "urgent evaluation by a clinician now" in card["detail"]
    assert "suggestions" not in card
    assert "interval" not in json.dumps(card)


def test_contraindicated_order_is_a_warning_without_a_number(service: TestClient) -> None:
    sent = sent_with(conditions=records.searchset(condition("I71.4")))
    body = records.order(
        medication("N06AX27", status="draft"), medication("N06AB06", status="draft"), sent=sent
    )
    contraindicated, other = cards_of(service, SELECT, body)
    assert contraindicated["indicator"] == "warning"
    assert contraindicated["summary"].startswith("CONTRAINDICATED: Esketamine nasal spray")
    assert "which can be fatal here" in contraindicated["detail"]
    assert "suggestions" not in contraindicated
    assert other["indicator"] == "info"
    assert "Change of oral antidepressant only" in other["summary"]


def test_patient_under_18_is_not_predicted_as_one_of_unknown_age(service: TestClient) -> None:
    young = records.patient(birthDate=f"{records.now().year - 15}-01-01")
    (card,) = cards_of(service, VIEW, records.call(sent=sent_with(patient=young)))
    assert card["indicator"] == "warning"
    assert "the models know adults only" in card["detail"]


def test_order_that_means_no_plan_gets_no_card(service: TestClient) -> None:
    assert cards_of(service, SELECT, records.order(medication("C09AA05", status="draft"))) == []


def test_only_selected_orders_count(service: TestClient) -> None:
    drugs = medication("N01AX03", status="draft"), medication("N06AX27", status="draft")
    (card,) = cards_of(service, SELECT, records.order(*drugs, selected=("MedicationRequest/m-N06AX27",)))
    assert "Esketamine" in card["summary"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "Not sent by the record:** observations."),
        ({"observations": {"resourceType": "OperationOutcome"}}, "Not sent by the record:** observations."),
        (
            {
                "observations": records.searchset(
                    link=[{"relation": "next", "url": "https://ehr.example.org/2"}]
                )
            },
            "Not sent by the record:** observations (only in part).",
        ),
    ],
    ids=["absent", "error", "first page"],
)
def test_what_was_not_read_is_said(service: TestClient, value: dict[str, Any], said: str) -> None:
    sent = records.prefetch()
    del sent["observations"]
    (card,) = cards_of(service, VIEW, records.call(sent=sent | value))
    assert said in card["detail"]


def test_null_is_a_search_that_found_nothing(service: TestClient) -> None:
    (card,) = cards_of(service, VIEW, records.call(sent=sent_with(observations=None)))
    assert "Not sent by the record" not in card["detail"]


def test_value_out_of_range_is_missing_and_never_replaced_by_an_older_one(service: TestClient) -> None:
    newest, older = observation("44261-6", 61.25, days=1), observation("44261-6", 12, days=3)
    sent = sent_with(observations=records.searchset(newest, older))
    (card,) = cards_of(service, VIEW, records.call(sent=sent))
    assert (
        "Found, but not used:** Self-rated depression before treatment (PHQ-9): is not from 0 to 27"
        in card["detail"].replace("\\", "")
    )
    assert "| 12 |" not in card["detail"]
    assert "61.25" not in json.dumps(card)


@pytest.mark.parametrize("part", ["observations", "conditions", "draftOrders"])
def test_resource_of_another_patient_is_refused(service: TestClient, part: str) -> None:
    foreign: dict[str, Any] = {"subject": {"reference": "https://ehr.example.org/fhir/Patient/p2/_history/1"}}
    body = records.order(medication("N01AX03", status="draft", **(foreign if part == "draftOrders" else {})))
    if part != "draftOrders":
        resource = (
            observation("44261-6", 9, **foreign) if part == "observations" else condition("E11", **foreign)
        )
        body["prefetch"][part] = records.searchset(resource)
    refused = service.post(SELECT, json=body)
    assert refused.status_code == 422
    assert "is about another patient" in refused.json()["issue"][0]["diagnostics"]


def test_prefetch_of_another_patient_than_the_context_is_refused(service: TestClient) -> None:
    body = records.call(sent=sent_with(patient=records.patient("p2")))
    assert service.post(VIEW, json=body).status_code == 422


@pytest.mark.parametrize("sent", [{}, {"patient": None}, {"patient": {"resourceType": "OperationOutcome"}}])
def test_without_the_patient_it_is_412_with_an_outcome(service: TestClient, sent: dict[str, Any]) -> None:
    body = records.call(sent=sent) | {"fhirServer": "http://127.0.0.1:9/fhir"}
    refused = service.post(VIEW, json=body)
    assert refused.status_code == 412
    assert refused.json()["resourceType"] == "OperationOutcome"
    assert "never calls a FHIR server" in refused.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"hook": "order-select"}, 422),
        ({"hookInstance": "Jones-4711"}, 422),
        ({"context": {"userId": "Practitioner/x", "patientId": "Jones 4711"}}, 422),
        ({"fhirAuthorization": {"access_token": "Jones-4711"}}, 422),
        ({"prefetch": "Jones-4711"}, 422),
    ],
)
def test_refusal_names_the_member_and_repeats_nothing(
    service: TestClient, change: dict[str, Any], status: int
) -> None:
    refused = service.post(VIEW, json=records.call() | change)
    assert refused.status_code == status
    assert "Jones" not in refused.text
    assert "4711" not in refused.text


def test_deep_json_is_refused(service: TestClient) -> None:
    body = b'{"hook": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    refused = service.post(VIEW, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)


def test_unknown_service_is_404(service: TestClient) -> None:
    assert service.post("/cds-services/nothing", json=records.call()).status_code == 404


def test_discovery_asks_for_what_the_mapping_reads(service: TestClient, served: Served) -> None:
    services = service.get("/cds-services").json()["services"]
    assert [(s["id"], s["hook"]) for s in services] == [
        ("response-prediction", "patient-view"),
        ("order-response", "order-select"),
    ]
    templates = services[0]["prefetch"]
    assert set(templates) == {*("patient", "encounter", "observations", "forms", "conditions", "medications")}
    assert "http://loinc.org|93293-9" in templates["observations"]
    assert "urn:treatment-response:local-codes|madrs-total" in templates["observations"]


def test_cohort_without_a_mapping_has_no_services(planless: Served, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with TestClient(create_app(settings, planless), base_url="http://127.0.0.1") as running:
        assert running.get("/cds-services").json() == {"services": []}
        assert running.post(VIEW, json=records.call()).status_code == 404
        body = records.bundle()
        refused = running.post("/fhir/$predict", json=body)
        assert refused.status_code == 404

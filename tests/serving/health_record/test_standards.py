"""What the standards ask of answers, resource by resource and header by header."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from tests.serving.conftest import Service
from tests.serving.health_record import records
from tests.serving.health_record.conftest import settings_in
from tests.serving.health_record.records import LOINC, concept, condition, medication, observation

ORIGIN = "http://127.0.0.1:8080"
SERVICES = ("response-prediction", "order-response")

Start = Callable[..., Service]


@pytest.fixture
def emitted(service: TestClient) -> list[dict[str, Any]]:
    """Every kind of resource that this service makes."""
    draft = medication("N01AX03", status="draft")
    sign = observation("93293-9", None, valueCodeableConcept=concept(LOINC, "LA30374-5"))
    asked = [
        records.bundle(draft, medication("N06AB06", status="draft")),
        records.bundle(draft, sign),
        records.bundle(draft, condition("I61.9")),
        records.bundle(),
        {"resourceType": "Basic"},
    ]
    made = [service.post("/fhir/$predict", json=body).json() for body in asked]
    (card,) = service.post("/cds-services/response-prediction", json=records.call()).json()["cards"]
    made.append(card["suggestions"][0]["actions"][0]["resource"])
    made.append(service.post("/cds-services/response-prediction", json=records.call(sent={})).json())
    kinds = {r["resourceType"] for m in made for r in ([e["resource"] for e in m.get("entry", ())] or [m])}
    assert kinds == {"RiskAssessment", "AuditEvent", "DetectedIssue", "OperationOutcome"}
    return made


def test_whatever_is_emitted_is_well_made_fhir(emitted: list[dict[str, Any]]) -> None:
    find_class = pytest.importorskip("fhir.resources.R4B").get_fhir_model_class
    for resource in emitted:
        read = find_class(resource["resourceType"]).model_validate(resource)
        # Nothing was dropped, and nothing turned out to be of another type.
        assert shape(json.loads(read.model_dump_json(exclude_none=True))) == shape(resource)


def shape(part: object) -> object:
    if isinstance(part, dict):
        return {name: shape(value) for name, value in part.items()}
    return [shape(value) for value in part] if isinstance(part, list) else type(part).__name__


def empty_elements(part: object, where: str = "") -> Iterator[str]:
    """Null, "", [] and {}, which CDS Hooks and FHIR prohibit."""
    if isinstance(part, dict):
        for name, value in part.items():
            if value is None or (value in ("", [], {}) and name not in ("cards", "services")):
                yield f"{where}/{name}"
            yield from empty_elements(value, f"{where}/{name}")
    elif isinstance(part, list):
        for i, value in enumerate(part):
            yield from empty_elements(value, f"{where}/{i}")


def test_nothing_is_null_or_empty(service: TestClient, emitted: list[dict[str, Any]]) -> None:
    sign = observation("44260-8", 3)
    bodies = [
        records.call(),
        records.call(sent={"patient": records.patient()}),
        records.call(sent=records.prefetch() | {"observations": records.searchset(sign)}),
        records.call(sent=records.prefetch() | {"conditions": records.searchset(condition("I61.9"))}),
    ]
    answers = [service.post("/cds-services/response-prediction", json=body).json() for body in bodies]
    assert list(empty_elements([service.get("/cds-services").json(), *answers, *emitted])) == []
    for answer in answers:
        (card,) = answer["cards"]
        assert 0 < len(card["summary"]) < 140
        assert card["indicator"] in ("info", "warning", "critical")
        assert "<" not in card["detail"]


@pytest.fixture
def browsing(served: Served, tmp_path: Path) -> Iterator[TestClient]:
    with ExitStack() as stack:
        settings = settings_in(tmp_path, cors_origins=f"{ORIGIN}, https://ehr.example.org")
        app = create_app(settings, served)
        yield stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000"))


def preflight(service: TestClient, path: str, origin: str) -> Any:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return service.options(path, headers=asks)


@pytest.mark.parametrize("path", ["", "/response-prediction", "/order-response/feedback"])
def test_listed_origins_may_call_and_no_other(browsing: TestClient, path: str) -> None:
    answer = preflight(browsing, f"/cds-services{path}", ORIGIN)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert {"authorization", "content-type"} <= set(
        answer.headers["access-control-allow-headers"].lower().split(", ")
    )
    assert "access-control-allow-credentials" not in answer.headers
    foreign = preflight(browsing, f"/cds-services{path}", "https://evil.example.org")
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize("path", ["/v1/predict", "/fhir/$predict", "/cds-services-of-others"])
def test_no_other_route_is_open_to_foreign_pages(browsing: TestClient, path: str) -> None:
    answer = preflight(browsing, path, ORIGIN)
    assert "access-control-allow-origin" not in answer.headers


def test_listed_page_can_read_the_answer(browsing: TestClient) -> None:
    path = "/cds-services/response-prediction"
    answer = browsing.post(path, json=records.call(), headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN

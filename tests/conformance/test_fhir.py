"""FHIR R4: every resource that a running service emits, in answers, cards and errors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.checks import run_check
from tests.conformance.conftest import Deployment
from tests.serving.health_record import records
from tests.serving.health_record.records import LOINC, concept, condition, medication, observation

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

VIEW, ORDER, FHIR = "/cds-services/response-prediction", "/cds-services/order-response", "/fhir/$predict"


def bodies() -> Iterator[tuple[str, object]]:
    """What is answered in each way that there is: number, danger sign, contraindication, nothing."""
    draft, other = medication("N01AX03", status="draft"), medication("N06AB06", status="draft")
    sign = observation("93293-9", None, valueCodeableConcept=concept(LOINC, "LA30374-5"))
    stroke = condition("I61.9")
    for more in ([draft], [draft, other], [draft, sign], [draft, stroke], []):
        yield FHIR, records.bundle(*more)
    for sent in (
        records.prefetch(),
        records.prefetch() | {"observations": records.searchset(sign)},
        records.prefetch() | {"conditions": records.searchset(stroke)},
        {"patient": records.patient()},
        {},
    ):
        yield VIEW, records.call(sent=sent)
    yield ORDER, records.order(draft, other)
    yield ORDER, records.order()
    wrong: object
    for path in (VIEW, ORDER, FHIR, f"{VIEW}/feedback", "/cds-services/unknown"):
        for wrong in ({"resourceType": "Basic"}, [], None, {"feedback": []}):
            yield path, wrong


def resources_in(part: object) -> Iterator[dict[str, Any]]:
    """Resources, outermost first; the check itself looks into a Bundle."""
    if isinstance(part, dict) and "resourceType" in part:
        yield part
    elif isinstance(part, dict | list):
        for value in part.values() if isinstance(part, dict) else part:
            yield from resources_in(value)


def test_fhir_check_finds_nothing(deployment: Deployment, tmp_path: Path) -> None:
    with httpx.Client(base_url=deployment.url, headers=deployment.headers, timeout=60) as client:
        answers = [client.post(path, json=body) for path, body in bodies()]
        answers.append(client.post(FHIR, content=b"{", headers={"Content-Type": "application/fhir+json"}))
        answers.append(client.post(FHIR, content=b"a=b", headers={"Content-Type": "text/plain"}))
        answers.append(client.get(FHIR))
    found = [r for answer in answers if answer.content for r in resources_in(answer.json())]
    kinds = {r["resourceType"] for r in found}
    kinds |= {e["resource"]["resourceType"] for r in found for e in r.get("entry", ())}
    assert kinds == {"Bundle", "RiskAssessment", "AuditEvent", "DetectedIssue", "OperationOutcome"}
    assert {200, 400, 404, 412, 415, 422} <= {answer.status_code for answer in answers}
    for i, resource in enumerate(found):
        (tmp_path / f"{i}.json").write_text(json.dumps(resource), encoding="utf-8")
    code, said = run_check("fhir_check.py", str(tmp_path), needs=("fhir", "fhirpathpy"))
    assert code == 0, said
    assert "0 fail, 0 warn" in said

"""No value of a patient in the log, the metrics, temporary files or an error, on any surface."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.conformance.checks import run_check
from tests.conformance.conftest import Deployment
from tests.serving.health_record import records

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

ASKED: dict[str, Any] = {
    "patient": {
        "age": 46,
        "sex": "female",
        "madrs_baseline": 34,
        "ptsd": True,
        "childhood_trauma_domains": "2",
    },
    "safety": {"pregnancy": False, "cssrs_ideation": 1},
    "observed": {"madrs_day_1": 20},
    "plan": "iv_ketamine",
}
VIEW = "/cds-services/response-prediction"


def named_record() -> dict[str, Any]:
    """What a health record sends of a patient whose every name, id and note is the canary."""
    sent = records.prefetch()
    for resource in resources_of(sent):
        resource.pop("subject", None)
        resource |= {"id": "CANARY", "note": [{"text": "CANARY"}]}
    sent["patient"] |= {
        "name": [{"family": "CANARY", "given": ["CANARY"]}],
        "identifier": [{"system": "urn:mrn", "value": "CANARY"}],
        "address": [{"line": ["CANARY"], "postalCode": "CANARY"}],
    }
    return sent


def resources_of(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("resourceType") not in (None, "Bundle"):
            yield part
        else:
            for value in part.values():
                yield from resources_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from resources_of(value)


def card_call() -> dict[str, Any]:
    return records.call(sent=named_record(), patientId="CANARY", userId="CANARY", encounterId="CANARY")


def bundle() -> dict[str, Any]:
    plan = {"resourceType": "Parameters", "parameter": [{"name": "plan", "valueCode": "iv_ketamine"}]}
    entries = [{"resource": resource} for resource in resources_of(named_record())]
    return {"resourceType": "Bundle", "type": "collection", "entry": [*entries, {"resource": plan}]}


def predict(deployment: Deployment) -> str:
    answer = httpx.post(f"{deployment.url}/v1/predict", json=ASKED, headers=deployment.headers, timeout=60)
    assert answer.status_code == 200
    return str(answer.json()["prediction_id"])


def outcome(prediction: str) -> dict[str, Any]:
    seen = {"endpoint": 9, "response": True, "remission": True, "weeks_to_relapse": 8, "relapsed": False}
    return seen | {"prediction_id": prediction, "plan": "iv_ketamine", "observed_on": "2026-12-21"}


def feedback(prediction: str) -> dict[str, Any]:
    reason = {"reason": {"code": "x", "system": "urn:x"}, "userComment": "CANARY"}
    told = {"card": prediction, "outcomeTimestamp": "2026-11-01T10:05:31Z"}
    accepted = {"outcome": "accepted", "acceptedSuggestions": [{"id": str(uuid4())}]}
    return {"feedback": [told | {"outcome": "overridden", "overrideReason": reason}, told | accepted]}


def body_for(route: str, deployment: Deployment) -> dict[str, Any]:
    match route:
        case "/v1/predict":
            return ASKED | {"drivers": True}
        case "/v1/plans":
            return ASKED | {"start": "2026-12-01", "relapse_free": {"target": 0.6, "weeks": 26}}
        case "/v1/outcomes":
            return outcome(predict(deployment))
        case "/cds-services/response-prediction":
            return card_call()
        case "/fhir/$predict":
            return bundle()
        case _:
            return feedback(predict(deployment))


@pytest.mark.parametrize(
    "route", ["/v1/predict", "/v1/plans", "/v1/outcomes", VIEW, "/fhir/$predict", f"{VIEW}/feedback"]
)
def test_phi_canary_finds_nothing(deployment: Deployment, tmp_path: Path, route: str) -> None:
    body = body_for(route, deployment)
    (tmp_path / "body.json").write_text(json.dumps(body), encoding="utf-8")
    token = deployment.provider.sign()
    headers = deployment.headers | {"X-Patient-Pseudonym": "MRN-7731"}
    if route == "/v1/predict":
        headers["Authorization"] = f"Bearer {token}"
    # A clinician's own words on a card are kept, on purpose, with the other inputs in the records.
    places = [
        *(deployment.service.log, deployment.home / "tmp"),
        *([] if route.endswith("/feedback") else [deployment.home / ".records"]),
    ]
    code, said = run_check(
        "phi_canary.py",
        *("--url", deployment.url + route, "--body", str(tmp_path / "body.json")),
        *(part for name, value in headers.items() for part in ("--header", f"{name}: {value}")),
        *("--path-url", f"{deployment.url}/v1/patients/CANARY?mrn=CANARY", *map(str, places)),
        needs=("httpx",),
    )
    assert code == 0, said
    assert [line for line in said.splitlines() if line.startswith(("FAIL", "WARN"))] == []
    assert said.endswith(" 0 leak(s), 0 echo(es)\n"), said
    # The body itself is one that is answered: else the check would only see refusals.
    sent = json.loads(json.dumps(body).replace("CANARY", "c1"))
    answer = httpx.post(deployment.url + route, json=sent, headers=deployment.headers, timeout=60)
    assert answer.status_code in (200, 201), answer.text
    assert b"CNRY" not in metrics(deployment)
    secrets = (token.encode(), deployment.key.encode(), b"MRN-7731", digest("MRN-7731"))
    assert [secret for secret in secrets if secret in written(deployment)] == []


def metrics(deployment: Deployment) -> bytes:
    answer = httpx.get(f"{deployment.url}/metrics", headers=deployment.headers, timeout=60)
    assert answer.status_code == 200
    assert b"treatment_response_predictions_total{" in answer.content
    return answer.content


def digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).hexdigest().encode()


def written(deployment: Deployment) -> bytes:
    """All that the service has written: its log, records and temporary files."""
    return b"\n".join(path.read_bytes() for path in deployment.home.rglob("*") if path.is_file())


def send_raw(deployment: Deployment, request: str) -> None:
    address = urlsplit(deployment.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(request.encode())
        connection.recv(65536)


def test_headers_forms_and_addresses_leave_nothing_behind(deployment: Deployment) -> None:
    canary = f"PATIENT{uuid4().hex[:12]}"
    names = (
        "X-Patient-Pseudonym",
        "X-Request-ID",
        "User-Agent",
        "Referer",
        "Cookie",
        "Traceparent",
        "Forwarded",
    )
    headers = deployment.headers | dict.fromkeys(names, canary)
    answers = []
    with httpx.Client(base_url=deployment.url, headers=headers, timeout=60) as client:
        answers.append(client.post("/v1/predict", json=ASKED))
        assert answers[-1].status_code == 200
        form = {"/plan": "iv_ketamine", "/patient/age": "46", "/pseudonym": canary}
        assert client.post("/answer", data=form).status_code == 200
        # The form comes back with what was typed, for its own reader; it is not written anywhere.
        for field in ("/patient/age", "/plan", "/start", f"/patient/{canary}"):
            client.post("/answer", data={"/plan": "iv_ketamine", field: canary})
        for path in (
            canary,
            f"v1/{canary}",
            f"examples/{canary}",
            f"static/{canary}",
            f"cds-services/{canary}",
        ):
            for accept in ("application/json", "text/html"):
                for method in ("GET", "POST", "PUT", canary[:7]):
                    answers.append(
                        client.request(method, f"/{path}?mrn={canary}", headers={"Accept": accept}, json={})
                    )
        for secret in (canary, f"trk_{canary}", f"trk_0123456789ab_{canary}", f"{canary}.{canary}.{canary}"):
            answers.append(client.get("/v1/model", headers={"Authorization": f"Bearer {secret}"}))
        answers.append(client.post("/login", data={"key": canary, "next": f"/{canary}"}))
        answers.append(client.post("/v1/predict", content=canary, headers={"Content-Type": canary}))
    for text in (f"GET /{canary} HTTP/9\r\n\r\n", f"{canary}\r\n\r\n", f"GET / HTTP/1.1\r\n{canary}\r\n\r\n"):
        send_raw(deployment, text)
    time.sleep(1)  # the log of the last request is written after its answer
    refused = [answer for answer in answers if answer.status_code >= 400]
    assert len(refused) > 40
    told = [str(a.request.url.path) for a in refused if canary in a.text or canary in str(a.headers)]
    assert told == []
    everything = written(deployment) + metrics(deployment)
    assert all(part in everything for part in (b'"route":"/v1/predict"', b"SQLite format 3", b'"status":404'))
    assert [secret for secret in (canary.encode(), digest(canary)) if secret in everything] == []

"""What every answer says, and what no request gets."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.access.key_file import KeyFile
from serving.access.replay import UsedTokens
from tests.serving.access.conftest import Serve, bearer


@pytest.mark.parametrize(
    "path", ["/v1/model", "/nowhere", "/v1/predict", "/readyz", "/login", "/static/access.css"]
)
def test_every_answer_carries_the_security_headers(serve: Serve, path: str) -> None:
    headers = serve().get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "font", "connect")} == {"'self'"}
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == (
        "'none'",
        "'none'",
        "'self'",
    )
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers  # nobody may be kept to an HTTPS that is not there


def test_refusals_carry_them_too_and_have_an_id(serve: Serve, key_file: KeyFile, clinician: str) -> None:
    refused = serve(api_keys=key_file.path).get("/v1/model")
    assert refused.status_code == 401
    assert "content-security-policy" in refused.headers
    assert len(refused.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "a@evil.example", "[x"]
)
def test_name_that_somebody_elses_page_points_here_is_refused(serve: Serve, host: str) -> None:
    refused = serve().get("/v1/model", headers={"Host": host})
    assert refused.status_code == (200 if host == "" else 421)


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "clinic.example", "desk3"]
)
def test_own_names_are_answered(serve: Serve, host: str) -> None:
    client = serve(public_url="https://clinic.example")
    assert client.get("/v1/model", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../pyproject.toml",
        "/static/..%2f..%2fpyproject.toml",
        "/static/%2e%2e/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/access.css/../../routes.py",
        "/static/",
    ],
)
def test_no_path_leads_out_of_the_pages_files(serve: Serve, path: str) -> None:
    answer = serve().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/healthz/../v1/model", "/static/../v1/model", "/login/../metrics", "/readyz/", "/%6cogin/"]
)
def test_public_paths_are_no_way_around_the_key(
    serve: Serve, key_file: KeyFile, clinician: str, path: str
) -> None:
    answer = serve(api_keys=key_file.path).get(path)
    assert answer.status_code in (401, 404, 307)
    assert "provenance" not in answer.text


@pytest.mark.parametrize("body", ["[" * 100_000, '{"patient":' * 20_000, '{"patient":{"age":' + "[" * 5000])
def test_deep_json_is_refused(client: TestClient, body: str) -> None:
    refused = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)


def test_preflight_is_answered_without_a_key_and_allows_nothing(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    client = serve(api_keys=key_file.path)
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = client.options("/v1/predict", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers
    # Saying that it is one opens nothing: only OPTIONS is a question.
    assert client.get("/v1/model", headers=asked).status_code == 401


def test_request_of_a_script_needs_no_token_of_the_page(serve: Serve, request_body: dict[str, Any]) -> None:
    assert serve().post("/v1/predict", json=request_body).status_code == 200


def test_used_token_is_known_to_every_worker_until_it_expires(tmp_path: Path) -> None:
    one, other = (UsedTokens(tmp_path / "used.sqlite") for _ in range(2))
    assert one.first_use("a", "x", 4e9)
    assert not other.first_use("a", "x", 4e9)
    assert other.is_used("a", "x")
    assert other.first_use("b", "x", 4e9)
    assert other.first_use("ab", "", 4e9)  # nor is one name the other's
    assert one.first_use("a", "old", 1.0)
    assert one.first_use("a", "y", 4e9)
    assert not one.is_used("a", "old")


def test_metrics_count_by_route_version_and_verdict_and_hold_no_value(
    serve: Serve, key_file: KeyFile, clinician: str, request_body: dict[str, Any]
) -> None:
    client = serve(api_keys=key_file.path)
    body = request_body | {"patient": request_body["patient"] | {"age": 46.123456}}
    answer = client.post("/v1/predict", json=body, headers=bearer(clinician)).json()
    client.post("/v1/predict", content=json.dumps({"patient": {"Jones-4711": 1}}), headers=bearer(clinician))
    client.get("/v1/patients/Jones-4711", headers=bearer(clinician))
    client.get("/v1/model")
    from serving.access.api_keys import add_key

    _, watcher = add_key(key_file, "prometheus", ["ci"], 1, ["metrics"])
    text = client.get("/metrics", headers=bearer(watcher)).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    label = f'surface="api",verdict="{answer["verdict"]}",version="local"'
    assert lines[f"treatment_response_predictions_total{{{label}}}"] == "1.0"
    assert lines['treatment_response_missing_inputs_total{predictor="crp"}'] == "1.0"
    assert 'treatment_response_missing_inputs_total{predictor="age"}' not in lines
    assert lines['treatment_response_refusals_total{status="401"}'] == "1.0"
    assert lines['treatment_response_refusals_total{status="404"}'] == "1.0"
    ok = 'treatment_response_request_seconds_count{method="POST",route="/v1/predict",status="200"}'
    assert lines[ok] == "1.0"
    assert lines["treatment_response_version_refused"] == "0.0"
    assert any(
        line.startswith("treatment_response_model_info{") and 'version="local"' in line for line in lines
    )
    assert [secret for secret in ("46.123456", "Jones", "4711", "trk_") if secret in text] == []


def test_description_says_who_may_ask_where_somebody_must(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    closed = serve(api_keys=key_file.path).get("/openapi.json", headers=bearer(clinician)).json()
    assert closed["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    predict = closed["paths"]["/v1/predict"]["post"]
    assert closed["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
    assert predict["security"] == [{"bearer": ["predict"]}, {"apiKey": ["predict"]}]
    assert "429" in predict["responses"]
    assert "security" not in closed["paths"]["/healthz"]["get"]
    assert "securitySchemes" not in serve().get("/openapi.json").json()["components"]


def test_predictions_cannot_be_found_by_trying_ids(serve: Serve, request_body: dict[str, Any]) -> None:
    client = serve()
    ids = [
        uuid.UUID(client.post("/v1/predict", json=request_body).json()["prediction_id"]) for _ in range(20)
    ]
    assert {found.version for found in ids} == {4}  # 122 random bits
    assert len({found.int >> 64 for found in ids}) == len({found.int % 2**62 for found in ids}) == 20
    neighbours = [uuid.UUID(int=ids[0].int + 1), uuid.UUID(int=0), uuid.uuid4()]
    outcome = {"endpoint": 10}
    answers = [client.post("/v1/outcomes", json=outcome | {"prediction_id": str(n)}) for n in neighbours]
    # One answer for all that are not there, whatever else there is.
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert answers[0].status_code == 404
    assert (
        client.get(f"/v1/outcomes/{ids[0]}").status_code
        == client.get(f"/v1/predictions/{ids[0]}").status_code
        == 404
    )

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from serving.problems import MEDIA_TYPE
from serving.settings import Settings

PLANS = "iv_ketamine, esketamine, esketamine_28mg, esketamine_monotherapy, oral_antidepressant"


def text(patient: str = '{"age": 46}', plan: str = '"plan": "iv_ketamine"', more: str = "") -> bytes:
    """A body as text, because some of what goes wrong cannot be written by `json.dumps`."""
    return f'{{"patient": {patient}, {plan}{more}}}'.encode()


AGE = ("/patient/age", "must be a number from 18 to 100")

# What is sent, the part of it that must not come back, and (pointer, text) of each expected error.
BAD_FIELDS: dict[str, tuple[bytes, str, list[tuple[str, str]]]] = {
    "boolean for a number": (text('{"age": true}'), "true", [AGE]),
    "text for a number": (text('{"age": "47"}'), "47", [AGE]),
    "list for a number": (text('{"age": [47]}'), "47", [AGE]),
    "too low": (text('{"age": 17.999}'), "17.999", [AGE]),
    "too high": (text('{"age": 100.001}'), "100.001", [AGE]),
    "forty digits": (text(f'{{"age": {"4" * 40}}}'), "4444", [AGE]),
    "huge exponent": (text('{"age": 4e777}'), "777", [AGE]),
    "NaN": (text('{"age": NaN}'), "NaN", [AGE]),
    "Infinity": (text('{"age": Infinity}'), "Infinity", [AGE]),
    "minus Infinity": (text('{"age": -Infinity}'), "Infinity", [AGE]),
    "fraction for a binary": (
        text('{"ptsd": 0.75}'),
        "0.75",
        [("/patient/ptsd", "must be true or false (or 1 or 0)")],
    ),
    "word for a binary": (
        text('{"ptsd": "yess"}'),
        "yess",
        [("/patient/ptsd", "must be true or false (or 1 or 0)")],
    ),
    "unknown level": (
        text('{"sex": "dragon"}'),
        "dragon",
        [("/patient/sex", "must be one of: female, male")],
    ),
    "number for a category": (text('{"sex": 77}'), "77", [("/patient/sex", "must be one of: female, male")]),
    "unknown ordinal level": (
        text('{"childhood_trauma_domains": 66}'),
        "66",
        [("/patient/childhood_trauma_domains", "must be one of: 0, 1, 2, 3, 4, 5")],
    ),
    "huge exponent for an ordinal": (
        text('{"childhood_trauma_domains": -4e777}'),
        "777",
        [("/patient/childhood_trauma_domains", "must be one of: 0, 1, 2, 3, 4, 5")],
    ),
    "eight hundred digits for an ordinal": (
        text(f'{{"childhood_trauma_domains": {"4" * 800}}}'),
        "4444",
        [("/patient/childhood_trauma_domains", "must be one of: 0, 1, 2, 3, 4, 5")],
    ),
    "boolean for an ordinal": (
        text('{"childhood_trauma_domains": true}'),
        "true",
        [("/patient/childhood_trauma_domains", "must be one of: 0, 1, 2, 3, 4, 5")],
    ),
    "fraction for an ordinal": (
        text('{"childhood_trauma_domains": 2.75}'),
        "2.75",
        [("/patient/childhood_trauma_domains", "must be one of: 0, 1, 2, 3, 4, 5")],
    ),
    "unknown predictor": (
        text('{"madrs_baselin_Jones": 47}'),
        "Jones",
        [
            (
                "/patient",
                "holds an unknown predictor; the nearest known one is `madrs_baseline` (all: GET /v1/schema)",
            )
        ],
    ),
    "plan among the predictors": (
        text('{"plan": "iv_ketamine_x"}'),
        "iv_ketamine_x",
        [("/patient", "holds the plan, which stands beside `patient` as `plan`")],
    ),
    "landmark predictor": (
        text('{"madrs_day_1": 18.25}'),
        "18.25",
        [
            (
                "/patient/madrs_day_1",
                "is known only at day_1: it stands in `observed`, beside `patient`",
            )
        ],
    ),
    "observed too high": (
        text(more=', "observed": {"madrs_day_1": 60.25}'),
        "60.25",
        [("/observed/madrs_day_1", "must be a number from 0 to 60")],
    ),
    "observed text": (
        text(more=', "observed": {"madrs_session_4": "18"}'),
        "18",
        [("/observed/madrs_session_4", "must be a number from 0 to 60")],
    ),
    "observed boolean": (
        text(more=', "observed": {"madrs_week_2": true}'),
        "true",
        [("/observed/madrs_week_2", "must be a number from 0 to 60")],
    ),
    "unknown measurement": (
        text(more=', "observed": {"madrs_day_17": 18.25}'),
        "18.25",
        [
            (
                "/observed",
                "holds an unknown measurement; the nearest known one is `madrs_day_1` (all: GET /v1/model)",
            )
        ],
    ),
    "baseline predictor observed": (
        text(more=', "observed": {"age": 46.25}'),
        "46.25",
        [("/observed/age", "is known before treatment: it stands in `patient`")],
    ),
    "observed no object": (
        text(more=', "observed": [18.25]'),
        "18.25",
        [("/observed", "must be an object of later measurements (GET /v1/model)")],
    ),
    "wrong plan": (
        text(plan='"plan": "leeches"'),
        "leeches",
        [("/plan", f"must be one of: {PLANS}; it is required")],
    ),
    "no plan": (
        b'{"patient": {"age": 47}}',
        "47",
        [("/plan", f"must be one of: {PLANS}; it is required")],
    ),
    "null for the plan": (
        text(plan='"plan": null'),
        "null",
        [("/plan", f"must be one of: {PLANS}; it is required")],
    ),
    "no patient": (
        b'{"plan": "iv_ketamine"}',
        "\0",
        [("/patient", "must be an object of predictors (GET /v1/schema), and is required")],
    ),
    "list for the patient": (
        text("[47]"),
        "47",
        [("/patient", "must be an object of predictors (GET /v1/schema), and is required")],
    ),
    "number for drivers": (text(more=', "drivers": 47'), "47", [("/drivers", "must be true or false")]),
    "unknown member": (
        text(more=', "patients_Jones": 47'),
        "Jones",
        [("", "holds an unknown member; the nearest known one is `patient`")],
    ),
    "list": (b"[47]", "47", [("", "must be a JSON object with `patient` and `plan`")]),
    "two at once": (
        text('{"age": 17.125, "sex": "dragon"}'),
        "17.125",
        [AGE, ("/patient/sex", "must be one of: female, male")],
    ),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_bad_field_is_named_with_what_is_allowed_and_never_repeated(client: TestClient, name: str) -> None:
    body, sent, errors = BAD_FIELDS[name]
    response = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.headers["content-type"] == MEDIA_TYPE
    problem = response.json()
    assert (problem["type"], problem["title"], problem["status"]) == (
        "about:blank",
        "Unprocessable Entity",
        422,
    )
    assert [(error["field"], error["detail"]) for error in problem["errors"]] == errors
    # "true" stands in what is allowed for `drivers`, never in what is said of the age.
    assert sent not in response.text


JSON = {"Content-Type": "application/json"}
BAD_BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "empty": (b"", JSON, 400, "the body is empty; send a JSON object"),
    "broken": (b'{"patient": {"age": 47', JSON, 400, "the body is not JSON: EOF while parsing an object"),
    "two documents": (b"{}{}", JSON, 400, "the body is not JSON: trailing characters"),
    "not UTF-8": (b'{"patient": {"sex": "\xff"}}', JSON, 400, "the body is not UTF-8 text"),
    "lone surrogate": (b'{"patient": {"sex": "\\ud800"}}', JSON, 400, "the body is not JSON: "),
    "thousand brackets": (b"[" * 1000, JSON, 400, "the body is not JSON: recursion limit exceeded"),
    "number of 5000 digits": (
        b'{"patient": {"age": ' + b"4" * 5000 + b"}}",
        JSON,
        400,
        "number out of range",
    ),
    "form": (
        b"age=47",
        {"Content-Type": "application/x-www-form-urlencoded"},
        415,
        "send the request as JSON",
    ),
    "no content type": (text(), {}, 415, "send the request as JSON"),
    "five megabytes": (b" " * 5_000_000, JSON, 413, "the body is too large; at most 262144 bytes are read"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_gets_a_problem_document(client: TestClient, name: str) -> None:
    body, headers, status, detail = BAD_BODIES[name]
    response = client.post("/v1/predict", content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    assert detail in response.json()["detail"]
    assert "47" not in response.text
    assert "444" not in response.text


def test_body_of_unknown_length_is_refused_while_it_is_read(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(400):
            yield b" " * 1000

    response = client.post("/v1/predict", content=chunks(), headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (413, MEDIA_TYPE)


def test_body_of_unknown_length_below_the_limit_is_answered(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    whole = json.dumps(request_body).encode()
    response = client.post("/v1/predict", content=iter([whole[:20], whole[20:]]), headers=JSON)
    assert response.status_code == 200


def test_content_type_may_name_its_charset(client: TestClient) -> None:
    headers = {"Content-Type": "application/JSON; charset=utf-8"}
    assert client.post("/v1/predict", content=text(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/predict", 405),
        ("PUT", "/v1/predict", 405),
        ("POST", "/v1/model", 405),
        ("GET", "/none", 404),
    ],
)
def test_wrong_address_or_method_gets_a_problem_document(
    client: TestClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, MEDIA_TYPE)
    assert response.json()["status"] == status
    assert ("allow" in response.headers) == (status == 405)


def test_many_unknown_names_are_answered_briefly_and_quickly(client: TestClient) -> None:
    patient = {f"unknown_{i}": 1 for i in range(8000)} | {"x" * 20_000: 1}
    response = client.post("/v1/predict", json={"patient": patient, "plan": "iv_ketamine"})
    assert response.status_code == 422
    assert len(response.json()["errors"]) <= 50
    # Comparing each name with each predictor would take most of a minute.
    assert response.elapsed.total_seconds() < 3


def test_unexpected_error_is_answered_without_details_and_logged_without_its_message(
    served: Served,
    request_body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TestClient(create_app(Settings(), served)) as client:

        def fail(*arguments: object, **options: object) -> None:
            raise ArithmeticError("Jones is 46")

        monkeypatch.setattr("models.scorer.Scorer.answer", fail)
        response = client.post("/v1/predict", json=request_body)
        logged = capsys.readouterr().err
        page = client.post("/v1/predict", json=request_body, headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["content-type"]) == (500, MEDIA_TYPE)
    # A person who has no script gets a page, not JSON.
    assert (page.status_code, "Not answered" in page.text) == (500, True)
    assert "Jones" not in response.text + page.text
    assert "Jones" not in logged
    [failed, line] = [json.loads(line) for line in logged.splitlines()]
    assert (failed["error"], failed["level"]) == ("ArithmeticError", "error")
    assert "in fail" in failed["place"]
    # Whoever got the problem can name the line in the log.
    assert failed["id"] == line["id"] == response.headers["x-request-id"]


def test_plan_is_refused_where_the_cohort_has_none(planless: Served) -> None:
    with TestClient(create_app(Settings(), planless)) as client:
        response = client.post("/v1/predict", json={"patient": {}, "plan": "iv_ketamine"})
        crp = client.post("/v1/predict", json={"patient": {"crp": 4e15, "copy/json~1": 4}})
        nothing = client.post("/v1/predict", json=[])
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"field": "/plan", "detail": "must be left out: this model has no plans"}
    ]
    assert crp.json()["errors"] == [
        {"field": "/patient/crp", "detail": "must be a number from -1e+15 to 1e+15"},
        {"field": "/patient/copy~1json~01", "detail": "must be true or false (or 1 or 0)"},
    ]
    assert nothing.json()["errors"] == [{"field": "", "detail": "must be a JSON object with `patient`"}]


def test_nothing_is_predicted_before_the_service_is_ready(
    served: Served, request_body: dict[str, Any]
) -> None:
    client = TestClient(create_app(Settings(), served))  # without `with`, the lifespan has not begun
    for response in (
        client.get("/readyz"),
        client.get("/v1/model"),
        client.post("/v1/predict", json=request_body),
    ):
        assert (response.status_code, response.headers["content-type"]) == (503, MEDIA_TYPE)
        assert response.headers["retry-after"] == "1"
    assert client.get("/healthz").status_code == 200

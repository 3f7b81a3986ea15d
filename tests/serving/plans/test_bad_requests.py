"""A bad request for plans is told what is allowed, and no value of it is repeated or logged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from serving.problems import MEDIA_TYPE
from serving.settings import Settings
from tests.serving.plans.conftest import LEVELS, ask

PLAN = f"must be one of: {', '.join(LEVELS)}; only beside `observed`"
BAD: dict[str, tuple[dict[str, Any], str, list[tuple[str, str]]]] = {
    "unknown question": (
        {"safety": {"psychosys_Jones": True}},
        "Jones",
        [("/safety", "holds an unknown question; the nearest known one is `psychosis` (all: GET /v1/model)")],
    ),
    "word for yes": (
        {"safety": {"psychosis": "yess"}},
        "yess",
        [("/safety/psychosis", "must be true or false, or nothing if not known")],
    ),
    "number for yes": (
        {"safety": {"psychosis": 77}},
        "77",
        [("/safety/psychosis", "must be true or false, or nothing if not known")],
    ),
    "boolean for a number": (
        {"safety": {"cssrs_ideation": True}},
        "\0",
        [("/safety/cssrs_ideation", "must be a whole number from 0 to 5, or nothing if not known")],
    ),
    "out of range": (
        {"safety": {"cssrs_ideation": 66}},
        "66",
        [("/safety/cssrs_ideation", "must be a whole number from 0 to 5, or nothing if not known")],
    ),
    "fraction": (
        {"safety": {"cssrs_ideation": 2.75}},
        "2.75",
        [("/safety/cssrs_ideation", "must be a whole number from 0 to 5, or nothing if not known")],
    ),
    "list of answers": (
        {"safety": ["psychosis"]},
        "psychosis",
        [("/safety", "must be an object of answers to the safety questions (GET /v1/model)")],
    ),
    "no such day": (
        {"start": "2026-02-31"},
        "02-31",
        [("/start", "must be a date such as 2026-12-01, from 1900-01-01 to 2199-12-31")],
    ),
    "seconds for a day": (
        {"start": 1764547200},
        "17645",
        [("/start", "must be a date such as 2026-12-01, from 1900-01-01 to 2199-12-31")],
    ),
    "far future": (
        {"start": "9999-12-31"},
        "9999",
        [("/start", "must be a date such as 2026-12-01, from 1900-01-01 to 2199-12-31")],
    ),
    "certain relief": (
        {"relapse_free": {"target": 1}},
        "\0",
        [("/relapse_free/target", "must be a probability above 0 and below 1")],
    ),
    "too many weeks": (
        {"relapse_free": {"weeks": 533}},
        "533",
        [("/relapse_free/weeks", "must be a whole number from 1 to 52")],
    ),
    "half weeks": (
        {"relapse_free": {"weeks": 5.5}},
        "5.5",
        [("/relapse_free/weeks", "must be a whole number from 1 to 52")],
    ),
    "yes for weeks": (
        {"relapse_free": {"weeks": True}},
        "\0",
        [("/relapse_free/weeks", "must be a whole number from 1 to 52")],
    ),
    "unknown aim": (
        {"relapse_free": {"wecks": 5}},
        "wecks",
        [("/relapse_free", "holds an unknown member; the nearest known one is `weeks`")],
    ),
    "number for the aim": (
        {"relapse_free": 0.75},
        "0.75",
        [("/relapse_free", "must be an object with `target` and `weeks`")],
    ),
    "plan without observations": (
        {"plan": "iv_ketamine"},
        "\0",
        [("/plan", "is the plan that the patient is on: send it beside `observed`, or leave it out")],
    ),
    "observations without a plan": (
        {"observed": {"madrs_day_1": 18.25}},
        "18.25",
        [("/plan", f"must be one of: {', '.join(LEVELS)}; `observed` was measured on it")],
    ),
    "unknown plan": ({"plan": "leeches", "observed": {}}, "leeches", [("/plan", PLAN)]),
    "drivers": (
        {"drivers": False},
        "\0",
        [("", "holds an unknown member; the nearest known one is `relapse_free`")],
    ),
    "bad predictor": (
        {"patient": {"age": 17.125}},
        "17.125",
        [("/patient/age", "must be a number from 18 to 100")],
    ),
    "no patient": (
        {"patient": None},
        "\0",
        [("/patient", "must be an object of predictors (GET /v1/schema), and is required")],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_field_is_named_with_what_is_allowed_and_never_repeated(
    client: TestClient, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body, sent, errors = BAD[name]
    response = client.post("/v1/plans", json={"patient": {"age": 46}} | body)
    assert (response.status_code, response.headers["content-type"]) == (422, MEDIA_TYPE)
    assert [(error["field"], error["detail"]) for error in response.json()["errors"]] == errors
    assert sent not in response.text.replace("psychosis` (all", "")
    assert sent not in capsys.readouterr().err


@pytest.mark.parametrize("safety", [{"psychosys": True}, {"maoi": 1}, {"madrs_item_10": "5"}])
def test_prediction_checks_the_same_answers(client: TestClient, safety: dict[str, Any]) -> None:
    body = {"patient": {}, "plan": "iv_ketamine", "safety": safety}
    response = client.post("/v1/predict", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith("/safety")


def test_no_patient_value_is_logged(care: Served, capsys: pytest.CaptureFixture[str]) -> None:
    with TestClient(create_app(Settings(log_level="debug"), care)) as client:
        ask(client, patient={"age": 47.625}, safety={"systolic_pressure": 153})
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [entry["route"] for entry in entries] == ["/v1/plans"]
    # Random or measured, these may hold any digits.
    told = [{key: entry[key] for key in entry.keys() - {"id", "ms", "timestamp"}} for entry in entries]
    for sent in ("47.625", "153", "systolic"):
        assert sent not in json.dumps(told)

"""All plans for one patient, over HTTP: numbers only where they may stand, and safety before all of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from features.safety import load_rules
from models.plan_model import state_assumption
from models.storage import save_model
from serving.answers import SIMULATED, Prediction
from serving.app import create_app
from serving.loading import Served
from serving.plan_answers import Plans
from serving.problems import MEDIA_TYPE
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care, shipped_file
from tests.serving.conftest import serve_folder
from tests.serving.test_predict import as_table, requests
from training.plans.batch import plans_table

LEVELS = shipped_file().plan_levels
REFERENCE = "oral_antidepressant"
PATIENT = {"age": 46, "sex": "female", "madrs_baseline": 34, "diabetes": True}
NUMBERS = ("response", "remission", "difference", "durability")


def serve(folder: Path, *, shown: bool) -> Served:
    save_model(shipped_care(shown=shown), folder)
    sign_folder(folder)
    return serve_folder(folder)


@pytest.fixture(scope="module")
def care(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serve(tmp_path_factory.mktemp("care") / "ketamine-trd", shown=True)


@pytest.fixture(scope="module")
def client(care: Served) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(log_level="warning"), care)) as running:
        yield running


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/plans", json={"patient": PATIENT} | body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def by_plan(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {plan["plan"]: plan for plan in answer["plans"]}


def test_answer_holds_all_that_a_page_needs(client: TestClient) -> None:
    response = client.post("/v1/plans", json={"patient": PATIENT})
    assert (response.headers["content-type"], response.headers["cache-control"]) == (
        "application/json",
        "no-store",
    )
    answer = response.json()
    assert list(answer) == [
        "prediction_id", "model", "safety", "plans", "choice", "course", "inputs", "assumption", "notices",
    ]  # fmt: skip
    assert uuid.UUID(answer["prediction_id"]).version == 4
    assert answer["model"] == {
        "name": "ketamine-trd", "version": "local", "provenance": "simulated", "landmark": "baseline",
    }  # fmt: skip
    plans = by_plan(answer)
    assert list(plans) == list(LEVELS)
    assert [name for name, plan in plans.items() if plan["reference"]] == [REFERENCE]
    assert plans[REFERENCE]["difference"] == {"value": 0, "interval": [0, 0], "level": 0.9}
    ketamine = plans["iv_ketamine"]
    low, high = ketamine["response"]["interval"]
    assert 0 < low < ketamine["response"]["probability"] < high < 1
    expected = ketamine["response"]["probability"] - plans[REFERENCE]["response"]["probability"]
    assert ketamine["difference"]["value"] == pytest.approx(expected)
    assert ketamine["durability"]["weeks"] == list(range(53))
    assert [c["maintenance"] for c in ketamine["durability"]["curves"]][:1] == ["none"]
    assert answer["notices"][0] == SIMULATED
    assert answer["assumption"] == state_assumption("observational")
    assert answer["choice"]["shown"] is True
    assert "beats the best plan for all" in answer["choice"]["sentence"]
    # The plain dict that is sent is what the API document promises.
    Plans.model_validate(answer, strict=False)


def test_same_request_gives_same_answer_bit_for_bit(client: TestClient) -> None:
    body = {"patient": PATIENT, "safety": {"psychosis": True}, "start": "2026-12-01"}
    first, second = (client.post("/v1/plans", json=body).content for _ in range(2))
    ids = [json.loads(sent)["prediction_id"].encode() for sent in (first, second)]
    assert ids[0] != ids[1]
    assert first.replace(ids[0], b"") == second.replace(ids[1], b"")


def safety_answers() -> st.SearchStrategy[dict[str, bool | int | None]]:
    parts: dict[str, st.SearchStrategy[bool | int | None]] = {
        rule.name: st.none() | (st.booleans() if rule.valid is None else st.integers(*rule.valid))
        for rule in load_rules()
    }
    return st.sets(st.sampled_from(sorted(parts)), max_size=6).flatmap(
        lambda names: st.fixed_dictionaries({name: parts[name] for name in names})
    )


def fires(name: str, answer: bool | int | None) -> bool:
    """Whether an answer makes a rule fire: written anew, not taken from the screen."""
    rule = next(rule for rule in load_rules() if rule.name == name)
    if answer is None:
        return False
    return answer is rule.fires if isinstance(rule.fires, bool) else rule.fires.holds(answer)


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_no_input_yields_a_number_beside_a_danger_sign_or_a_contraindication(
    data: st.DataObject, client: TestClient
) -> None:
    request = data.draw(requests(shipped_file()))
    safety = data.draw(safety_answers())
    rules = {rule.name: rule for rule in load_rules()}
    fired = [rules[name] for name, given_answer in safety.items() if fires(name, given_answer)]
    danger = any(rule.effect == "danger_sign" for rule in fired)
    against = {
        plan
        for rule in fired
        if rule.effect == "contraindication"
        for plan in LEVELS
        if rule.concerns(shipped_file().regimens[plan].drug)
    }
    answer = ask(client, patient=request["patient"], safety=safety)
    Plans.model_validate(answer, strict=False)
    assert answer["safety"]["stops"] is danger
    # An unanswered question is always listed; only a predictor can have answered it.
    listed = {question["name"] for question in answer["safety"]["unanswered"]}
    answered = {name for name, one in safety.items() if one is not None}
    by_predictor = {
        r.name for r in rules.values() if r.predictor and request["patient"].get(r.predictor) is not None
    }
    assert listed == set(rules) - answered - by_predictor
    if danger:
        assert (answer["plans"], answer["choice"], answer["course"]) == ([], None, None)
        assert answer["safety"]["urgent"].startswith("Danger sign: no plan and no probability is given. Stop")
    for plan in answer["plans"]:
        assert plan["offered"] == (plan["plan"] not in against)
        assert bool(plan["reasons"]) == (plan["plan"] in against)
        if plan["plan"] in against:
            assert all(plan[name] is None for name in (*NUMBERS, "support", "schedule"))
            assert not plan["recommended"]
        elif not plan["support"]["sufficient"]:
            assert all(plan[name] is None for name in NUMBERS)
            assert not plan["recommended"]
    assert sum(plan["recommended"] for plan in answer["plans"]) <= 1
    # The other surface that gives a number says none either.
    prediction = client.post("/v1/predict", json=request | {"safety": safety}).json()
    Prediction.model_validate(prediction, strict=False)
    withheld = danger or request["plan"] in against
    for name in ("response", "remission", "verdict"):
        assert (prediction[name] is None) == withheld
    assert bool(prediction["drivers"]) != withheld
    assert prediction["safety"]["urgent"] == answer["safety"]["urgent"]


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_served_answer_equals_the_batch_command(
    data: st.DataObject, client: TestClient, care: Served
) -> None:
    request = data.draw(requests(shipped_file()))
    cases: list[dict[str, bool | int]] = [{}, {"pregnancy": True}, {"madrs_item_10": 6}, {"psychosis": True}]
    safety = data.draw(st.sampled_from(cases))
    answer = ask(client, patient=request["patient"], safety=safety)
    frame = as_table(request, shipped_file()).assign(**{name: str(one) for name, one in safety.items()})
    batch = plans_table(care.model, frame).table
    assert batch["plan"].tolist() == list(LEVELS)
    assert bool(answer["plans"]) == (not batch["safety"].str.startswith("danger").any())
    for plan, row in zip(answer["plans"], batch.to_dict("records"), strict=bool(answer["plans"])):
        assert plan["recommended"] == row["recommended"]
        assert plan["offered"] == (row["safety"] == "")
        for part, value in (("response", "response_probability"), ("difference", "difference")):
            if plan[part] is None:
                assert row[value] != row[value]
                continue
            names = (value, "response_low", "response_high") if part == "response" else (
                value, "difference_low", "difference_high",
            )  # fmt: skip
            served = [plan[part].get("probability", plan[part].get("value")), *plan[part]["interval"]]
            assert served == pytest.approx([row[name] for name in names], abs=1e-6)
        if plan["offered"]:
            assert plan["support"]["propensity"] == pytest.approx(row["propensity"], abs=1e-6)
            assert plan["support"]["comparable_patients"] == row["comparable_patients"]
            assert plan["support"]["sufficient"] == row["sufficient"]


def test_unanswered_is_not_no(client: TestClient) -> None:
    left_out, no = ask(client), ask(client, safety={"psychosis": False})
    for safety in ({}, None, {"psychosis": None}):
        assert ask(client, safety=safety) | {"prediction_id": ""} == left_out | {"prediction_id": ""}
    assert "psychosis" in {q["name"] for q in left_out["safety"]["unanswered"]}
    assert "psychosis" not in {q["name"] for q in no["safety"]["unanswered"]}
    # Diabetes is known from the predictors.
    assert "diabetes" not in {q["name"] for q in left_out["safety"]["unanswered"]}
    assert [(d["name"], d["origin"]) for d in left_out["safety"]["duties"]] == [("diabetes", "predictor")]


def test_contraindicated_reference_leaves_no_difference_and_no_tree(client: TestClient) -> None:
    answer = ask(client, safety={"pregnancy": True})
    plans = by_plan(answer)
    assert [name for name, plan in plans.items() if plan["offered"]] == [REFERENCE]
    assert plans["iv_ketamine"]["reasons"][0].startswith("The label does not recommend it in pregnancy")
    # The best plan for all, and a tree made without regard to safety, would name what is not offered.
    assert (answer["choice"]["best_single"], answer["choice"]["tree"]) == (None, None)
    assert not plans[REFERENCE]["recommended"]


def test_schedule_has_days_alone_or_dates_too(client: TestClient) -> None:
    plain, dated = ask(client), ask(client, start="2026-12-01")
    for name in LEVELS:
        without, with_dates = (by_plan(answer)[name]["schedule"] for answer in (plain, dated))
        for part in ("sessions", "reviews"):
            assert {entry["date"] for entry in without[part]} <= {None}
            assert [entry["day"] for entry in without[part]] == [entry["day"] for entry in with_dates[part]]
            for entry in with_dates[part]:
                assert entry["date"] == str(date(2026, 12, 1) + timedelta(days=entry["day"]))
    ketamine = by_plan(plain)["iv_ketamine"]["schedule"]
    induction = [s["day"] for s in ketamine["sessions"] if s["phase"] == "induction"]
    assert induction == [0, 3, 7, 10, 14, 17]
    assert ketamine["duties"]


def test_maintenance_is_the_least_frequent_that_keeps_the_target(client: TestClient) -> None:
    order = ("none", "every_4_weeks", "every_2_weeks", "weekly")
    for target in (0.05, 0.3, 0.5, 0.6, 0.7, 0.8, 0.999):
        answer = ask(client, relapse_free={"target": target, "weeks": 12})
        for plan in answer["plans"]:
            if plan["durability"] is None or not shipped_file().regimens[plan["plan"]].maintenance:
                assert plan["schedule"]["maintenance"] is None
                continue
            low = {c["maintenance"]: c["low"][12] for c in plan["durability"]["curves"]}
            good = [level for level in order if low.get(level) is not None and low[level] >= target]
            assert plan["schedule"]["maintenance"] == (good[0] if good else None)
            sessions = [s for s in plan["schedule"]["sessions"] if s["phase"] == "maintenance"]
            assert bool(sessions) == bool(good and good[0] != "none")
            if not good:
                assert plan["schedule"]["why"].startswith("No maintenance reaches a lower bound of")


def test_whole_number_may_be_written_with_a_point(client: TestClient) -> None:
    # JSON Schema takes 12.0 for an integer, and so do clients that know one kind of number only.
    plain, pointed = (ask(client, relapse_free={"weeks": weeks}) for weeks in (12, 12.0))
    assert plain["plans"] == pointed["plans"]


def test_older_patients_begin_esketamine_with_28_mg(client: TestClient) -> None:
    answer = ask(client, patient=PATIENT | {"age": 70})
    assert by_plan(answer)["esketamine"]["schedule"]["sessions"][0]["dose"] == "28 mg"
    assert by_plan(ask(client))["esketamine"]["schedule"]["sessions"][0]["dose"] == "56 mg"


def test_nobody_comparable_leaves_no_number(client: TestClient) -> None:
    names = [p.name for p in shipped_file().baseline_predictors]
    assert "bmi" in names
    answer = ask(client, patient=PATIENT | {"bmi": 79.0})
    for plan in answer["plans"]:
        assert plan["offered"]
        assert plan["support"] == plan["support"] | {"comparable_patients": 0, "sufficient": False}
        assert all(plan[name] is None for name in NUMBERS)
        if shipped_file().regimens[plan["plan"]].maintenance:
            assert plan["schedule"]["why"] == "No maintenance is chosen: not enough comparable patients."


def test_nothing_is_recommended_unless_choosing_is_shown_to_pay(tmp_path: Path, client: TestClient) -> None:
    with TestClient(create_app(Settings(), serve(tmp_path / "unproven", shown=False))) as unproven:
        answer = ask(unproven)
    assert answer["choice"]["shown"] is False
    assert "is not shown to beat" in answer["choice"]["sentence"]
    assert not any(plan["recommended"] for plan in answer["plans"])
    assert sum(plan["recommended"] for plan in ask(client)["plans"]) == 1


def test_course_is_that_of_the_prediction(client: TestClient) -> None:
    body = {"patient": PATIENT, "plan": "iv_ketamine", "observed": {"madrs_day_1": 12}}
    answer, prediction = (client.post(f"/v1/{name}", json=body).json() for name in ("plans", "predict"))
    course = answer["course"]
    assert prediction["model"]["landmark"] == "day_1"
    assert (course["plan"], course["landmark"], course["unused"]) == ("iv_ketamine", "day_1", [])
    for name in ("response", "remission", "verdict"):
        assert course[name] == prediction[name]
    assert {name: course[name] for name in prediction["course"]} == prediction["course"]
    # The comparison itself stays that from baseline.
    assert answer["plans"] == ask(client)["plans"]
    assert ask(client)["course"] is None
    assert ask(client, plan="iv_ketamine", observed={})["course"] is None
    # Safety outranks the course as well.
    for safety in ({"pregnancy": True}, {"cssrs_ideation": 5}):
        assert client.post("/v1/plans", json=body | {"safety": safety}).json()["course"] is None
        withheld = client.post("/v1/predict", json=body | {"safety": safety}).json()
        assert (withheld["course"], withheld["response"]) == (None, None)


def test_prediction_beside_a_danger_sign_is_the_urgent_text(client: TestClient) -> None:
    body = {"patient": PATIENT, "plan": "iv_ketamine"}
    answer = client.post("/v1/predict", json=body | {"safety": {"recent_suicide_attempt": True}}).json()
    assert answer["notices"][0] == answer["safety"]["urgent"]
    assert "urgent evaluation by a clinician now" in answer["notices"][0]
    assert answer["drivers"] == []
    against = client.post("/v1/predict", json=body | {"safety": {"breast_feeding": True}}).json()
    assert against["response"] is None
    assert against["notices"][0].startswith("Not offered: The label does not recommend breast-feeding")
    # The same question does not concern the other plan.
    other = {"patient": PATIENT, "plan": REFERENCE, "safety": {"breast_feeding": True}}
    assert client.post("/v1/predict", json=other).json()["response"] is not None
    assert client.post("/v1/predict", json=body).json()["safety"] is None


def test_model_lists_the_safety_questions(client: TestClient) -> None:
    questions = client.get("/v1/model").json()["safety_questions"]
    assert [q["name"] for q in questions] == [rule.name for rule in load_rules()]
    assert questions[0]["effect"] == "danger_sign"
    scale = next(q for q in questions if q["name"] == "cssrs_ideation")
    assert (scale["kind"], scale["valid"]) == ("whole_number", [0, 5])
    assert scale["allowed"] == "a whole number from 0 to 5, or nothing if not known"


def test_cohort_without_plans_has_none_to_compare_but_is_screened(planless: Served) -> None:
    with TestClient(create_app(Settings(), planless)) as client:
        response = client.post("/v1/plans", json={"patient": {}})
        asked = {"patient": {}, "safety": {"phq9_item_9": 3}}
        stopped = client.post("/v1/predict", json=asked).json()
        names = {q["name"] for q in client.get("/v1/model").json()["safety_questions"]}
    assert (response.status_code, response.headers["content-type"]) == (404, MEDIA_TYPE)
    assert "no plans to compare" in response.json()["detail"]
    assert (stopped["response"], stopped["safety"]["stops"]) == (None, True)
    assert "pregnancy" not in names


def test_model_without_plan_comparison_answers_404(care: Served) -> None:
    bare = replace(care, model=replace(care.model, plans=None))
    with TestClient(create_app(Settings(), bare)) as client:
        assert client.post("/v1/plans", json={"patient": PATIENT}).status_code == 404


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
    logged = capsys.readouterr().err
    assert '"route":"/v1/plans"' in logged
    assert "47.625" not in logged
    assert "153" not in logged.replace('"ms"', "").split('"route"')[0]
    assert "systolic" not in logged

"""All plans for one patient, over HTTP: numbers only where they may stand."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.plan_model import state_assumption
from serving.answers import SIMULATED
from serving.app import create_app
from serving.loading import Served
from serving.plan_answers import Plans
from serving.problems import MEDIA_TYPE
from serving.settings import Settings
from tests.models.small_care import shipped_file
from tests.serving.plans.conftest import LEVELS, NUMBERS, PATIENT, REFERENCE, ask, by_plan, serve
from tests.serving.test_predict import as_table, requests
from training.plans.batch import plans_table


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

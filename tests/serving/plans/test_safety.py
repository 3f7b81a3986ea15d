"""Safety stands before all numbers, whatever is asked."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from features.safety import load_rules
from serving.answers import Prediction
from serving.plan_answers import Plans
from tests.models.small_care import shipped_file
from tests.serving.plans.conftest import LEVELS, NUMBERS, PATIENT, REFERENCE, ask, by_plan
from tests.serving.test_predict import requests


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

"""Predictions during the course of treatment: which landmark answers, from what, and when to stop."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.schema import check_table
from models.care_model import CareModel
from models.scorer import Scorer
from serving.answers import Prediction
from serving.app import create_app
from serving.loading import Served
from serving.schemas import observed_predictors
from serving.settings import Settings
from tests.serving.test_predict import as_table, requests, values
from training.scoring import score_frame

SCORES = st.integers(0, 60).map(float) | st.floats(0, 60, allow_subnormal=False).map(lambda x: round(x, 2))
FAST = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def ask(client: TestClient, body: dict[str, Any], **observed: float | None) -> dict[str, Any]:
    response = client.post("/v1/predict", json=body | {"observed": observed})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    Prediction.model_validate(answer, strict=False)
    return answer | {"prediction_id": ""}


@given(data=st.data())
@FAST
def test_no_measurement_of_the_course_changes_what_is_said_of_baseline(
    data: st.DataObject, client: TestClient, served: Served
) -> None:
    body = data.draw(requests(served.model.cohort_file))
    file = served.model.cohort_file
    observed = {p.name: data.draw(st.none() | values(p)) for p in observed_predictors(file)}
    answer = ask(client, body, **observed)
    plain = ask(client, body)
    if answer["course"] is None:
        assert answer == plain
    else:
        # Whatever was measured since, the prediction from before treatment stays what it was.
        assert answer["course"]["from_baseline"]["response"] == plain["response"]
        change = answer["response"]["probability"] - plain["response"]["probability"]
        assert answer["course"]["from_baseline"]["change"] == pytest.approx(change, abs=1e-12)


@pytest.mark.parametrize("landmark", ["day_1", "week_2"])
@given(data=st.data())
@FAST
def test_served_answer_at_a_landmark_equals_the_batch_for_any_inputs(
    data: st.DataObject, client: TestClient, served: Served, landmark: str
) -> None:
    model = served.model.landmarks[landmark]
    body = data.draw(requests(served.model.cohort_file))
    observed: dict[str, float | None] = {f"madrs_{landmark}": data.draw(SCORES)}
    if landmark == "week_2":
        observed["madrs_day_1"] = data.draw(st.none() | SCORES)
    answer = ask(client, body, **observed)
    assert answer["model"]["landmark"] == answer["course"]["landmark"] == landmark
    known = {"patient": body["patient"] | observed, "plan": body["plan"]}
    frame = check_table(model.cohort_file, as_table(known, model.cohort_file), "score")
    [batch] = score_frame(model, frame).to_dict("records")
    for outcome in ("response", "remission"):
        assert answer[outcome]["probability"] == pytest.approx(batch[f"{outcome}_probability"], abs=1e-6)
        interval = [batch[f"{outcome}_low"], batch[f"{outcome}_high"]]
        assert answer[outcome]["interval"] == pytest.approx(interval, abs=1e-6)
    assert " ".join(answer["inputs"]["missing"]) == batch["missing"]
    assert answer["course"]["stopping"]["response_if_continued"] == answer["response"]


def test_the_latest_landmark_with_a_value_answers(client: TestClient, request_body: dict[str, Any]) -> None:
    first = ask(client, request_body, madrs_day_1=18)
    second = ask(client, request_body, madrs_day_1=18, madrs_week_2=14)
    skipped = ask(client, request_body, madrs_week_2=14)
    assert [a["model"]["landmark"] for a in (first, second, skipped)] == ["day_1", "week_2", "week_2"]
    assert "madrs_day_1" in skipped["inputs"]["missing"]
    assert "madrs_day_1" not in second["inputs"]["missing"]
    # A value that is null was not measured.
    assert ask(client, request_body, madrs_day_1=18, madrs_week_2=None) == first
    # A great fall makes response likelier than none.
    assert (
        second["response"]["probability"]
        > ask(client, request_body, madrs_week_2=40)["response"]["probability"]
    )


def test_a_prediction_at_day_1_rests_on_nothing_later(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    plain = ask(client, request_body, madrs_day_1=18)
    with_checks = ask(client, request_body, madrs_day_1=18, madrs_session_3=2, madrs_session_5=2)
    for key in ("response", "remission", "verdict", "inputs", "drivers", "model"):
        assert with_checks[key] == plain[key]


def test_empty_and_null_measurements_are_none(client: TestClient, request_body: dict[str, Any]) -> None:
    plain = client.post("/v1/predict", json=request_body).json() | {"prediction_id": ""}
    assert plain["course"] is None
    assert ask(client, request_body) == plain
    assert ask(client, request_body, madrs_day_1=None, madrs_session_3=None) == plain
    null = client.post("/v1/predict", json=request_body | {"observed": None})
    assert null.json() | {"prediction_id": ""} == plain


# Baseline 34: improvement is a fall of 20 %, to 27.2 or below.
@pytest.mark.parametrize(
    ("observed", "fires"),
    [
        ({"madrs_session_5": 28}, "yes"),
        ({"madrs_session_5": 27}, "not enough observed"),
        ({"madrs_day_1": 28, "madrs_session_3": 30, "madrs_session_4": 34}, "yes"),
        ({"madrs_day_1": 28, "madrs_session_3": 30, "madrs_session_4": 27}, "not enough observed"),
        ({"madrs_day_1": 28, "madrs_session_4": 27, "madrs_session_5": 20}, "no"),
        ({"madrs_day_1": 30}, "not enough observed"),
    ],
)
def test_the_futility_rule_is_judged_from_what_is_known(
    client: TestClient, request_body: dict[str, Any], observed: dict[str, float], fires: str
) -> None:
    rule = ask(client, request_body, **observed)["course"]["stopping"]["rule"]
    assert rule["fires"] == fires
    assert "s41398-024-03027-2" in rule["source"]
    for name in ("false_stops", "caught"):
        rate = rule[name]
        low, high = rate["interval"]
        assert rate["share"] == rate["count"] / rate["of"]
        assert low < rate["share"] < high


def test_the_futility_rule_needs_the_baseline_score(client: TestClient, request_body: dict[str, Any]) -> None:
    del request_body["patient"]["madrs_baseline"]
    rule = ask(client, request_body, madrs_session_5=28)["course"]["stopping"]["rule"]
    assert rule["fires"] == "not enough observed"


def test_the_futility_rule_is_not_applied_to_plans_it_was_not_made_for(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    answer = ask(client, request_body | {"plan": "esketamine"}, madrs_day_1=30, madrs_session_5=28)
    assert answer["course"]["stopping"]["rule"] is None
    assert answer["notices"][-1] == "Predicted from day_1; not used: madrs_session_5."


def test_a_landmark_without_a_model_says_what_is_not_used(
    served: Served, request_body: dict[str, Any]
) -> None:
    model = CareModel({"baseline": served.model.baseline})
    bare = Served("bare", "local", served.digest, model, Scorer(model.baseline), {})
    with TestClient(create_app(Settings(), bare)) as client:
        answer = ask(client, request_body, madrs_day_1=18)
        described = client.get("/v1/model").json()["landmarks"]
        plain = ask(client, request_body)
    assert answer["model"]["landmark"] == answer["course"]["landmark"] == "baseline"
    assert answer["response"] == plain["response"]
    assert answer["course"]["from_baseline"]["change"] == 0
    assert answer["notices"][-1] == "Predicted from baseline; not used: madrs_day_1."
    assert [landmark["predicts"] for landmark in described] == [True, False, False]


def test_a_model_without_later_predictors_takes_no_measurement(planless: Served) -> None:
    with TestClient(create_app(Settings(), planless)) as client:
        refused = client.post("/v1/predict", json={"patient": {}, "observed": {"day_1": 3}})
        empty = client.post("/v1/predict", json={"patient": {}, "observed": {}})
        schema = client.get("/v1/schema").json()
    assert refused.json()["errors"] == [
        {"field": "/observed", "detail": "must be left out: this model predicts from baseline only"}
    ]
    assert empty.status_code == 200
    assert "$defs" not in schema


def test_landmarks_and_their_measurements_are_described(client: TestClient) -> None:
    assert client.get("/v1/model").json()["landmarks"] == [
        {"name": "baseline", "predicts": True, "observed": []},
        {"name": "day_1", "predicts": True, "observed": ["madrs_day_1"]},
        {
            "name": "week_2",
            "predicts": True,
            "observed": ["madrs_week_2", "madrs_session_3", "madrs_session_4", "madrs_session_5"],
        },
    ]
    observed = client.get("/v1/schema").json()["$defs"]["Observed"]
    assert observed["additionalProperties"] is False
    day_1 = observed["properties"]["madrs_day_1"]
    assert (day_1["x-landmark"], day_1["x-unit"]) == ("day_1", "points")
    assert "madrs_day_28" not in observed["properties"]

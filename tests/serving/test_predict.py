import uuid
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.cohort_file import CohortFile, Predictor
from features.schema import LARGEST as LARGEST_IN_TABLES
from features.schema import check_table
from serving.answers import SIMULATED, Prediction
from serving.app import create_app
from serving.loading import Served
from serving.schemas import LARGEST
from serving.settings import Settings
from training.scoring import score_frame


def values(predictor: Predictor) -> st.SearchStrategy[Any]:
    """Values that a request may hold for a predictor, missing included."""
    if predictor.kind == "binary":
        given: st.SearchStrategy[Any] = st.sampled_from([True, False, 0, 1])
    elif predictor.levels:
        given = st.sampled_from(predictor.levels)
    else:
        low, high = predictor.valid or (-1e6, 1e6)
        given = st.floats(low, high, allow_subnormal=False).map(lambda x: round(x, 3))
    return st.none() | given


@st.composite
def requests(draw: st.DrawFn, cohort_file: CohortFile) -> dict[str, Any]:
    patient = {p.name: draw(values(p)) for p in cohort_file.baseline_predictors}
    absent = draw(st.sets(st.sampled_from(sorted(patient))))
    return {
        "patient": {name: value for name, value in patient.items() if name not in absent},
        "plan": draw(st.sampled_from(cohort_file.plan_levels)),
    }


def as_table(request: dict[str, Any], cohort_file: CohortFile) -> pd.DataFrame:
    """The same patient as a row of a batch: text cells, empty where a value is missing."""
    cells: dict[str, str | None] = {"patient_id": "p1", "plan": request["plan"]}
    for predictor in cohort_file.baseline_predictors:
        value = request["patient"].get(predictor.name)
        cells[predictor.name] = None if value is None else str(value)
    return pd.DataFrame([cells], dtype="str")


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_served_answer_equals_the_batch_command_for_any_inputs(
    data: st.DataObject, client: TestClient, served: Served
) -> None:
    cohort_file = served.scorer.cohort_file
    request = data.draw(requests(cohort_file))
    response = client.post("/v1/predict", json=request)
    assert response.status_code == 200, response.text
    answer = response.json()
    frame = check_table(cohort_file, as_table(request, cohort_file), "score")
    [batch] = score_frame(served.scorer.model, frame).to_dict("records")
    for outcome in ("response", "remission"):
        assert answer[outcome]["probability"] == pytest.approx(batch[f"{outcome}_probability"], abs=1e-6)
        interval = [batch[f"{outcome}_low"], batch[f"{outcome}_high"]]
        assert answer[outcome]["interval"] == pytest.approx(interval, abs=1e-6)
    assert answer["verdict"] == batch["verdict"]
    assert " ".join(answer["inputs"]["missing"]) == batch["missing"]
    # The plain dict that is sent is what the API document promises.
    Prediction.model_validate(answer, strict=False)


def test_prediction_holds_what_is_promised(
    client: TestClient, request_body: dict[str, Any], served: Served
) -> None:
    response = client.post("/v1/predict", json=request_body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert list(answer) == [
        "prediction_id", "model", "plan", "safety", "response", "remission", "verdict", "inputs", "drivers",
        "course", "notices",
    ]  # fmt: skip
    assert uuid.UUID(answer["prediction_id"]).version == 4
    assert answer["model"] == {
        "name": "ketamine-trd",
        "version": "local",
        "provenance": "simulated",
        "landmark": "baseline",
    }
    assert answer["plan"] == "iv_ketamine"
    assert answer["course"] is None
    low, high = answer["response"]["interval"]
    assert 0 < low < answer["response"]["probability"] < high < 1
    assert answer["response"]["level"] == 0.9
    # Invariant: whatever is simulated says so; and a patient with three values of forty gets told.
    assert answer["notices"][0] == SIMULATED
    assert "37 of 40 predictors are missing" in answer["notices"][1]
    assert set(answer["inputs"]["missing"]).isdisjoint(request_body["patient"])
    effects = [driver["effect"] for driver in answer["drivers"]]
    assert effects == sorted(effects, key=abs, reverse=True)
    # Drivers sum to the distance from the average patient.
    average = served.scorer.model.outcomes["response"].average
    assert sum(effects) == pytest.approx(answer["response"]["probability"] - average, abs=1e-6)


def test_same_request_gives_same_answer_but_for_its_id(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    first, second = (client.post("/v1/predict", json=request_body).json() for _ in range(2))
    assert first.pop("prediction_id") != second.pop("prediction_id")
    assert first == second


def test_left_out_and_null_predictors_are_both_missing(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    plain = client.post("/v1/predict", json=request_body).json()
    request_body["patient"]["crp"] = None
    with_null = client.post("/v1/predict", json=request_body | {"observed": {}}).json()
    assert "crp" in plain["inputs"]["missing"]
    assert plain | {"prediction_id": ""} == with_null | {"prediction_id": ""}


def test_drivers_can_be_left_out(client: TestClient, request_body: dict[str, Any]) -> None:
    with_drivers = client.post("/v1/predict", json=request_body).json()
    without = client.post("/v1/predict", json=request_body | {"drivers": False}).json()
    assert without["drivers"] == []
    assert len(with_drivers["drivers"]) == 41
    assert without["response"] == with_drivers["response"]


def test_unusual_value_is_reported_with_what_was_seen(
    client: TestClient, request_body: dict[str, Any]
) -> None:
    request_body["patient"]["bmi"] = 88.5
    [unusual] = client.post("/v1/predict", json=request_body).json()["inputs"]["unusual"]
    assert (unusual["name"], unusual["value"]) == ("bmi", 88.5)
    low, high = unusual["seen"]
    assert 10 < low < high < 88.5


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("childhood_trauma_domains", ["3", 3, 3.0]),
        ("ptsd", [True, 1, 1.0]),
        ("age", [46, 46.0]),
    ],
)
def test_forms_of_the_same_value_give_the_same_answer(
    client: TestClient, request_body: dict[str, Any], name: str, forms: list[Any]
) -> None:
    answers = []
    for form in forms:
        request_body["patient"][name] = form
        answers.append(client.post("/v1/predict", json=request_body).json() | {"prediction_id": ""})
    assert all(answer == answers[0] for answer in answers)


def test_cohort_without_plans_is_served(planless: Served) -> None:
    with TestClient(create_app(Settings(), planless)) as client:
        answer = client.post("/v1/predict", json={"patient": {"madrs_baseline": 30, "copy/json~1": True}})
        assert answer.status_code == 200, answer.text
        assert answer.json()["plan"] is None
        assert answer.json()["notices"] == []
        model = client.get("/v1/model").json()
    assert (model["plans"], model["reference_plan"], model["notices"]) == ({}, None, [])


def test_service_and_tables_allow_the_same_largest_number() -> None:
    assert LARGEST == LARGEST_IN_TABLES

"""The service's scorer against the batch model."""

import numpy as np
import pytest

from features.encoding import column_names, encode_patient
from models.response_model import LEVEL
from models.scorer import Scorer
from tests.models.small import FILE, NAMES, fresh_rows, small_model

NAN = float("nan")


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_what_the_model_predicts(name: str) -> None:
    model, rows = small_model(name), fresh_rows(40)
    scorer, inputs = Scorer(model), model.inputs(rows)
    response, remission = (model.outcomes[k].predict(inputs) for k in ("response", "remission"))
    verdicts = model.outcomes["response"].choice.bounds.verdicts(response[0])
    for i, row in enumerate(rows):
        answer = scorer.answer(row.tolist())
        for likelihood, expected in ((answer.response, response), (answer.remission, remission)):
            found = (likelihood.probability, likelihood.low, likelihood.high)
            np.testing.assert_allclose(found, expected[:, i], rtol=0, atol=1e-12)
        assert answer.verdict == verdicts[i]
        missing = [n for n, value in zip(column_names(FILE), row, strict=True) if np.isnan(value)]
        assert list(answer.missing) == missing


@pytest.mark.parametrize("name", NAMES)
def test_drivers_are_sorted_and_add_up(name: str) -> None:
    model = small_model(name)
    answer = Scorer(model).answer(fresh_rows()[3].tolist())
    effects = [driver.effect for driver in answer.drivers]
    assert [abs(e) for e in effects] == sorted((abs(e) for e in effects), reverse=True)
    assert {driver.name for driver in answer.drivers} == set(column_names(FILE))
    expected = answer.response.probability - model.outcomes["response"].average
    assert sum(effects) == pytest.approx(expected, abs=1e-6)


def test_drivers_show_values_as_they_were_given() -> None:
    patient = {"age": 41.5, "pain": True, "sex": "none", "trauma": "2", "madrs_start": 33}
    answer = Scorer(small_model("ridge")).answer(encode_patient(FILE, patient, "pill"))
    shown = {driver.name: (driver.label, driver.value) for driver in answer.drivers}
    assert shown == {
        "age": ("Age", 41.5),
        "pain": ("Chronic pain", True),
        "sex": ("Sex", "none"),
        "trauma": ("Trauma", "2"),
        "madrs_start": (shown["madrs_start"][0], 33.0),
        "crp": (shown["crp"][0], None),
        "plan": ("Plan", "pill"),
    }
    # A binary value is no number: the page would show 1.0.
    assert shown["pain"][1] is True


def test_drivers_cost_nothing_if_they_are_not_wanted() -> None:
    scorer, row = Scorer(small_model("xgboost")), fresh_rows()[5].tolist()
    without, with_drivers = scorer.answer(row, drivers=False), scorer.answer(row)
    assert without.drivers == ()
    assert without.response == with_drivers.response
    assert without.remission == with_drivers.remission


def test_values_outside_what_training_patients_had_are_pointed_out() -> None:
    model = small_model("ridge")
    low, high = model.encoder.seen_[0]
    scorer = Scorer(model)
    for age, expected in ((low, False), (high, False), (low - 0.5, True), (high + 0.5, True), (NAN, False)):
        answer = scorer.answer([age, 1, 0, 1, 33, 2.0, 0])
        assert [u.name for u in answer.unusual] == (["age"] if expected else [])
        for unusual in answer.unusual:
            assert (unusual.value, unusual.low, unusual.high) == (age, low, high)


def test_a_patient_of_whom_nothing_is_known_still_gets_an_answer() -> None:
    answer = Scorer(small_model("average")).answer([NAN] * 6 + [1.0])
    assert 0 < answer.response.low < answer.response.probability < answer.response.high < 1
    assert len(answer.missing) == 6
    assert answer.unusual == ()


def test_a_scorer_says_what_it_answers_for() -> None:
    scorer = Scorer(small_model("ridge"))
    assert (scorer.level, scorer.landmark) == (LEVEL, "baseline")
    assert scorer.cohort_file is small_model("ridge").cohort_file

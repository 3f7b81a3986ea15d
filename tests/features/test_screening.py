"""The screen of a cohort: many patients by column, and one by one, must agree."""

from __future__ import annotations

import numpy as np
import pytest

from features.cohort_file import CohortFile, parse_cohort_file
from features.encoding import column_names
from features.safety import load_rules
from features.screening import CohortScreen
from tests.features.files import COHORT
from tests.models.small_care import shipped_file

OWN = """
[predictors.phq9_item_9]
kind = "number"
valid = [0, 10]
[predictors.pregnancy]
kind = "binary"
[predictors.psychosis]
kind = "category"
levels = ["1", "0"]
"""


def with_questions_as_predictors() -> CohortFile:
    return parse_cohort_file(COHORT + OWN, "own.toml")


FILES = {"shipped": shipped_file(), "own": with_questions_as_predictors()}


def draw_answers(rng: np.random.Generator) -> dict[str, float | bool | None]:
    answers: dict[str, float | bool | None] = {}
    for rule in load_rules():
        low, high = rule.valid or (0, 1)
        value = int(rng.integers(low, high + 1))
        answers[rule.name] = None if rng.random() < 0.4 else bool(value) if rule.valid is None else value
    return {name: answer for name, answer in answers.items() if rng.random() < 0.7}


@pytest.mark.parametrize("name", FILES)
def test_by_column_says_what_one_by_one_says(name: str) -> None:
    file, rng = FILES[name], np.random.default_rng(3)
    screen, n = CohortScreen(file), 400
    asked = [draw_answers(rng) for _ in range(n)]
    rows = np.full((n, len(column_names(file))), np.nan)
    patients: list[dict[str, object]] = [{} for _ in range(n)]
    for i, j in np.argwhere(rng.random((n, len(file.baseline_predictors))) < 0.7).tolist():
        predictor = file.baseline_predictors[j]
        low, high = (0, 1) if predictor.kind == "binary" else predictor.valid or (0, 100)
        code = float(
            rng.integers(len(predictor.levels)) if predictor.levels else rng.integers(int(low), int(high) + 1)
        )
        rows[i, j] = code
        patients[i][predictor.name] = predictor.levels[int(code)] if predictor.levels else code
    by_name = {
        rule.name: np.array([np.nan if (a := one.get(rule.name)) is None else float(a) for one in asked])
        for rule in load_rules()
    }
    found = screen.screen_rows(rows, by_name)
    missing = dict.fromkeys(found.unanswered, 0)
    for i in range(n):
        one = screen.screen(asked[i], patients[i])
        assert {f.rule.name for f in one.danger_signs} == {k for k, fires in found.danger.items() if fires[i]}
        for plan, level in enumerate(file.plan_levels):
            against = {f.rule.name for f in one.excluded.get(level, ())}
            assert against == {k for k, fires in found.contraindications.items() if fires[i, plan]}
        for question in one.unanswered:
            missing[question] += 1
    assert missing == dict(found.unanswered)
    assert any(fires.any() for fires in found.danger.values())
    assert any(fires.any() for fires in found.contraindications.values())


def test_a_predictor_named_like_a_question_answers_it() -> None:
    screen = CohortScreen(with_questions_as_predictors())
    assert screen.predictors_can_block
    found = screen.screen({}, {"phq9_item_9": 3.0, "pregnancy": False})
    assert [f.rule.name for f in found.danger_signs] == ["phq9_item_9"]
    assert {"phq9_item_9", "pregnancy"}.isdisjoint(found.unanswered)
    # The clinician's answer does not overrule the record.
    assert screen.screen({"phq9_item_9": 0}, {"phq9_item_9": 3.0}).stops
    # A value that the question does not know is no answer, and a level is a text.
    found = screen.screen({}, {"phq9_item_9": 7.0, "psychosis": "1"})
    assert not found.stops
    assert {"phq9_item_9", "psychosis"} <= set(found.unanswered)


def test_nothing_in_the_shipped_cohort_can_block_without_an_answer() -> None:
    # What spares /v1/predict the screen: its ages begin at 18, and no other predictor is a danger sign.
    assert not CohortScreen(shipped_file()).predictors_can_block
    younger = shipped_file().text.replace("valid = [18, 100]", "valid = [12, 100]")
    assert CohortScreen(parse_cohort_file(younger, "younger.toml")).predictors_can_block


def test_a_cohort_without_plans_is_asked_for_danger_signs() -> None:
    text = COHORT.replace('[plan]\ncolumn = "plan"\nreference = "pill"\n', "")
    text = text.replace('[plan.levels]\nspray = "A spray"\npill = "A pill"\n', "")
    screen = CohortScreen(parse_cohort_file(text, "planless.toml"))
    assert "cssrs_ideation" in {rule.name for rule in screen.questions}
    assert "pregnancy" not in {rule.name for rule in screen.questions}
    assert screen.screen({"cssrs_ideation": 5}, {}).stops

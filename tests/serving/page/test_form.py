"""The form: everything that the API takes, and nothing else; what is sent means what was typed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from features.cohort_file import load_cohort_file
from features.safety import load_rules
from features.scale_items import load_scale_items
from features.scales import load_scales
from features.screening import CohortScreen
from serving.page.form import Form, item_name, make_form
from serving.page.submission import read_fields, to_fields, translate
from serving.problems import ProblemError
from serving.schemas import observed_predictors
from tests.models.small_care import shipped_file

PHQ9 = "/patient/phq9_baseline"
MADRS = "/patient/madrs_baseline"


def items(field: str, *scores: int) -> dict[str, str]:
    return {item_name(field, number): str(score) for number, score in enumerate(scores, start=1)}


def test_every_predictor_measurement_and_safety_question_is_asked_once(form: Form) -> None:
    file = shipped_file()
    expected = [f"/patient/{p.name}" for p in file.baseline_predictors]
    expected += [f"/observed/{p.name}" for p in observed_predictors(file)]
    expected += [f"/safety/{rule.name}" for rule in load_rules()]
    asked = [field.name for group in form.groups for field in group.fields]
    assert sorted(asked) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "scored", "first"),
    [
        ("ketamine_anxiety", ["/patient/gad7_baseline", "/patient/madrs_baseline"], "Patient"),
        ("beat_the_blues", [], "Patient"),  # says no heading and no scale
    ],
)
def test_other_cohorts_have_forms_of_their_own(name: str, scored: list[str], first: str) -> None:
    file = load_cohort_file(Path(str(files("features"))) / "cohorts" / f"{name}.toml")
    made = make_form(file, CohortScreen(file))
    assert [field.name for field in made.fields.values() if field.items is not None] == scored
    assert made.patient[0].title == first
    asked = sum(len(group.fields) for group in made.patient)
    assert asked == len(file.baseline_predictors)


def test_ids_of_fields_differ_and_need_no_escape(form: Form) -> None:
    ids = [field.id for field in form.fields.values()]
    assert len(set(ids)) == len(ids)
    assert all(name.isascii() and name.replace("-", "").replace("_", "").isalnum() for name in ids)


def test_danger_signs_are_asked_before_everything_else(form: Form) -> None:
    first = [rule.name for rule in load_rules() if rule.effect == "danger_sign"]
    assert [field.name for field in form.groups[0].fields] == [f"/safety/{name}" for name in first]


def test_questions_stand_under_the_headings_of_the_cohort_file(form: Form) -> None:
    assert [group.title for group in form.patient] == [
        "Patient", "Severity before treatment", "Course of the illness", "Other conditions",
        "Present treatment", "Laboratory",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["MADRS", "PHQ9", "GAD7"])
def test_items_of_a_scale_add_up_to_its_range(name: str) -> None:
    found, scale = load_scale_items()[name], load_scales()[name]
    assert (scale.minimum, scale.maximum) == (0, len(found.items) * found.highest)
    questions = {rule.name: rule for rule in load_rules()}
    for number, question in found.asks.items():
        # An item answers a safety question only if both have the same scores.
        assert number <= len(found.items)
        assert questions[question].valid == (0, found.highest)


def test_empty_form_is_an_empty_request(form: Form) -> None:
    made = translate(form, {})
    assert (made.predict, made.plans, made.problems) == ({"patient": {}, "safety": {}},) * 2 + ([],)


def test_values_become_what_the_api_takes(form: Form) -> None:
    sent = {
        "/patient/age": "46", "/patient/bmi": "27.5", "/patient/ptsd": "false", "/patient/sleep": "insomnia",
        "/patient/childhood_trauma_domains": "2", "/safety/cssrs_ideation": "1", "/safety/pregnancy": "true",
        "/plan": "iv_ketamine", "/start": "2027-01-04",
    }  # fmt: skip
    made = translate(form, sent)
    assert made.predict == {
        "patient": {
            "age": 46, "bmi": 27.5, "ptsd": False, "sleep": "insomnia", "childhood_trauma_domains": "2",
        },
        "safety": {"cssrs_ideation": 1, "pregnancy": True},
        "plan": "iv_ketamine",
    }  # fmt: skip
    # The comparison takes a current plan only beside what was observed on it.
    assert made.plans == {**{k: made.predict[k] for k in ("patient", "safety")}, "start": "2027-01-04"}


def test_measurement_sends_the_plan_it_was_made_on(form: Form) -> None:
    made = translate(form, {"/observed/madrs_day_1": "18", "/plan": "iv_ketamine"})
    assert made.plans["observed"] == {"madrs_day_1": 18}
    assert made.plans["plan"] == "iv_ketamine"


@pytest.mark.parametrize("text", ["12,5", "1e3", "nan", "forty", "1 2"])
def test_text_that_is_no_number_is_not_made_one(form: Form, text: str) -> None:
    assert translate(form, {"/patient/age": text}).predict["patient"] == {"age": text}


def test_items_make_the_total_and_answer_the_safety_question(form: Form) -> None:
    made = translate(form, items(PHQ9, 3, 3, 2, 2, 1, 2, 1, 0, 3))
    assert made.predict["patient"] == {"phq9_baseline": 17}
    assert made.predict["safety"] == {"phq9_item_9": 3}
    assert not made.problems


@pytest.mark.parametrize(("answered", "item", "expected"), [("0", 5, 5.0), ("6", 1, 6.0)])
def test_of_two_answers_to_a_danger_question_the_graver_counts(
    form: Form, answered: str, item: int, expected: float
) -> None:
    scores = items(MADRS, *[2] * 9, item)
    made = translate(form, {"/safety/madrs_item_10": answered, **scores})
    assert made.predict["safety"] == {"madrs_item_10": expected}


def test_incomplete_items_make_no_total(form: Form) -> None:
    made = translate(form, items(PHQ9, 3, 3))
    assert made.predict["patient"] == {}
    assert [(p.field, p.detail) for p in made.problems] == [
        (PHQ9, "2 of 9 items are scored: score all of them, or type the total")
    ]


def test_incomplete_items_beside_a_total_still_answer_the_danger_question(form: Form) -> None:
    made = translate(form, {PHQ9: "19", item_name(PHQ9, 9): "3"})
    assert (made.predict["patient"], made.predict["safety"]) == ({"phq9_baseline": 19}, {"phq9_item_9": 3})
    assert not made.problems


def test_total_that_contradicts_its_items_is_refused_without_repeating_it(form: Form) -> None:
    made = translate(form, {PHQ9: "20", **items(PHQ9, *[1] * 9)})
    assert [p.field for p in made.problems] == [PHQ9]
    assert "20" not in made.problems[0].detail


def test_field_of_another_form_is_refused_not_lost(form: Form) -> None:
    with pytest.raises(ProblemError, match="409"):
        translate(form, {"/patient/unheard_of": "1"})


def test_request_written_as_fields_comes_back(form: Form) -> None:
    request = {"patient": {"age": 46, "ptsd": True}, "safety": {"cssrs_ideation": 2}, "plan": "esketamine"}
    assert translate(form, to_fields(form, request)).predict == request


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        (None, b"", 415),
        ("application/x-www-form-urlencoded", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"a=%FF", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), 400),
    ],
)
def test_unreadable_form_is_refused(content_type: str | None, body: bytes, status: int) -> None:
    with pytest.raises(ProblemError, match=str(status)):
        read_fields(content_type, body)

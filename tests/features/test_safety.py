import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.cohort_file import Regimen, load_cohort_file
from features.errors import AnswersError
from features.safety import Screen, check_answers, load_rules, screen

TRD = load_cohort_file(Path(__file__).parents[2] / "features" / "cohorts" / "ketamine_trd.toml")
PLANS: Mapping[str, Regimen | None] = TRD.regimens
SPRAYS = ("esketamine", "esketamine_28mg", "esketamine_monotherapy")
KETAMINE = ("iv_ketamine", *SPRAYS)
EVERY = (*KETAMINE, "oral_antidepressant")

Answer = bool | float
BP = "section 5 (increase in blood pressure)"
SUICIDE = "suicidal thoughts and behaviours"
# Written by hand, so that a change of safety.toml must be made twice:
# name, effect, plans, an answer that fires, one that does not, part of the source.
TABLE: list[tuple[str, str, tuple[str, ...], Answer, Answer, str]] = [
    ("suicidal_plan_or_intent", "danger_sign", EVERY, True, False, "10.1176/appi.ajp.2011.10111704"),
    ("recent_suicide_attempt", "danger_sign", EVERY, True, False, "10.1176/appi.ajp.2011.10111704"),
    ("cssrs_ideation", "danger_sign", EVERY, 4, 3, "10.1176/appi.ajp.2011.10111704"),
    ("madrs_item_10", "danger_sign", EVERY, 5, 4, "10.1192/bjp.134.4.382"),
    ("phq9_item_9", "danger_sign", EVERY, 3, 2, "10.1046/j.1525-1497.2001.016009606.x"),
    ("aneurysmal_vascular_disease", "contraindication", KETAMINE, True, False, "section 4"),
    ("arteriovenous_malformation", "contraindication", KETAMINE, True, False, "section 4"),
    ("intracerebral_haemorrhage", "contraindication", KETAMINE, True, False, "section 4"),
    ("ketamine_hypersensitivity", "contraindication", KETAMINE, True, False, "section 4"),
    ("serious_risk_from_pressure", "contraindication", KETAMINE, True, False, BP),
    ("recent_cardiovascular_event", "contraindication", KETAMINE, True, False, "section 4.3"),
    ("under_18", "contraindication", KETAMINE, True, False, "section 8.4"),
    ("pregnancy", "contraindication", KETAMINE, True, False, "8.1"),
    ("breast_feeding", "contraindication", KETAMINE, True, False, "section 8.2"),
    ("severe_hepatic_impairment", "contraindication", KETAMINE, True, False, "section 8.6"),
    ("suicidal_thoughts", "caution", EVERY, True, False, SUICIDE),
    ("past_suicide_attempt", "caution", EVERY, True, False, "section 4.4"),
    ("age_24_or_younger", "caution", EVERY, True, False, SUICIDE),
    ("age_65_or_older", "caution", SPRAYS, True, False, "section 4.2"),
    ("age_60_or_older", "caution", ("iv_ketamine",), True, False, "S1064-7481(21)00002-6"),
    ("systolic_pressure", "caution", KETAMINE, 141, 140, BP),
    ("diastolic_pressure", "caution", KETAMINE, 91, 90, BP),
    ("uncontrolled_hypertension", "caution", KETAMINE, True, False, BP),
    ("encephalopathy_or_brain_injury", "caution", KETAMINE, True, False, BP),
    ("respiratory_disease", "caution", KETAMINE, True, False, "section 4.4"),
    ("untreated_hyperthyroidism", "caution", KETAMINE, True, False, "section 4.4"),
    ("psychosis", "caution", KETAMINE, True, False, "section 5 (dissociation)"),
    ("bipolar_disorder", "caution", EVERY, True, False, "section 4.4"),
    ("substance_use", "caution", KETAMINE, True, False, "section 5 (abuse and misuse)"),
    ("cns_depressants", "caution", KETAMINE, True, False, "section 7.1"),
    ("psychostimulants", "caution", KETAMINE, True, False, "section 7.2"),
    ("maoi", "caution", EVERY, True, False, "section 7.3"),
    ("nasal_medicine", "caution", SPRAYS, True, False, "section 2 (administration)"),
    ("moderate_hepatic_impairment", "caution", KETAMINE, True, False, "section 8.6"),
    ("pregnancy_possible", "caution", KETAMINE, True, False, "embryo-fetal toxicity"),
    ("bladder_symptoms", "caution", KETAMINE, True, False, "cystitis"),
    ("cognitive_impairment", "caution", KETAMINE, True, False, "cognitive impairment"),
    ("symptoms_two_weeks", "caution", EVERY, False, True, "10.1176/appi.books.9780890425787"),
    ("diabetes", "duty", KETAMINE, True, False, "10.1001/jamapsychiatry.2017.0080"),
    ("hypertension", "duty", KETAMINE, True, False, BP),
    ("heart_disease", "duty", KETAMINE, True, False, BP),
    ("sleep_problems", "duty", EVERY, True, False, "10.1192/bjp.134.4.382"),
    ("appetite_change", "duty", EVERY, True, False, "10.1192/bjp.134.4.382"),
    ("low_energy", "duty", EVERY, True, False, "10.1192/bjp.134.4.382"),
    ("anxiety_symptoms", "duty", EVERY, True, False, "10.1001/archinte.166.10.1092"),
]
ROWS = [pytest.param(*row, id=row[0]) for row in TABLE]
DANGERS = {row[0]: row[3] for row in TABLE if row[1] == "danger_sign"}
CONTRAINDICATIONS = [row[0] for row in TABLE if row[1] == "contraindication"]
PREDICTORS = {
    "age": (["under_18"], 17, 30),
    "suicidal_ideation": (["suicidal_thoughts"], 1, 0),
    "past_suicide_attempt": (["past_suicide_attempt"], True, False),
    "bipolar": (["bipolar_disorder"], 1.0, 0.0),
    "substance_use_disorder": (["substance_use"], 1, 0),
    "benzodiazepine_dose": (["cns_depressants"], 2.5, 0),
    "diabetes": (["diabetes"], np.bool_(True), np.bool_(False)),
    "hypertension": (["hypertension"], np.float64(1), np.float64(0)),
    "heart_disease": (["heart_disease"], np.int64(1), np.int64(0)),
}


def fired(found: Screen) -> dict[str, str]:
    return {finding.rule.name: finding.rule.effect for finding in found.findings}


def test_the_table_holds_every_rule() -> None:
    assert [row[0] for row in TABLE] == [rule.name for rule in load_rules()]


@pytest.mark.parametrize(("name", "effect", "plans", "bad", "good", "source"), ROWS)
def test_each_rule_fires_on_its_answer_and_on_no_other(
    name: str, effect: str, plans: tuple[str, ...], bad: Answer, good: Answer, source: str
) -> None:
    found = screen({name: bad}, {}, PLANS)
    assert fired(found) == {name: effect}
    (finding,) = found.findings
    assert set(finding.plans) == set(plans)
    assert finding.origin == "answer"
    assert source in finding.rule.source
    assert fired(screen({name: good}, {}, PLANS)) == {}


@pytest.mark.parametrize(("name", "effect", "plans", "bad", "good", "source"), ROWS)
def test_what_is_offered_follows_the_effect(
    name: str, effect: str, plans: tuple[str, ...], bad: Answer, good: Answer, source: str
) -> None:
    found = screen({name: bad}, {}, PLANS)
    kept = {"danger_sign": (), "contraindication": ("oral_antidepressant",)}.get(effect, EVERY)
    assert set(found.offered) == set(kept)
    assert found.stops is (effect == "danger_sign")
    assert set(found.excluded) == (set(plans) if effect == "contraindication" else set())


@pytest.mark.parametrize(("name", "effect", "plans", "bad", "good", "source"), ROWS)
def test_a_question_is_unanswered_until_it_is_answered(
    name: str, effect: str, plans: tuple[str, ...], bad: Answer, good: Answer, source: str
) -> None:
    everything = {row[0]: row[4] for row in TABLE}
    assert screen(everything, {}, PLANS).unanswered == ()
    for missing in ({name: None}, {name: math.nan}):
        assert screen({**everything, **missing}, {}, PLANS).unanswered == (name,)
    assert screen({k: v for k, v in everything.items() if k != name}, {}, PLANS).unanswered == (name,)


def test_without_answers_every_question_is_listed_and_nothing_is_found() -> None:
    found = screen({}, {}, PLANS)
    assert found.unanswered == tuple(row[0] for row in TABLE)
    assert found.findings == ()


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_a_predictor_answers_its_question(predictor: str) -> None:
    names, bad, good = PREDICTORS[predictor]
    found = screen({}, {predictor: bad}, PLANS)
    assert set(names) <= set(fired(found))
    assert {finding.origin for finding in found.findings} == {"predictor"}
    harmless = screen({}, {predictor: good}, PLANS)
    assert harmless.findings == ()
    for name in names:
        assert name not in found.unanswered
        assert name not in harmless.unanswered


def test_every_predictor_of_the_rules_is_tested() -> None:
    assert {rule.predictor for rule in load_rules() if rule.predictor} == set(PREDICTORS)


@pytest.mark.parametrize("unknown", [None, math.nan, "yes", "", [1]])
def test_a_predictor_that_cannot_be_read_answers_nothing(unknown: object) -> None:
    found = screen({}, {"diabetes": unknown}, PLANS)
    assert "diabetes" in found.unanswered
    assert found.findings == ()


@pytest.mark.parametrize(("answer", "predictor"), [(True, 0), (False, 1), (True, 1)])
def test_either_the_answer_or_the_predictor_fires(answer: bool, predictor: int) -> None:
    (finding,) = screen({"diabetes": answer}, {"diabetes": predictor}, PLANS).findings
    assert finding.origin == ("both" if answer and predictor else "answer" if answer else "predictor")


@pytest.mark.parametrize(
    ("age", "names"),
    [
        (17.5, {"under_18", "age_24_or_younger"}),
        (18, {"age_24_or_younger"}),
        (24.9, {"age_24_or_younger"}),
        (25, set()),
        (59, set()),
        (60, {"age_60_or_older"}),
        (65, {"age_60_or_older", "age_65_or_older"}),
    ],
)
def test_age_fires_at_its_bounds(age: float, names: set[str]) -> None:
    assert set(fired(screen({}, {"age": age}, PLANS))) == names


def test_esketamine_begins_lower_from_65_years_on() -> None:
    older, younger = screen({}, {"age": 65}, PLANS), screen({}, {"age": 64}, PLANS)
    assert [older.first_amount(plan) for plan in SPRAYS] == [28, 28, 28]
    assert older.first_amount("iv_ketamine") is None
    assert [younger.first_amount(plan) for plan in EVERY] == [None] * 5


def test_a_plan_without_a_regimen_is_concerned_by_every_rule() -> None:
    # What a plan gives is then unknown, and unknown is not "no".
    found = screen({"pregnancy": True}, {}, {"mystery": None, "oral": PLANS["oral_antidepressant"]})
    assert found.offered == ("oral",)


def test_questions_about_ketamine_are_not_asked_where_no_plan_gives_it() -> None:
    plans = {"oral": PLANS["oral_antidepressant"]}
    found = screen({"pregnancy": True}, {}, plans)
    assert found.offered == ("oral",)
    assert set(found.unanswered) == {row[0] for row in TABLE if row[2] == EVERY}


def test_danger_signs_are_found_even_without_plans() -> None:
    assert screen({"phq9_item_9": 3}, {}, {}).stops


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("phq9_item_9", 4),
        ("phq9_item_9", -1),
        ("phq9_item_9", 1.5),
        ("phq9_item_9", True),
        ("phq9_item_9", "3"),
        ("phq9_item_9", math.inf),
        ("systolic_pressure", 10**400),
        ("pregnancy", 2),
        ("pregnancy", 0.5),
        ("pregnancy", "yes"),
        ("pregnancy", []),
    ],
)
def test_an_answer_that_is_not_allowed_is_refused_without_being_repeated(name: str, answer: object) -> None:
    (problem,) = check_answers({name: answer})
    rule = next(rule for rule in load_rules() if rule.name == name)
    assert problem == f"{name}: allowed: {rule.allowed}"
    with pytest.raises(AnswersError, match=f"safety: {name}: allowed: "):
        screen({name: answer}, {}, PLANS)  # type: ignore[dict-item]  # what a caller without types may give


def test_an_unknown_question_is_refused_without_being_repeated() -> None:
    with pytest.raises(AnswersError, match="unknown question; did you mean 'pregnancy'") as caught:
        screen({"pregnanzy": True}, {}, PLANS)
    assert "pregnanzy" not in str(caught.value)


@pytest.mark.parametrize(
    ("yes", "no"), [(True, False), (1, 0), (1.0, 0.0), (np.bool_(True), np.bool_(False))]
)
def test_yes_and_no_may_be_numbers_as_tables_hold_them(yes: bool, no: bool) -> None:
    assert set(fired(screen({"pregnancy": yes}, {}, PLANS))) == {"pregnancy"}
    assert screen({"pregnancy": no}, {}, PLANS).findings == ()
    assert "pregnancy" not in screen({"pregnancy": no}, {}, PLANS).unanswered


def answers_strategy() -> st.SearchStrategy[dict[str, bool | float | None]]:
    def answer(rule_name: str, valid: tuple[int, int] | None) -> st.SearchStrategy[bool | float | None]:
        known: st.SearchStrategy[bool | float] = st.booleans() if valid is None else st.integers(*valid)
        return st.one_of(st.none(), known)

    return st.fixed_dictionaries({}, optional={r.name: answer(r.name, r.valid) for r in load_rules()})


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 120), st.floats(), st.text(max_size=3), st.just(10**400)
)
PATIENTS = st.dictionaries(st.sampled_from([*PREDICTORS, "sex", "madrs_baseline"]), VALUES)
SOME_PLANS = st.dictionaries(
    st.sampled_from([*EVERY, "another"]), st.sampled_from([None, *PLANS.values()]), max_size=5
)


def gives_ketamine(regimen: Regimen | None) -> bool:
    return regimen is None or regimen.drug in ("esketamine", "racemic_ketamine")


def check_nothing_dangerous_is_offered(
    found: Screen,
    answers: Mapping[str, object],
    patient: Mapping[str, object],
    plans: Mapping[str, Regimen | None],
) -> None:
    # Worked out from the hand-made table above, not from the rules.
    def number(value: object) -> float:
        return float(value) if isinstance(value, bool | float) or type(value) is int else math.nan

    danger = any(number(answers.get(name)) >= bound for name, bound in DANGERS.items())
    age = patient.get("age")
    under_18 = isinstance(age, int | float) and age < 18
    contraindicated = under_18 or any(answers.get(name) for name in CONTRAINDICATIONS)
    assert found.stops is danger
    if danger:
        assert found.offered == ()
    if contraindicated:
        assert not any(gives_ketamine(plans[plan]) for plan in found.offered)
    if not danger and not contraindicated:
        assert found.offered == tuple(plans)
    for name in (row[0] for row in TABLE if row[2] == EVERY):
        has_predictor = any(name in names for names, _, _ in PREDICTORS.values()) or name.startswith("age_")
        if answers.get(name) is None and not has_predictor:
            assert name in found.unanswered


@settings(deadline=None, max_examples=300, derandomize=True)
@given(answers=answers_strategy(), patient=PATIENTS, plans=SOME_PLANS)
def test_no_plan_is_offered_beside_a_danger_sign_or_its_contraindication(
    answers: dict[str, bool | float | None], patient: dict[str, object], plans: dict[str, Regimen | None]
) -> None:
    check_nothing_dangerous_is_offered(screen(answers, patient, plans), answers, patient, plans)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    answers=st.dictionaries(st.sampled_from([*DANGERS, *CONTRAINDICATIONS]), VALUES, max_size=3),
    patient=PATIENTS,
)
def test_whatever_is_answered_it_is_refused_or_nothing_dangerous_is_offered(
    answers: dict[str, bool | float | None], patient: dict[str, object]
) -> None:
    try:
        found = screen(answers, patient, PLANS)
    except AnswersError:
        assert any(True for _ in check_answers(answers))
        return
    readable = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in answers.items()}
    check_nothing_dangerous_is_offered(found, readable, patient, PLANS)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(answers=answers_strategy(), patient=PATIENTS)
def test_knowing_more_never_offers_a_plan_again(
    answers: dict[str, bool | float | None], patient: dict[str, object]
) -> None:
    full = set(screen(answers, patient, PLANS).offered)
    for name in answers:
        fewer = {k: v for k, v in answers.items() if k != name}
        assert full <= set(screen(fewer, patient, PLANS).offered)

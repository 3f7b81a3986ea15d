import datetime
import doctest
import importlib
import re
from pathlib import Path

import pytest

from features.cohort_file import load_cohort_file
from features.dosing import load_dosing
from features.safety_rules import DRUGS, Rule, Threshold, load_rules, parse_rules

ROOT = Path(__file__).parents[2]
RULES = load_rules()
IDS = [rule.name for rule in RULES]

RULE = """
[pain]
question = "Is there pain?"
kind = "yes_no"
effect = "caution"
fires = "yes"
applies_to = "every_plan"
reason = "It hurts."
duty = "Ask where."
source = "A paper."
mark = "verified"
checked = 2026-11-23
"""


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_each_rule_says_where_it_comes_from_and_when_that_was_looked_at(rule: Rule) -> None:
    # A source can be found: a section or statement of a label, or an identifier.
    assert re.search(
        r"prescribing information|product characteristics|doi 10\.|PMID \d|PMC\d|pii \S", rule.source
    )
    assert rule.checked >= datetime.date(2026, 11, 23)
    assert "evidence.md" not in rule.source
    if rule.mark == "verified":
        assert not rule.source.startswith("Assumed")


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_each_rule_is_asked_and_answered_in_sentences(rule: Rule) -> None:
    assert rule.question.endswith("?")
    assert rule.question[0].isupper()
    assert rule.reason.endswith(".")
    assert rule.duty.endswith(".")


def test_each_question_and_each_name_is_unique() -> None:
    assert len({rule.question for rule in RULES}) == len(RULES)
    assert len(set(IDS)) == len(RULES)


def test_danger_signs_come_first_and_hold_for_every_plan() -> None:
    effects = [rule.effect for rule in RULES]
    dangers = effects.count("danger_sign")
    assert effects[:dangers] == ["danger_sign"] * dangers
    assert {rule.applies_to for rule in RULES[:dangers]} == {"every_plan"}
    for rule in RULES[:dangers]:
        assert "urgent evaluation" in rule.duty


def test_nothing_promises_that_treatment_prevents_suicide() -> None:
    # The label says that this has not been shown; the only mention may be that one.
    texts = [text for rule in RULES for text in (rule.reason, rule.duty) if "prevent" in text.lower()]
    assert len(texts) == 1
    assert "prevention of suicide, or of suicidal thoughts, has not been shown" in texts[0]
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    promises = [line for line in page.splitlines() if re.search(r"prevent\w* suicide", line)]
    assert all("not been shown" in line for line in promises)


def test_thresholds_lie_on_their_scales() -> None:
    for rule in RULES:
        if rule.valid is not None:
            assert isinstance(rule.fires, Threshold)
            low, high = rule.valid
            # Both a firing and a harmless answer must exist.
            assert {rule.fires.holds(number) for number in range(low, high + 1)} == {True, False}


def test_every_drug_of_the_rules_has_dosing() -> None:
    assert {drug for drugs in DRUGS.values() for drug in drugs} <= set(load_dosing())


@pytest.mark.parametrize("name", ["ketamine_trd", "ketamine_anxiety"])
def test_predictors_that_answer_questions_are_numbers_or_flags_of_the_shipped_cohorts(name: str) -> None:
    cohort_file = load_cohort_file(ROOT / "features" / "cohorts" / f"{name}.toml")
    kinds = {p.name: p.kind for p in cohort_file.predictors}
    asked = {rule.predictor for rule in RULES if rule.predictor}
    assert {kinds[p] for p in asked if p in kinds} <= {"number", "binary"}
    if name == "ketamine_trd":
        assert asked <= set(kinds)


def test_a_rule_is_read() -> None:
    (rule,) = parse_rules(RULE)
    assert (rule.name, rule.fires, rule.valid, rule.predictor) == ("pain", True, None, None)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('question = "Is there pain?"', "", r"\[pain\] question: is missing"),
        ("Is there pain?", "Pain", r"\[pain\] question: must be a sentence"),
        ("It hurts.", "It hurts", r"\[pain\] reason: must be a sentence"),
        ('"caution"', '"warning"', "effect: 'warning' is not known; allowed: danger_sign"),
        ('"yes"', '"maybe"', "fires: 'maybe' is not known; allowed: yes, no"),
        ('"yes_no"', '"whole_number"', "valid: is missing"),
        ('"yes_no"', '"whole_number"', "fires: must be a table"),
        ('"every_plan"', '"tablets"', "applies_to: 'tablets' is not known"),
        ('"verified"', '"sure"', "mark: 'sure' is not known"),
        ("2026-11-23", '"2026-11-23"', "checked: must be a date"),
        ("checked = 2026-11-23", "", "checked: must be a date"),
        ('source = "A paper."', "", "source: is missing"),
        ('effect = "caution"', 'effect = "caution"\nefect = 1', "unknown key 'efect'; did you mean 'effect'"),
        ('mark = "verified"', 'mark = "verified"\npredictor = "age"', "predictor_fires: is missing"),
        (
            'mark = "verified"',
            'mark = "verified"\npredictor = "age"\npredictor_fires = {above = 1, below = 2}',
            "predictor_fires: must hold one of: at_least, above, below",
        ),
        (
            'mark = "verified"',
            'mark = "verified"\npredictor_fires = {above = 1}',
            "unknown key 'predictor_fires'",
        ),
        ("[pain]", RULE.replace("[pain]", "[ache]") + "[pain]", "asked twice"),
    ],
)
def test_a_wrong_rules_file_is_refused(old: str, new: str, problem: str) -> None:
    assert RULE.count(old) == 1
    with pytest.raises(ValueError, match=problem):
        parse_rules(RULE.replace(old, new))


@pytest.mark.parametrize("module", ["safety", "safety_rules", "dosing"])
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"features.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def describe(rule: Rule) -> str:
    """A rule's row on the page."""
    if isinstance(rule.fires, Threshold):
        fires = f"{rule.fires.comparison.replace('_', ' ')} {rule.fires.value:g}"
    else:
        fires = "yes" if rule.fires else "no"
    if rule.predictor and rule.predictor_fires:
        bound = rule.predictor_fires
        fires += f", or `{rule.predictor}` {bound.comparison.replace('_', ' ')} {bound.value:g}"
    cells = [f"`{rule.name}`", rule.question, fires, rule.applies_to.replace("_", " ")]
    if rule.effect in ("caution", "duty"):  # danger signs and contraindications all do the same
        cells.append(rule.duty)
    return f"| {' | '.join([*cells, rule.mark])} |"


def test_the_page_lists_every_rule_as_it_is() -> None:
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| `\w+` \| .*\?", line)]
    assert rows == [describe(rule) for rule in RULES]

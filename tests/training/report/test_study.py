"""The study file, and the lists it answers."""

import pytest

from tests.house.repository import ROOT
from training.report.checklists import list_questions, read_checklist
from training.report.facts import FACTS
from training.report.ratings import RULES
from training.report.study import StudyFileError, list_fields, parse_study
from training.report.view import SECTIONS


def parse(text: str) -> object:
    return parse_study(text, "study.toml", list_questions())


def test_a_study_file_may_be_empty() -> None:
    assert parse_study("", "study.toml", list_questions()).texts == {}


def test_text_of_several_lines_is_kept() -> None:
    study = parse_study('[discussion]\nlimitations = """\nOne.\nTwo.\n"""', "study.toml", ())
    assert study.get("discussion.limitations") == "One.\nTwo."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[open_science]\nfunding = 3", "must be a text in quotes that is not empty"),
        ("[open_science]\nfunding = '  '", "must be a text in quotes that is not empty"),
        ("[open_sience]\nfunding = 'x'", "unknown key 'open_sience'; did you mean 'open_science'"),
        ("[model]\ndevelopr = 'x'", "unknown key 'developr'; did you mean 'developer'"),
        ("open_science = 'x'", "must be a table"),
        ("[probast.\"development 9.9\"]\nrating = 'yes'\nwhy = 'x'", "unknown key 'development 9.9'"),
        (
            "[probast.\"development 1.1\"]\nrating = 'low'\nwhy = 'x'",
            "'low' is not known; allowed: yes, probably",
        ),
        ("[probast.\"development 1.1\"]\nrating = 'yes'", "why: must be a text in quotes"),
        ("[open_science", "is not TOML"),
    ],
)
def test_what_is_not_asked_for_is_refused(text: str, problem: str) -> None:
    with pytest.raises(StudyFileError, match=problem):
        parse(text)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(StudyFileError, match="2 problems"):
        parse("[model]\nusers = 1\n[open_science]\nethics = 2")


def test_checklists_are_whole() -> None:
    # 27 items with 52 sub-items; 16 questions on development and 18 on evaluation, as published.
    numbers = [item["number"] for item in read_checklist("tripod_ai.toml")]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(number.rstrip("abcdefg")) for number in numbers} == set(range(1, 28))
    questions = list_questions()
    assert len(questions) == len(set(questions))
    assert [sum(q.startswith(part) for q in questions) for part in ("development", "evaluation")] == [16, 18]


def test_checklists_name_only_what_there_is() -> None:
    fields = list_fields()
    for item in [*read_checklist("tripod_ai.toml"), *read_checklist("probast_ai.toml")]:
        assert set(item.get("facts", [])) <= set(FACTS), item["number"]
        assert {*item.get("study", []), *item.get("also", [])} <= set(fields), item["number"]
        assert item.get("rating", "always") in RULES, item["number"]
        assert item.get("see", "top") in {*SECTIONS, "top"}, item["number"]


def test_every_item_can_be_answered() -> None:
    for item in read_checklist("tripod_ai.toml"):
        assert item.get("facts") or item.get("study"), item["number"]


def test_documentation_names_every_field_and_its_example_is_accepted() -> None:
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    for name in list_fields():
        assert f"`{name.partition('.')[2]}`" in text, name
    example = text.split("```toml\n")[1].split("```")[0]
    study = parse_study(example, "docs/report.md", list_questions())
    assert study.probast["development 1.1"][0] == "probably yes"
    assert study.keywords == ("depression", "ketamine")

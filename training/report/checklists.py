"""TRIPOD+AI and PROBAST+AI, each item answered from the run, by a person, or visibly not stated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from training.report.facts import FACTS
from training.report.ratings import RULES
from training.report.study import list_fields
from training.report.words import NOT_STATED

if TYPE_CHECKING:
    from training.report.material import Material
    from training.report.study import Study

__all__ = [
    "Item",
    "Question",
    "answer_probast",
    "answer_tripod",
    "list_questions",
    "read_checklist",
    "to_plain",
]

Status = Literal["stated", "partly stated", "not stated"]


@dataclass(frozen=True)
class Item:
    """One item of TRIPOD+AI with its answer.

    Parameters
    ----------
    number, part, asks : str
    see : str
        Section of the report that shows it.
    status : {"stated", "partly stated", "not stated"}
    run : str
        What the run says; empty if nothing.
    people : tuple of str
        What the study file says.
    not_stated : tuple of str
        What only a person can say and nobody did.
    """

    number: str
    part: str
    asks: str
    see: str
    status: Status
    run: str
    people: tuple[str, ...]
    not_stated: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """One signalling question of PROBAST+AI with its answer.

    Parameters
    ----------
    key : str
        Part and number, such as "development 1.1".
    part, domain, asks : str
    rating : str
        One of `training.report.study.RATINGS`, or "not stated".
    by : {"run", "study file", ""}
    evidence : str
        What the run says; empty if nothing.
    why : str
        Of the person who rated.
    """

    key: str
    part: str
    domain: str
    asks: str
    rating: str
    by: str
    evidence: str
    why: str


def answer_tripod(material: Material, study: Study) -> tuple[Item, ...]:
    """Answer the 52 items of TRIPOD+AI.

    Parameters
    ----------
    material : Material
    study : Study

    Returns
    -------
    tuple of Item
    """
    return tuple(_answer(item, material, study) for item in read_checklist("tripod_ai.toml"))


def answer_probast(material: Material, study: Study) -> tuple[Question, ...]:
    """Answer the 34 questions of PROBAST+AI; a person's rating takes the place of the run's.

    Parameters
    ----------
    material : Material
    study : Study

    Returns
    -------
    tuple of Question
    """
    return tuple(_rate(item, material, study) for item in read_checklist("probast_ai.toml"))


def list_questions() -> tuple[str, ...]:
    """List the questions of PROBAST+AI that a study file may rate."""
    return tuple(_key(item) for item in read_checklist("probast_ai.toml"))


def to_plain(items: Sequence[Item], questions: Sequence[Question]) -> dict[str, Any]:
    """Give both checklists as values that JSON can write."""
    return {"tripod_ai": [asdict(item) for item in items], "probast_ai": [asdict(q) for q in questions]}


def _answer(item: Mapping[str, Any], material: Material, study: Study) -> Item:
    run = _say_facts(item, material)
    asked, fields = item.get("study", []), list_fields()
    people = tuple(text for key in [*asked, *item.get("also", [])] if (text := study.get(key)))
    open_ = tuple(fields[key] for key in asked if study.get(key) is None)
    status: Status = "stated" if run or people else NOT_STATED
    if open_:
        status = "partly stated" if run or people else NOT_STATED
    return Item(item["number"], item["part"], item["asks"], item["see"], status, run, people, open_)


def _rate(item: Mapping[str, Any], material: Material, study: Study) -> Question:
    key = _key(item)
    rating, by, why = NOT_STATED, "", ""
    if (rule := item.get("rating")) is not None:
        by_rule = RULES[rule]
        rating, by = by_rule if isinstance(by_rule, str) else by_rule(material), "run"
    if (said := study.probast.get(key)) is not None:
        (rating, why), by = said, "study file"
    return Question(
        key, item["part"], item["domain"], item["asks"], rating, by, _say_facts(item, material), why
    )


def _say_facts(item: Mapping[str, Any], material: Material) -> str:
    facts = [FACTS[name] for name in item.get("facts", [])]
    said = (fact if isinstance(fact, str) else fact(material) for fact in facts)
    return " ".join(text for text in said if text)


def _key(item: Mapping[str, Any]) -> str:
    return f"{item['part']} {item['number']}"


@cache
def read_checklist(name: str) -> list[dict[str, Any]]:
    """Read the items of a checklist's data file."""
    table = tomllib.loads(files("training.report").joinpath(name).read_text(encoding="utf-8"))
    items: list[dict[str, Any]] = table["item"]
    return items

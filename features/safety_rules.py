"""The questions of the safety screen, read from ``safety.toml``."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

from features.toml_section import Section

__all__ = ["Effect", "Rule", "Threshold", "load_rules", "parse_rules"]

Effect = Literal["danger_sign", "contraindication", "caution", "duty"]
Mark = Literal["verified", "from memory", "assumption"]
Comparison = Literal["at_least", "above", "below"]

DRUGS: dict[str, tuple[str, ...]] = {
    "every_plan": (),
    "either_ketamine": ("esketamine", "racemic_ketamine"),
    "esketamine": ("esketamine",),
    "racemic_ketamine": ("racemic_ketamine",),
}
"""Drugs that a rule's `applies_to` means; () is every plan, with a drug or without."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound on a number.

    Parameters
    ----------
    comparison : {"at_least", "above", "below"}
    value : float
    """

    comparison: Comparison
    value: float

    def holds(self, number: float) -> bool:
        """Whether a number lies on the firing side of the bound."""
        if self.comparison == "at_least":
            return number >= self.value
        return number > self.value if self.comparison == "above" else number < self.value


@dataclass(frozen=True, slots=True)
class Rule:
    """A question, and what its answer does.

    Parameters
    ----------
    name : str
        Key of the answer.
    question : str
        As asked of a clinician.
    valid : (int, int) or None
        Lowest and highest whole number; None for a question with yes or no.
    effect : {"danger_sign", "contraindication", "caution", "duty"}
    fires : bool or Threshold
        The answer that makes the rule fire: yes (true), no (false), or numbers beyond a bound.
    applies_to : str
        A key of `DRUGS`.
    reason : str
        Why it matters.
    duty : str
        What must be done.
    source : str
        Paper or section of a label.
    mark : {"verified", "from memory", "assumption"}
    checked : date
        When source and mark were last looked at.
    predictor : str or None
        Predictor of cohort files that answers the question too.
    predictor_fires : Threshold or None
        Values of the predictor that make the rule fire.
    first_amount : float or None
        Dose to begin with if the rule fires, in the drug's unit.
    """

    name: str
    question: str
    valid: tuple[int, int] | None
    effect: Effect
    fires: bool | Threshold
    applies_to: str
    reason: str
    duty: str
    source: str
    mark: Mark
    checked: datetime.date
    predictor: str | None = None
    predictor_fires: Threshold | None = None
    first_amount: float | None = None

    @property
    def allowed(self) -> str:
        """What can be answered, in words.

        Examples
        --------
        >>> {rule.name: rule for rule in load_rules()}["phq9_item_9"].allowed
        'a whole number from 0 to 3, or nothing if not known'
        """
        answer = (
            "true or false"
            if self.valid is None
            else f"a whole number from {self.valid[0]} to {self.valid[1]}"
        )
        return f"{answer}, or nothing if not known"

    def concerns(self, drug: str | None) -> bool:
        """Whether the rule applies to a plan's drug; where that is not known, every rule does."""
        drugs = DRUGS[self.applies_to]
        return not drugs or drug is None or drug in drugs


@cache
def load_rules() -> tuple[Rule, ...]:
    """Load the questions of the safety screen.

    Returns
    -------
    tuple of Rule
        In the order of ``safety.toml``: danger signs first.

    Examples
    --------
    >>> load_rules()[0].effect
    'danger_sign'
    """
    return parse_rules(files("features").joinpath("safety.toml").read_text(encoding="utf-8"))


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read and check the text of a rules file.

    Parameters
    ----------
    text : str
        TOML.

    Returns
    -------
    tuple of Rule

    Raises
    ------
    ValueError
        With every problem of the file.
    """
    problems: list[str] = []
    top = Section(tomllib.loads(text), "", problems)
    sections = [(name, top.section(name)) for name in top.keys()]  # noqa: SIM118 - no mapping
    rules = tuple(_read_rule(name, section) for name, section in sections if section is not None)
    questions = [rule.question for rule in rules]
    problems += [f"[{r.name}] question: asked twice" for r in rules if questions.count(r.question) > 1]
    if problems:
        raise ValueError("rules of the safety screen: " + "; ".join(problems))
    return rules


def _read_rule(name: str, section: Section) -> Rule:
    is_number = section.choice("kind", ("yes_no", "whole_number")) == "whole_number"
    rule = Rule(
        name=name,
        question=section.text("question"),
        valid=_read_valid(section) if is_number else None,
        effect=cast("Effect", section.choice("effect", get_args(Effect))),
        fires=_read_threshold(section, "fires")
        if is_number
        else section.choice("fires", ("yes", "no")) == "yes",
        applies_to=section.choice("applies_to", tuple(DRUGS)),
        reason=section.text("reason"),
        duty=section.text("duty"),
        source=section.text("source"),
        mark=cast("Mark", section.choice("mark", get_args(Mark))),
        checked=_read_date(section),
        predictor=section.optional_text("predictor"),
        predictor_fires=_read_threshold(section, "predictor_fires") if section.has("predictor") else None,
        first_amount=section.optional_number("first_amount"),
    )
    section.close()
    for key in ("question", "reason", "duty", "source"):
        value = getattr(rule, key)
        if value and value[-1] not in ("?" if key == "question" else "."):
            section.note(key, "must be a sentence")
    return rule


def _read_valid(section: Section) -> tuple[int, int]:
    low, high = section.pair("valid") or (0.0, 1.0)
    if not section.has("valid"):
        section.note("valid", "is missing")
    return round(low), round(high)


def _read_threshold(section: Section, key: str) -> Threshold:
    table = section.section(key, f"{section.where} {key}")
    if table is None:
        if not section.has(key):
            section.note(key, "is missing")
        return Threshold("at_least", 0.0)
    written = [comparison for comparison in get_args(Comparison) if table.has(comparison)]
    table.close()
    if len(written) != 1:
        section.note(key, f"must hold one of: {', '.join(get_args(Comparison))}")
        return Threshold("at_least", 0.0)
    return Threshold(cast("Comparison", written[0]), table.number(written[0]))


def _read_date(section: Section) -> datetime.date:
    value = section.raw("checked")
    if type(value) is not datetime.date:
        section.note("checked", "must be a date")
        return datetime.date.min
    return value

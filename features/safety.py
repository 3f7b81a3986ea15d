"""The safety screen: what the answers of a clinician, and a patient's predictors, say against a plan.

It knows no patient but the one asked about, keeps nothing, and outranks every probability. What is asked,
and why, is data (``safety.toml``); this module only holds answers against it. An answer that was not given
is never taken for "no".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from features.errors import AnswersError
from features.safety_rules import Effect, Rule, Threshold, load_rules
from features.toml_section import name_nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from features.cohort_file_model import Regimen

__all__ = [
    "Effect",
    "Finding",
    "Rule",
    "Screen",
    "Threshold",
    "asked_with",
    "check_answers",
    "load_rules",
    "screen",
]

Origin = Literal["answer", "predictor", "both"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired.

    Parameters
    ----------
    rule : Rule
    origin : {"answer", "predictor", "both"}
        What made it fire.
    plans : tuple of str
        The plans that it concerns.
    """

    rule: Rule
    origin: Origin
    plans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """What was found.

    Parameters
    ----------
    plans : tuple of str
        All plans that were looked at.
    findings : tuple of Finding
        In the order of the rules.
    unanswered : tuple of str
        Names of the rules whose question nobody answered and no predictor answers.
    """

    plans: tuple[str, ...]
    findings: tuple[Finding, ...]
    unanswered: tuple[str, ...]

    @property
    def danger_signs(self) -> tuple[Finding, ...]:
        """What stops planning."""
        return self._having("danger_sign")

    @property
    def contraindications(self) -> tuple[Finding, ...]:
        """What excludes plans."""
        return self._having("contraindication")

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """What is shown beside plans, with reason and duty."""
        return self._having("caution")

    @property
    def duties(self) -> tuple[Finding, ...]:
        """What is to be done beside any plan."""
        return self._having("duty")

    @property
    def stops(self) -> bool:
        """Whether planning stops: on any danger sign, whatever else was answered."""
        return bool(self.danger_signs)

    @property
    def excluded(self) -> Mapping[str, tuple[Finding, ...]]:
        """The plans that are contraindicated, and why."""
        against = self.contraindications
        found = {plan: tuple(f for f in against if plan in f.plans) for plan in self.plans}
        return MappingProxyType({plan: findings for plan, findings in found.items() if findings})

    @property
    def offered(self) -> tuple[str, ...]:
        """The plans that may be shown with numbers: none beside a danger sign."""
        excluded = self.excluded
        return () if self.stops else tuple(plan for plan in self.plans if plan not in excluded)

    def first_amount(self, plan: str) -> float | None:
        """Lowest first dose that a finding on a plan asks for, in the drug's unit; None if none does."""
        amounts = [
            f.rule.first_amount for f in self.findings if plan in f.plans and f.rule.first_amount is not None
        ]
        return min(amounts, default=None)

    def _having(self, effect: Effect) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.rule.effect == effect)


def screen(
    answers: Mapping[str, bool | float | None],
    patient: Mapping[str, object],
    plans: Mapping[str, Regimen | None],
) -> Screen:
    """Hold answers and predictors against every rule that concerns a plan.

    A rule fires if the answer or the predictor says so: a record that contradicts the clinician is shown,
    not overruled. It counts as answered if either is known.

    Parameters
    ----------
    answers : mapping of str to bool, float or None
        By name of the rule; absent, None or NaN: not answered.
    patient : mapping of str to object
        Predictors by name, as numbers or binary values; others answer no question.
    plans : mapping of str to Regimen or None
        All plans; None where the cohort file does not say how a plan is given, in which case every rule
        concerns it.

    Returns
    -------
    Screen

    Raises
    ------
    AnswersError
        If an answer is not one that its question allows, or answers no question.

    Examples
    --------
    >>> found = screen({"phq9_item_9": 3}, {}, {"usual_care": None})
    >>> found.stops, found.offered
    (True, ())
    """
    problems = tuple(check_answers(answers))
    if problems:
        raise AnswersError("safety", problems)
    findings: list[Finding] = []
    unanswered: list[str] = []
    for rule, concerned in asked_with(plans):
        by_answer = _fires(rule.fires, _read_number(answers.get(rule.name)))
        by_predictor = _fires(rule.predictor_fires, _read_number(patient.get(rule.predictor or "")))
        if by_answer is None and by_predictor is None:
            unanswered.append(rule.name)
        if by_answer or by_predictor:
            origin: Origin = "both" if by_answer and by_predictor else "answer" if by_answer else "predictor"
            findings.append(Finding(rule, origin, concerned))
    return Screen(tuple(plans), tuple(findings), tuple(unanswered))


def asked_with(plans: Mapping[str, Regimen | None]) -> tuple[tuple[Rule, tuple[str, ...]], ...]:
    """Give the rules whose questions are asked where there are these plans, and which plans each concerns.

    Parameters
    ----------
    plans : mapping of str to Regimen or None
        As for `screen`.

    Returns
    -------
    tuple of pairs of Rule and tuple of str
        In the order of the rules. Nobody is asked about ketamine where no plan gives it.
    """
    return _asked_with(tuple((plan, regimen and regimen.drug) for plan, regimen in plans.items()))


@cache
def _asked_with(drugs: tuple[tuple[str, str | None], ...]) -> tuple[tuple[Rule, tuple[str, ...]], ...]:
    """Worked out once for each cohort: the service screens with every request."""
    found = [(rule, tuple(plan for plan, drug in drugs if rule.concerns(drug))) for rule in load_rules()]
    return tuple((rule, plans) for rule, plans in found if plans or rule.applies_to == "every_plan")


def check_answers(answers: Mapping[str, object]) -> Iterator[str]:
    """Find answers that their question does not allow.

    Parameters
    ----------
    answers : mapping of str to object

    Yields
    ------
    str
        One sentence a problem, without the answer, nor a name that is no rule's: both may be patient data.
    """
    rules = _rules_by_name()
    for name, answer in answers.items():
        if name not in rules:
            yield f"holds an unknown question; {name_nearest(str(name)[:100], rules, 'questions')}"
        elif not _is_allowed(rules[name], answer):
            yield f"{name}: allowed: {rules[name].allowed}"


@cache
def _rules_by_name() -> Mapping[str, Rule]:
    return MappingProxyType({rule.name: rule for rule in load_rules()})


def _is_allowed(rule: Rule, answer: object) -> bool:
    number = _read_number(answer)
    if number is None:
        return answer is None or isinstance(answer, Real)  # NaN, as tables write what is missing
    if rule.valid is None:
        return number in (0.0, 1.0)
    low, high = rule.valid
    return not _is_flag(answer) and low <= number <= high and number == math.floor(number)


def _read_number(value: object) -> float | None:
    """Give a number, or yes and no as 1 and 0; None for what is missing or no number."""
    if value is None or (type(value) is not float and not isinstance(value, Real) and not _is_flag(value)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # a flag of numpy is no Real, but a number to float()
    except OverflowError:  # a whole number of more than 300 digits
        number = math.inf
    return None if math.isnan(number) else number


def _is_flag(value: object) -> bool:
    # numpy's flags come from tables; they are no bool, and comparing the type's name spares the import.
    return isinstance(value, bool) or type(value).__name__ == "bool"


def _fires(condition: bool | Threshold | None, number: float | None) -> bool | None:
    """Whether a condition holds; None if it is not known."""
    if condition is None or number is None:
        return None
    return condition.holds(number) if isinstance(condition, Threshold) else (number == 1.0) is condition

"""The safety screen of one cohort: its plans and predictors held against the rules, for one patient or many.

`features.safety` judges one patient; the batch judges a million, by column. Both read the same rules, and a
test holds the second against the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.encoding import column_names
from features.safety import Rule, Screen, Threshold, asked_with, check_answers, screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.cohort_file import CohortFile, Predictor

__all__ = ["CohortScreen", "Screened"]

_READ: Final = ("number", "binary")
"""Kinds of predictor that can answer a question; levels are texts."""
_BLOCKING: Final = ("danger_sign", "contraindication")


@dataclass(frozen=True)
class Screened:
    """What was found in many patients.

    Parameters
    ----------
    danger : mapping of str to ndarray of bool, shape (n,)
        By danger sign: in whom it fires.
    contraindications : mapping of str to ndarray of bool, shape (n, n_plans)
        By contraindication: in whom it fires, and against which plans.
    unanswered : mapping of str to int
        By question: patients of whom it is not answered; all questions of the cohort.
    """

    danger: Mapping[str, NDArray[np.bool_]]
    contraindications: Mapping[str, NDArray[np.bool_]]
    unanswered: Mapping[str, int]


class CohortScreen:
    """The questions that concern a cohort, and which of its predictors answer them.

    A predictor that is named like a question answers it, besides those that the rules name: who records
    PHQ-9 item 9 as a predictor must not be asked again, nor get a number beside a danger sign.

    Parameters
    ----------
    cohort_file : CohortFile

    Attributes
    ----------
    plans : mapping of str to Regimen or None
        All plans; none in a cohort without plans, where danger signs count all the same.
    questions : tuple of Rule
        Those that are asked.
    predictors_can_block : bool
        Whether predictors alone, without any answer, can stop planning or exclude a plan.
    """

    def __init__(self, cohort_file: CohortFile) -> None:
        self.plans = {plan: cohort_file.regimens.get(plan) for plan in cohort_file.plan_levels}
        self._concerned = dict(asked_with(self.plans))
        self.questions = tuple(self._concerned)
        known = {p.name: p for p in cohort_file.predictors if p.kind in _READ}
        self._named_alike = tuple(
            rule.name for rule in self.questions if rule.name in known and rule.predictor != rule.name
        )
        self._place = {name: j for j, name in enumerate(column_names(cohort_file)) if name in known}
        self.predictors_can_block = any(
            rule.effect in _BLOCKING
            and (rule.name in self._named_alike or _can_fire(rule, known.get(rule.predictor or "")))
            for rule in self.questions
        )

    def screen(self, answers: Mapping[str, bool | float | None], patient: Mapping[str, object]) -> Screen:
        """Hold one patient against the rules.

        Parameters
        ----------
        answers : mapping of str to bool, float or None
            See `features.safety.screen`.
        patient : mapping of str to object
            Predictors by name, of all landmarks.

        Returns
        -------
        Screen

        Raises
        ------
        AnswersError
            If an answer is not one that its question allows.
        """
        found = screen(answers, patient, self.plans)
        own = self._own_answers(patient)
        if not own:
            return found
        # Answer and predictor are both looked at: either can make the rule fire, neither overrules.
        alike = screen(own, {}, self.plans)
        known = {finding.rule.name for finding in found.findings}
        more = [f for f in alike.findings if f.rule.name in own and f.rule.name not in known]
        order = {rule.name: i for i, rule in enumerate(self.questions)}
        findings = sorted((*found.findings, *more), key=lambda f: order[f.rule.name])
        return Screen(
            found.plans, tuple(findings), tuple(name for name in found.unanswered if name not in own)
        )

    def _own_answers(self, patient: Mapping[str, object]) -> dict[str, bool | float]:
        own = {name: value for name in self._named_alike if (value := patient.get(name)) is not None}
        return {
            name: value
            for name, value in own.items()
            if isinstance(value, int | float) and not any(check_answers({name: value}))
        }

    def screen_rows(self, rows: NDArray[np.float64], answers: Mapping[str, NDArray[np.float64]]) -> Screened:
        """Hold many patients against the rules that stop planning or exclude plans.

        Parameters
        ----------
        rows : ndarray of shape (n, m)
            Encoded patients.
        answers : mapping of str to ndarray of shape (n,)
            By name of the rule, allowed answers as numbers, yes as 1; NaN: not answered.

        Returns
        -------
        Screened
        """
        danger, contraindications, unanswered = {}, {}, {}
        for rule in self.questions:
            fires, answered = self._judge(rule, rows, answers.get(rule.name))
            unanswered[rule.name] = int((~answered).sum())
            if rule.effect == "danger_sign":
                danger[rule.name] = fires
            elif rule.effect == "contraindication":
                concerned = np.array([plan in self._concerned[rule] for plan in self.plans], dtype=bool)
                contraindications[rule.name] = fires[:, None] & concerned
        return Screened(danger, contraindications, unanswered)

    def _judge(
        self, rule: Rule, rows: NDArray[np.float64], answer: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """In whom a rule fires, and who has answered it."""
        fires, answered = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        sources: list[tuple[bool | Threshold | None, NDArray[np.float64] | None]] = [(rule.fires, answer)]
        if rule.predictor in self._place:
            sources.append((rule.predictor_fires, rows[:, self._place[rule.predictor]]))
        if rule.name in self._named_alike and rule.name in self._place:
            sources.append((rule.fires, _allowed(rule, rows[:, self._place[rule.name]])))
        for condition, numbers in sources:
            if condition is not None and numbers is not None:
                answered |= ~np.isnan(numbers)
                fires |= _holds(condition, numbers)
        return fires, answered


def _can_fire(rule: Rule, predictor: Predictor | None) -> bool:
    """Whether any value that a predictor may have makes a rule fire."""
    if predictor is None or rule.predictor_fires is None:
        return False
    low, high = (0.0, 1.0) if predictor.kind == "binary" else predictor.valid or (-np.inf, np.inf)
    return rule.predictor_fires.holds(low) or rule.predictor_fires.holds(high)


def _allowed(rule: Rule, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out, as NaN, what its question does not allow."""
    low, high = rule.valid or (0, 1)
    good = (numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers))
    return np.where(good, numbers, np.nan)


def _holds(condition: bool | Threshold, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a condition holds; not where a number is missing."""
    if isinstance(condition, bool):
        fires: NDArray[np.bool_] = numbers == float(condition)
    elif condition.comparison == "at_least":
        fires = numbers >= condition.value
    else:
        fires = numbers > condition.value if condition.comparison == "above" else numbers < condition.value
    return fires

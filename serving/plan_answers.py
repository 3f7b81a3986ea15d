"""What the service answers of all plans: everything that a page needs, in one response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pydantic import BaseModel, Field

from models.durability import BAND_LEVEL
from models.plan_model import state_assumption
from models.response_model import LEVEL
from serving.answers import InputsReport, PredictionModel, describe_inputs, missing_notices, standing_notices
from serving.likelihood import ProbabilityWithInterval, describe_likelihood
from serving.plan_course import PlansCourse
from serving.safety import SafetyReport, describe_screen
from serving.schedules import Aim, ScheduleReport, describe_schedule

if TYPE_CHECKING:
    from features.safety import Screen
    from models.plan_scorer import Durability, PlanAnswer, PlansAnswer, PlanScorer
    from serving.loading import Served

__all__ = ["Plans", "describe_plans"]

CURVES: Final = (
    "Relapse-free curves are those of patients who respond. Curves under several maintenances can be "
    "compared as far as remission, plan and the recorded predictors are all that choice and relapse share."
)
_CHOICE_LEVEL: Final = 0.95


class Difference(BaseModel):
    """Probability of response on the plan, less that on the reference plan."""

    value: float = Field(ge=-1, le=1)
    interval: tuple[float, float]
    level: float


class SupportReport(BaseModel):
    """What the training patients can say of a plan for such a patient."""

    propensity: float = Field(description="Share of such patients that was put on the plan.")
    comparable_patients: int = Field(description="Training patients like this one on the plan.")
    sufficient: bool = Field(
        description="Whether a number is shown: false is 'not enough comparable patients'."
    )


class RelapseFreeCurve(BaseModel):
    """Probability of no relapse under one maintenance; null in weeks that too few were followed to."""

    maintenance: str
    relapse_free: list[float | None]
    low: list[float | None]
    high: list[float | None]


class DurabilityReport(BaseModel):
    """How long a response lasts, if the patient responds."""

    weeks: list[int] = Field(description="Weeks after response, at which the curves are given.")
    level: float = Field(description="Level of the band.")
    curves: list[RelapseFreeCurve]


class PlanReport(BaseModel):
    """One plan. Without a number where it is not offered or has not enough comparable patients."""

    plan: str
    label: str
    reference: bool
    offered: bool = Field(description="Whether the safety screen has nothing against it.")
    reasons: list[str] = Field(description="Why it is not offered.")
    response: ProbabilityWithInterval | None
    remission: ProbabilityWithInterval | None
    support: SupportReport | None = Field(description="null if the plan is not offered.")
    difference: Difference | None = Field(description="null also where the reference plan has no number.")
    durability: DurabilityReport | None
    schedule: ScheduleReport | None = Field(description="null if not offered, or if no regimen is known.")
    recommended: bool


class ChoiceReport(BaseModel):
    """Whether choosing by patient is shown to beat the best plan for all; says nothing of the patient."""

    shown: bool = Field(description="If not, no plan is recommended.")
    best_single: str | None = Field(description="The best plan for all; null if it is not offered here.")
    sentence: str
    gain: float = Field(description="Probability of response that choosing by patient adds.")
    interval: tuple[float, float]
    level: float
    patients: int
    tree: str | None = Field(
        description="The choice in a few rules, made without regard to safety; null if a plan is not offered."
    )


class Plans(BaseModel):
    """All plans of the cohort for one patient, side by side."""

    prediction_id: str = Field(description="A random UUID; the only part that differs between same requests.")
    model: PredictionModel
    safety: SafetyReport = Field(description="To be shown first.")
    plans: list[PlanReport] = Field(
        description="In the order of the cohort file; empty beside a danger sign."
    )
    choice: ChoiceReport | None = Field(description="null beside a danger sign.")
    course: PlansCourse | None = Field(
        description="The current plan from here on; null where nothing was observed, or it is not offered."
    )
    inputs: InputsReport
    assumption: str | None = Field(description="What differences rest on; null beside a danger sign.")
    notices: list[str] = Field(description="To be shown wherever the numbers are.")


def describe_plans(
    served: Served,
    scorer: PlanScorer,
    screen: Screen,
    answer: PlansAnswer,
    aim: Aim,
    course: dict[str, Any] | None,
) -> dict[str, Any]:
    """Write an answer as `Plans` describes it; a plain dict, as `describe_prediction` gives.

    Parameters
    ----------
    served : Served
    scorer : PlanScorer
    screen : Screen
    answer : PlansAnswer
    aim : Aim
    course : dict or None
        As `PlansCourse` describes it.

    Returns
    -------
    dict
        With NaN where JSON has null.
    """
    file, stops = served.model.cohort_file, screen.stops
    notices = standing_notices(file.provenance)
    if not stops:
        notices += missing_notices(len(answer.missing), len(file.baseline_predictors))
        if any(plan.durability is not None for plan in answer.plans):
            notices.append(CURVES)
    return {
        "prediction_id": str(uuid4()),
        "model": {
            "name": served.name,
            "version": served.version,
            "provenance": file.provenance,
            "landmark": served.scorer.landmark,
        },
        "safety": describe_screen(screen),
        "plans": [] if stops else _plans(scorer, screen, answer, aim),
        "choice": None if stops else _choice(scorer, screen),
        "course": None if stops else course,
        "inputs": describe_inputs(answer.missing, answer.unusual),
        "assumption": None if stops else state_assumption(file.provenance),
        "notices": notices,
    }


def _plans(scorer: PlanScorer, screen: Screen, answer: PlansAnswer, aim: Aim) -> list[dict[str, Any]]:
    excluded = screen.excluded
    reasons = [[finding.rule.reason for finding in excluded.get(p.plan, ())] for p in answer.plans]
    return [_plan(scorer, screen, p, why, aim) for p, why in zip(answer.plans, reasons, strict=True)]


def _plan(
    scorer: PlanScorer, screen: Screen, answer: PlanAnswer, reasons: list[str], aim: Aim
) -> dict[str, Any]:
    file = scorer.model.cohort_file
    plan = file.plan
    regimen = file.regimens.get(answer.plan)
    return {
        "plan": answer.plan,
        "label": "" if plan is None else plan.levels[answer.plan],
        "reference": plan is not None and plan.reference == answer.plan,
        "offered": answer.offered,
        "reasons": reasons,
        "response": None if answer.response is None else describe_likelihood(answer.response, LEVEL),
        "remission": None if answer.remission is None else describe_likelihood(answer.remission, LEVEL),
        "support": _support(answer),
        "difference": _difference(answer),
        "durability": None if answer.durability is None else _durability(answer.durability),
        "schedule": describe_schedule(regimen, answer, screen.first_amount(answer.plan), aim)
        if answer.offered and regimen is not None
        else None,
        "recommended": answer.recommended,
    }


def _support(answer: PlanAnswer) -> dict[str, Any] | None:
    if not answer.offered:
        return None
    return {
        "propensity": answer.propensity,
        "comparable_patients": answer.comparable,
        "sufficient": answer.sufficient,
    }


def _difference(answer: PlanAnswer) -> dict[str, Any] | None:
    found = answer.difference
    if found is None:
        return None
    return {"value": found.probability, "interval": (found.low, found.high), "level": LEVEL}


def _durability(durability: Durability) -> dict[str, Any]:
    curves = durability.curves
    return {
        "weeks": list(range(curves.shape[2])),
        "level": BAND_LEVEL,
        "curves": [
            {"maintenance": level, "relapse_free": probability, "low": low, "high": high}
            for level, probability, low, high in zip(durability.levels, *curves.tolist(), strict=True)
        ],
    }


def _choice(scorer: PlanScorer, screen: Screen) -> dict[str, Any]:
    choice = scorer.plan_model.choice
    return {
        "shown": choice.shown,
        "best_single": choice.best_single if choice.best_single in screen.offered else None,
        "sentence": choice.sentence(),
        "gain": choice.gain,
        "interval": (choice.low, choice.high),
        "level": _CHOICE_LEVEL,
        "patients": choice.patients,
        "tree": None if screen.excluded else choice.tree,
    }

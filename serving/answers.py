"""What the service answers: the shape of a prediction, and the sentences that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

import numpy as np
from pydantic import BaseModel, Field

from serving.course import Course, CourseReport, describe_course
from serving.likelihood import ProbabilityWithInterval, describe_likelihood
from serving.safety import SafetyReport, describe_screen, not_offered, urgent_text

if TYPE_CHECKING:
    from features.safety import Screen
    from models.scorer import Answer, Unusual
    from serving.loading import Served

__all__ = [
    "SIMULATED",
    "InputsReport",
    "Prediction",
    "PredictionModel",
    "describe_inputs",
    "describe_prediction",
    "describe_withheld",
    "missing_notices",
    "standing_notices",
]

SIMULATED: Final = "Trained on simulated patients. Not for clinical use."


class PredictionModel(BaseModel):
    """Which model answered."""

    name: str
    version: str
    provenance: str = Field(
        description="simulated, observational or randomised: where its patients come from."
    )
    landmark: str = Field(description="The point of the course that it predicts from.")


class UnusualValue(BaseModel):
    """A value outside what nearly all training patients had."""

    name: str
    value: float
    seen: tuple[float, float] = Field(description="1st and 99th percentile of the training patients.")


class InputsReport(BaseModel):
    """What the model noticed about the inputs."""

    missing: list[str] = Field(description="Predictors that were left out.")
    unusual: list[UnusualValue]


class PredictionDriver(BaseModel):
    """What one predictor adds to the probability of response, against the average patient."""

    name: str
    label: str
    value: float | str | bool | None
    effect: float = Field(description="In probability points: 0.06 raises the probability by 6 in 100.")


class Prediction(BaseModel):
    """The likelihood of response and of remission of one patient on one plan."""

    prediction_id: str = Field(description="A random UUID; the only part that differs between same requests.")
    model: PredictionModel
    plan: str | None
    safety: SafetyReport | None = Field(
        description="What the safety screen found; null where `safety` was not asked about."
    )
    response: ProbabilityWithInterval | None = Field(
        description="null beside a danger sign, or a contraindication of the plan; likewise what follows."
    )
    remission: ProbabilityWithInterval | None
    verdict: Literal["likely", "unlikely", "uncertain"] | None = Field(
        description="Whether response is likely: conformal, wrong for at most 1 - `level` of each class."
    )
    inputs: InputsReport
    drivers: list[PredictionDriver] = Field(description="The largest effect first; empty if not asked for.")
    course: CourseReport | None = Field(
        description="What the measurements in `observed` have changed; null where there are none."
    )
    notices: list[str] = Field(description="To be shown wherever the numbers are.")


def describe_prediction(
    served: Served,
    plan: str | None,
    answer: Answer,
    course: Course | None = None,
    before: Answer | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """Write an answer as `Prediction` describes it.

    A plain dict, because checking the service's own output a second time would cost as much as the
    prediction; a test holds both against each other.

    Parameters
    ----------
    served : Served
    plan : str or None
    answer : Answer
    course : Course or None
        None for a prediction from baseline alone.
    before : Answer or None
        From baseline, with a course.
    screen : Screen or None
        If safety was asked about; it has nothing against the plan.

    Returns
    -------
    dict
    """
    scorer = served.scorer if course is None else course.scorer
    cohort_file = scorer.cohort_file
    return {
        "prediction_id": str(uuid4()),
        "model": {
            "name": served.name,
            "version": served.version,
            "provenance": cohort_file.provenance,
            "landmark": scorer.landmark,
        },
        "plan": plan,
        "safety": None if screen is None else describe_screen(screen),
        "response": describe_likelihood(answer.response, scorer.level),
        "remission": describe_likelihood(answer.remission, scorer.level),
        "verdict": answer.verdict,
        "inputs": describe_inputs(answer.missing, answer.unusual),
        "drivers": [
            {"name": d.name, "label": d.label, "value": d.value, "effect": d.effect} for d in answer.drivers
        ],
        "course": None
        if course is None or before is None
        else describe_course(course, cohort_file.outcome.baseline, answer, before),
        "notices": standing_notices(cohort_file.provenance)
        + missing_notices(len(answer.missing), len(cohort_file.baseline_predictors))
        + (_unused_notices(course) if course is not None else []),
    }


def describe_withheld(served: Served, plan: str | None, row: list[float], screen: Screen) -> dict[str, Any]:
    """Write, as `Prediction` describes it, that safety outranks any probability; nothing is predicted.

    Parameters
    ----------
    served : Served
    plan : str or None
    row : list of float
        The encoded patient.
    screen : Screen
        With a danger sign, or a contraindication of the plan.

    Returns
    -------
    dict
    """
    scorer = served.scorer
    provenance = scorer.cohort_file.provenance
    return {
        "prediction_id": str(uuid4()),
        "model": {
            "name": served.name,
            "version": served.version,
            "provenance": provenance,
            "landmark": scorer.landmark,
        },
        "plan": plan,
        "safety": describe_screen(screen),
        "response": None,
        "remission": None,
        "verdict": None,
        "inputs": describe_inputs(*scorer.notice(np.array(row, dtype=np.float64))),
        "drivers": [],
        "course": None,
        "notices": [*_withheld_notices(screen, plan), *standing_notices(provenance)],
    }


def describe_inputs(missing: tuple[str, ...], unusual: tuple[Unusual, ...]) -> dict[str, Any]:
    """Write what was noticed of the inputs as `InputsReport` describes it."""
    return {
        "missing": missing,
        "unusual": [{"name": u.name, "value": u.value, "seen": (u.low, u.high)} for u in unusual],
    }


def standing_notices(provenance: str) -> list[str]:
    """Sentences that go with every answer of a model.

    Parameters
    ----------
    provenance : str

    Returns
    -------
    list of str
    """
    return [SIMULATED] if provenance == "simulated" else []


def missing_notices(missing: int, of: int) -> list[str]:
    """Say it where more than half of the predictors are missing."""
    if 2 * missing <= of:
        return []
    return [f"{missing} of {of} predictors are missing: the prediction says little about this patient."]


def _withheld_notices(screen: Screen, plan: str | None) -> list[str]:
    urgent = urgent_text(screen)
    return [urgent] if urgent else [f"Not offered: {reason}" for reason in not_offered(screen, plan)]


def _unused_notices(course: Course) -> list[str]:
    if not course.unused:
        return []
    return [f"Predicted from {course.scorer.landmark}; not used: {', '.join(course.unused)}."]

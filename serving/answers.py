"""What the service answers: the shape of a prediction, and the sentences that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from models.scorer import Answer, Likelihood
    from serving.loading import Served

__all__ = ["SIMULATED", "Prediction", "describe_prediction", "standing_notices"]

SIMULATED: Final = "Trained on simulated patients. Not for clinical use."


class PredictionModel(BaseModel):
    """Which model answered."""

    name: str
    version: str
    provenance: str = Field(
        description="simulated, observational or randomised: where its patients come from."
    )
    landmark: str = Field(description="The point of the course that it predicts from.")


class ProbabilityWithInterval(BaseModel):
    """A probability and how sure the model is of it."""

    probability: float = Field(ge=0, le=1)
    interval: tuple[float, float] = Field(description="Lower and upper end, at the stated level.")
    level: float = Field(description="Share of patients whose true probability lies in their interval.")


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
    response: ProbabilityWithInterval
    remission: ProbabilityWithInterval
    verdict: Literal["likely", "unlikely", "uncertain"] = Field(
        description="Whether response is likely: conformal, wrong for at most 1 - `level` of each class."
    )
    inputs: InputsReport
    drivers: list[PredictionDriver] = Field(description="The largest effect first; empty if not asked for.")
    notices: list[str] = Field(description="To be shown wherever the numbers are.")


def describe_prediction(served: Served, plan: str | None, answer: Answer) -> dict[str, Any]:
    """Write an answer as `Prediction` describes it.

    A plain dict, because checking the service's own output a second time would cost as much as the
    prediction; a test holds both against each other.

    Parameters
    ----------
    served : Served
    plan : str or None
    answer : Answer

    Returns
    -------
    dict
    """
    scorer = served.scorer
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
        "response": _likelihood(answer.response, scorer.level),
        "remission": _likelihood(answer.remission, scorer.level),
        "verdict": answer.verdict,
        "inputs": {
            "missing": answer.missing,
            "unusual": [{"name": u.name, "value": u.value, "seen": (u.low, u.high)} for u in answer.unusual],
        },
        "drivers": [
            {"name": d.name, "label": d.label, "value": d.value, "effect": d.effect} for d in answer.drivers
        ],
        "notices": standing_notices(cohort_file.provenance)
        + _missing_notices(len(answer.missing), len(cohort_file.baseline_predictors)),
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


def _likelihood(likelihood: Likelihood, level: float) -> dict[str, Any]:
    return {
        "probability": likelihood.probability,
        "interval": (likelihood.low, likelihood.high),
        "level": level,
    }


def _missing_notices(missing: int, of: int) -> list[str]:
    if 2 * missing <= of:
        return []
    return [f"{missing} of {of} predictors are missing: the prediction says little about this patient."]

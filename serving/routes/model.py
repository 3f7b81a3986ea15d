"""What the served model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from features.screening import CohortScreen
from serving.answers import standing_notices
from serving.openapi import problems
from serving.safety import SafetyQuestion, describe_questions
from serving.schemas import observed_predictors
from serving.state import served_by

if TYPE_CHECKING:
    from serving.loading import Served

__all__ = ["ModelDescription", "describe_model", "router"]


class OutcomeDescription(BaseModel):
    """What is predicted."""

    scale: str
    scale_title: str
    response_reduction: float = Field(description="Fall from the baseline score that counts as response.")
    remission_at_most: float = Field(description="Highest endpoint score that counts as remission.")
    minimum_baseline: float | None = Field(description="Patients below were not trained on.")


class LandmarkDescription(BaseModel):
    """A point of the course."""

    name: str
    predicts: bool = Field(description="Whether this version can predict from there.")
    observed: list[str] = Field(description="What `observed` may hold of it.")


class ModelDescription(BaseModel):
    """The served model."""

    name: str
    version: str
    digest: str = Field(description="SHA-256 of its files, checked when they were read.")
    title: str
    provenance: str
    landmark: str = Field(description="From which it predicts where nothing has been observed since.")
    landmarks: list[LandmarkDescription] = Field(description="In the order of the course.")
    level: float = Field(description="Level of intervals and verdicts.")
    plans: dict[str, str] = Field(description="Plans by name, with their texts; empty without plans.")
    reference_plan: str | None
    outcome: OutcomeDescription
    safety_questions: list[SafetyQuestion] = Field(
        description="What `safety` may answer, in the order to ask. A question not answered is not a no."
    )
    candidates: dict[str, str] = Field(description="Learning algorithm of each outcome.")
    notices: list[str]


router = APIRouter(tags=["model"])


@router.get("/v1/model", summary="What answers", responses=problems(503))
async def model(request: Request) -> ModelDescription:
    """Name, version, plans and outcome of the served model."""
    return describe_model(served_by(request))


def describe_model(served: Served) -> ModelDescription:
    """Describe what answers: the route's answer, and what the page says of the model."""
    scorer = served.scorer
    file = scorer.cohort_file
    return ModelDescription(
        name=served.name,
        version=served.version,
        digest=served.digest,
        title=file.title,
        provenance=file.provenance,
        landmark=scorer.landmark,
        landmarks=[
            LandmarkDescription(
                name=landmark,
                predicts=landmark in served.model.landmarks,
                observed=[p.name for p in observed_predictors(file) if p.landmark == landmark],
            )
            for landmark in file.landmarks
        ],
        level=scorer.level,
        plans=dict(file.plan.levels) if file.plan else {},
        reference_plan=file.plan.reference if file.plan else None,
        outcome=OutcomeDescription(
            scale=file.outcome.scale.name,
            scale_title=file.outcome.scale.title,
            response_reduction=file.outcome.response_reduction,
            remission_at_most=file.outcome.scale.remission_at_most,
            minimum_baseline=file.outcome.minimum_baseline,
        ),
        safety_questions=describe_questions(CohortScreen(file).questions),
        candidates={name: outcome.choice.candidate for name, outcome in scorer.model.outcomes.items()},
        notices=standing_notices(file.provenance),
    )

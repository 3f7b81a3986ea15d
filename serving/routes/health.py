"""Whether the process is up, and whether it can answer."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from serving.openapi import problems
from serving.records.recording import check_records
from serving.state import following_of, served_by

__all__ = ["router"]


class Health(BaseModel):
    """The process is up."""

    status: str


class RefusedVersion(BaseModel):
    """A version that is not served."""

    version: str
    reason: str


class Readiness(BaseModel):
    """A model is loaded, and which."""

    status: str
    model: str
    version: str
    refused: RefusedVersion | None = Field(
        description="What the alias names, if it may not be served: the last good version goes on answering."
    )
    registry: str | None = Field(description="Why the registry cannot be asked for a newer version.")


router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is the process up?")
async def healthz() -> Health:
    """Answer as long as the process can answer at all."""
    return Health(status="up")


@router.get("/readyz", summary="Can it predict?", responses=problems(503))
async def readyz(request: Request) -> Readiness:
    """Answer 200 once the model has made a first prediction, and while predictions can be recorded."""
    served = served_by(request)
    check_records(request.state)
    following = following_of(request)
    refused = following.refused and RefusedVersion(**asdict(following.refused))
    return Readiness(
        status="ready",
        model=served.name,
        version=served.version,
        refused=refused,
        registry=following.problem,
    )

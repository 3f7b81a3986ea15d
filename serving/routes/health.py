"""Whether the process is up, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from serving.openapi import problems
from serving.state import served_by

__all__ = ["router"]


class Health(BaseModel):
    """The process is up."""

    status: str


class Readiness(BaseModel):
    """A model is loaded, and which."""

    status: str
    model: str
    version: str


router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is the process up?")
async def healthz() -> Health:
    """Answer as long as the process can answer at all."""
    return Health(status="up")


@router.get("/readyz", summary="Can it predict?", responses=problems(503))
async def readyz(request: Request) -> Readiness:
    """Answer 200 once the model has been loaded and has made a first prediction."""
    served = served_by(request)
    return Readiness(status="ready", model=served.name, version=served.version)

"""The schema of a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from serving.openapi import DIALECT

if TYPE_CHECKING:
    from serving.schemas import PredictRequest

__all__ = ["schema_router"]


def schema_router(model: type[PredictRequest]) -> APIRouter:
    """Make the route that describes what `patient` may hold.

    Parameters
    ----------
    model : type of PredictRequest
        The very model that validates requests.

    Returns
    -------
    APIRouter
    """
    router = APIRouter(tags=["model"])
    whole = model.model_json_schema()
    document = {"$schema": DIALECT, **whole["$defs"]["Patient"]}
    if whole["$defs"]["Observed"].get("properties"):
        document["$defs"] = {"Observed": whole["$defs"]["Observed"]}

    @router.get("/v1/schema", summary="JSON Schema of a patient")
    async def schema() -> dict[str, Any]:
        """Predictors with titles, units (`x-unit`), ranges and levels, as JSON Schema 2020-12.

        Under `$defs`, where the model has later landmarks, the schema of `observed` as `Observed`.
        """
        return document

    return router

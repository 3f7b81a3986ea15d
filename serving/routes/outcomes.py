"""What happened after a prediction, attached to it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, create_model
from pydantic_core import to_json

from serving.openapi import json_body, problems
from serving.problems import FieldProblem, ProblemError
from serving.reading import check_content_type
from serving.records.recording import attach
from serving.routes.direct import DirectRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.cohort_file import CohortFile

__all__ = ["OutcomeRequest", "make_outcome_model", "outcomes_router"]

_EARLIEST: Final = datetime.date(1900, 1, 1)
_LATEST: Final = datetime.date(2199, 12, 31)
_LONGEST: Final = 1040
_OBSERVED: Final = ("endpoint", "response", "remission", "weeks_to_relapse")
_UNKNOWN: Final = "there is no prediction of that id, or its content was erased"


def _absent(description: str, **extra: Any) -> Any:
    """A member that may be left out, and has no value then; null is not accepted."""
    return Field(default_factory=lambda: None, description=description, **extra)


class OutcomeRequest(BaseModel):
    """What happened; `make_outcome_model` adds what depends on the cohort."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"anyOf": [{"required": [name]} for name in _OBSERVED]},
    )

    prediction_id: UUID = Field(description="As the prediction was answered.")
    response: Annotated[bool, Strict()] = _absent("Whether the patient responded.")
    remission: Annotated[bool, Strict()] = _absent("Whether the patient remitted.")
    weeks_to_relapse: Annotated[float, Strict(), Field(ge=0, le=_LONGEST, allow_inf_nan=False)] = _absent(
        "Weeks from response to relapse, or to the last contact without one."
    )
    relapsed: Annotated[bool, Strict()] = _absent("Whether `weeks_to_relapse` ended with a relapse.")
    observed_on: Annotated[datetime.date, Strict(), Field(ge=_EARLIEST, le=_LATEST)] = _absent(
        "Day of the assessment.",
        json_schema_extra={"pattern": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"},
    )


class OutcomeStored(BaseModel):
    """The outcome is on record."""

    prediction_id: str
    stored: bool


def make_outcome_model(cohort_file: CohortFile) -> type[OutcomeRequest]:
    """Build the model of a body that tells an outcome.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    type of OutcomeRequest
        With `endpoint`, a score on the cohort's scale, and where there are plans `plan`, the one that
        was given. What is left out was not observed.
    """
    scale = cohort_file.outcome.scale
    score = Annotated[float, Strict(), Field(ge=scale.minimum, le=scale.maximum, allow_inf_nan=False)]
    fields: dict[str, Any] = {"endpoint": (score, _absent(f"{scale.name} at the endpoint."))}
    if cohort_file.plan_levels:
        fields["plan"] = (Literal[cohort_file.plan_levels], _absent("The plan that was given."))
    return create_model(
        "OutcomeRequest", __base__=OutcomeRequest, __doc__="What happened after a prediction.", **fields
    )


def outcomes_router(model: type[OutcomeRequest], cohort_file: CohortFile) -> APIRouter:
    """Make the route that takes outcomes.

    Parameters
    ----------
    model : type of OutcomeRequest
        From `make_outcome_model`.
    cohort_file : CohortFile
        The same.

    Returns
    -------
    APIRouter
    """
    router = APIRouter(tags=["records"], route_class=DirectRoute)
    allowed = _allowed(cohort_file)

    @router.post(
        "/v1/outcomes",
        summary="Tell what happened after a prediction",
        status_code=201,
        responses={201: {"model": OutcomeStored}, **problems(400, 404, 413, 415, 422, 500, 503)},
        openapi_extra=json_body(model),
    )
    async def outcomes(request: Request) -> Response:
        """Attach what was observed to a prediction; a later one does not replace an earlier one."""
        check_content_type(request.headers.get("content-type"))
        content = _read(await request.body(), model, allowed)
        prediction_id = content.pop("prediction_id")
        if not await attach(request.state, "outcome", prediction_id, content):
            raise ProblemError(404, _UNKNOWN)
        stored = OutcomeStored(prediction_id=prediction_id, stored=True)
        return Response(to_json(stored), 201, media_type="application/json")

    return router


def _allowed(cohort_file: CohortFile) -> dict[str, str]:
    scale = cohort_file.outcome.scale
    allowed = {
        "prediction_id": "must be the id of a prediction, as it was answered; it is required",
        "endpoint": f"must be a score on the {scale.name}, from {scale.minimum:g} to {scale.maximum:g}",
        "response": "must be true or false",
        "remission": "must be true or false",
        "weeks_to_relapse": f"must be a number of weeks from 0 to {_LONGEST}",
        "relapsed": "must be true or false",
        "observed_on": f"must be a date such as 2026-12-01, from {_EARLIEST} to {_LATEST}",
    }
    if cohort_file.plan_levels:
        allowed["plan"] = f"must be one of: {', '.join(cohort_file.plan_levels)}"
    return allowed


def _read(body: bytes, model: type[OutcomeRequest], allowed: Mapping[str, str]) -> dict[str, Any]:
    try:
        asked = model.model_validate_json(body)
    except ValidationError as exc:
        # Outside the `except` block, so that the problem does not carry pydantic's error with its input.
        found = [
            (error["type"], error["loc"]) for error in exc.errors(include_url=False, include_input=False)
        ]
    else:
        content = asked.model_dump(mode="json", exclude_unset=True)
        if not content.keys() & set(_OBSERVED):
            needed = f"must hold at least one of: {', '.join(_OBSERVED)}"
            raise ProblemError(422, "nothing was observed", [FieldProblem(field="", detail=needed)])
        return content
    if found[0][0] == "json_invalid":
        raise ProblemError(400, "the body is not JSON")
    listed = f"must be a JSON object that holds nothing but: {', '.join(allowed)}"
    # The name of an unknown member may be patient data: it is not repeated.
    names = dict.fromkeys(str(at[0]) if at and kind != "extra_forbidden" else "" for kind, at in found)
    wrong = [
        FieldProblem(field=f"/{name}" if name else "", detail=allowed.get(name, listed)) for name in names
    ]
    raise ProblemError(422, "the outcome is not as it should be; `errors` says what is allowed.", wrong)

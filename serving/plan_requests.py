"""What a request for all plans may hold."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, create_model

from models.durability import HORIZON
from serving.problems import FieldProblem, ProblemError
from serving.schemas import PatientRequest, as_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.cohort_file import CohortFile
    from serving.schemas import PredictRequest

__all__ = ["PlansRequest", "RelapseFree", "check_plan", "make_plans_model", "plans_allowed"]

_EARLIEST: Final = datetime.date(1900, 1, 1)
_LATEST: Final = datetime.date(2199, 12, 31)
_CLOSED = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RelapseFree(BaseModel):
    """How likely, and for how long, relief must last: what maintenance is chosen by."""

    model_config = _CLOSED

    target: Annotated[float, Strict(), Field(gt=0, lt=1)] = Field(
        0.6, description="What the lower bound of the relapse-free probability must reach."
    )
    weeks: Annotated[int, Strict(), Field(ge=1, le=HORIZON), BeforeValidator(as_whole)] = Field(
        26, description="At which week after response."
    )


_TOGETHER: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {"plan": {"type": "null"}, "observed": {"type": "null"}}},
        {
            "properties": {"plan": {"type": "string"}, "observed": {"type": "object"}},
            "required": ["plan", "observed"],
        },
    ]
}
"""For JSON Schema: what was observed and the plan that it was observed on stand together or not at all."""


class PlansRequest(PatientRequest):
    """A request for all plans; `make_plans_model` adds the cohort's own patient."""

    model_config = ConfigDict(**_CLOSED, json_schema_extra=_TOGETHER)

    start: Annotated[datetime.date, Strict(), Field(ge=_EARLIEST, le=_LATEST)] | None = Field(
        None,
        description="Day of the first session, such as 2026-12-01; without it schedules have no dates.",
        json_schema_extra={"pattern": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"},  # `_EARLIEST` to `_LATEST`
    )
    relapse_free: RelapseFree | None = None


def make_plans_model(cohort_file: CohortFile, predict: type[PredictRequest]) -> type[PlansRequest]:
    """Build the model of a request for all plans.

    Parameters
    ----------
    cohort_file : CohortFile
        With plans.
    predict : type of PredictRequest
        Of the same cohort, whose `patient`, `observed` and `safety` it shares.

    Returns
    -------
    type of PlansRequest
    """
    shared: dict[str, Any] = {
        name: (predict.model_fields[name].annotation, predict.model_fields[name])
        for name in ("patient", "observed", "safety")
    }
    plan: Any = Literal[cohort_file.plan_levels] | None if cohort_file.plan_levels else None
    described = Field(None, description="The plan that the patient is on; only beside `observed`.")
    return create_model(
        "PlansRequest",
        __base__=PlansRequest,
        __doc__="A patient for whom all plans are compared.",
        plan=(plan, described),
        **shared,
    )


def plans_allowed(cohort_file: CohortFile) -> Mapping[str, str]:
    """Say what the members of such a request allow, by JSON Pointer.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    mapping of str to str
    """
    return {
        "": "must be a JSON object with `patient`",
        "/plan": f"must be one of: {', '.join(cohort_file.plan_levels)}; only beside `observed`",
        "/start": f"must be a date such as 2026-12-01, from {_EARLIEST} to {_LATEST}",
        "/relapse_free": "must be an object with `target` and `weeks`",
        "/relapse_free/target": "must be a probability above 0 and below 1",
        "/relapse_free/weeks": f"must be a whole number from 1 to {HORIZON}",
    }


def check_plan(cohort_file: CohortFile, asked: PlansRequest) -> None:
    """Check that the current plan stands beside what was observed on it, and only there.

    Parameters
    ----------
    cohort_file : CohortFile
    asked : PlansRequest

    Raises
    ------
    ProblemError
        422.
    """
    if (asked.plan is None) == (asked.observed is None):
        return
    detail = (
        plans_allowed(cohort_file)["/plan"].partition(";")[0] + "; `observed` was measured on it"
        if asked.plan is None
        else "is the plan that the patient is on: send it beside `observed`, or leave it out"
    )
    raise ProblemError(
        422,
        "one field is not as it should be; `errors` says which, and what is allowed.",
        [FieldProblem(field="/plan", detail=detail)],
    )

"""What a request may hold: pydantic models built from the cohort file, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema, create_model

from features.encoding import encode_patient

if TYPE_CHECKING:
    from features.cohort_file import CohortFile, Predictor

__all__ = ["LARGEST", "PredictRequest", "allowed_values", "encode_request", "make_request_model"]

LARGEST: Final = 1e15
"""Where a predictor states no range, the largest number either way; as in tables (`features.schema`)."""

_CLOSED = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PredictRequest(BaseModel):
    """What each cohort's request has; `make_request_model` adds the cohort's own patient and plan."""

    model_config = _CLOSED

    patient: BaseModel
    plan: str | None = None
    observed: Annotated[dict[str, None], Field(max_length=0)] | None = Field(
        None,
        description="Later measurements. This version predicts from baseline only: leave it out, or empty.",
    )
    drivers: Annotated[bool, Strict()] = Field(
        True, description="Whether the answer says what each predictor adds."
    )


def make_request_model(cohort_file: CohortFile) -> type[PredictRequest]:
    """Build the model of a request's body.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    type of PredictRequest
        Its field `patient` has one optional member for each baseline predictor.
    """
    # Fields are numbered and reach JSON by alias: a predictor may be called "bdi.pre", "copy" or "json".
    fields: dict[str, Any] = {
        f"p{i}": (_annotation(predictor) | None, _field(predictor))
        for i, predictor in enumerate(cohort_file.baseline_predictors)
    }
    patient = create_model(
        "Patient",
        __config__=ConfigDict(title="Patient", **_CLOSED),
        __doc__="What is known before treatment. A predictor that is left out, or null, is missing.",
        **fields,
    )
    return create_model(
        "PredictRequest",
        __base__=PredictRequest,
        __doc__="A patient and the plan to predict for.",
        patient=(patient, ...),
        plan=_plan(cohort_file),
    )


def encode_request(cohort_file: CohortFile, request: PredictRequest) -> list[float]:
    """Encode a validated request.

    Parameters
    ----------
    cohort_file : CohortFile
    request : PredictRequest
        Of the model that was built from this very cohort file.

    Returns
    -------
    list of float
        As `features.encoding.encode_patient`.
    """
    # pydantic fills an instance's dict in the order of the fields, which is that of the predictors.
    values = request.patient.__dict__.values()
    names = (predictor.name for predictor in cohort_file.baseline_predictors)
    return encode_patient(cohort_file, dict(zip(names, values, strict=True)), request.plan)


def allowed_values(predictor: Predictor) -> str:
    """Say what a predictor's value must be, for an error.

    Parameters
    ----------
    predictor : Predictor

    Returns
    -------
    str

    Examples
    --------
    >>> from features.cohort_file import Predictor
    >>> allowed_values(Predictor("age", "number", "Age", valid=(18, 100)))
    'must be a number from 18 to 100'
    """
    if predictor.kind == "binary":
        return "must be true or false (or 1 or 0)"
    if predictor.levels:
        return f"must be one of: {', '.join(predictor.levels)}"
    low, high = predictor.valid or (-LARGEST, LARGEST)
    return f"must be a number from {low:.15g} to {high:.15g}"


def _annotation(predictor: Predictor) -> Any:
    """Type of a predictor's value, checked as JSON is: no text for numbers, no booleans for numbers."""
    if predictor.kind == "binary":
        one_or_zero = Annotated[float, Strict(), Field(ge=0, le=1, multiple_of=1)]
        return Annotated[Annotated[bool, Strict()] | one_or_zero, Field(union_mode="left_to_right")]
    if predictor.kind == "ordinal" and (codes := _whole_levels(predictor.levels)):
        schema = {"enum": [*predictor.levels, *codes]}
        return Annotated[Literal[predictor.levels], BeforeValidator(_as_level), WithJsonSchema(schema)]
    if predictor.levels:
        return Literal[predictor.levels]
    low, high = predictor.valid or (-LARGEST, LARGEST)
    return Annotated[float, Strict(), Field(ge=low, le=high, allow_inf_nan=False)]


def _field(predictor: Predictor) -> Any:
    extra: dict[str, str] = {"x-kind": predictor.kind}
    if predictor.unit:
        extra["x-unit"] = predictor.unit
    return Field(None, alias=predictor.name, title=predictor.label, json_schema_extra=dict(extra))


def _plan(cohort_file: CohortFile) -> tuple[Any, Any]:
    if not cohort_file.plan_levels:
        return (None, Field(None, description="This model has no plans: leave it out."))
    return (Literal[cohort_file.plan_levels], Field(description="The plan to predict for (GET /v1/model)."))


def _whole_levels(levels: tuple[str, ...]) -> list[int]:
    return [int(level) for level in levels if level.isdecimal() and str(int(level)) == level]


def _as_level(value: object) -> object:
    """Read a whole number as the level that it names; a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:.0f}" if value == int(value) else value

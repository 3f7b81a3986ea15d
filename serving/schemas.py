"""What a request may hold: pydantic models built from the cohort file, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema, create_model

from features.cohort_file_model import BASELINE, Predictor
from features.encoding import encode_values
from serving.safety import safety_field

if TYPE_CHECKING:
    from features.cohort_file import CohortFile

__all__ = [
    "LARGEST",
    "PatientRequest",
    "PredictRequest",
    "allowed_values",
    "as_whole",
    "encode_request",
    "make_request_model",
    "observed_predictors",
    "values_of",
]

LARGEST: Final = 1e15
"""Where a predictor states no range, the largest number either way; as in tables (`features.schema`)."""

_CLOSED = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PatientRequest(BaseModel):
    """What every request about a patient has; the cohort's own parts are added by `make_request_model`."""

    model_config = _CLOSED

    patient: BaseModel
    plan: str | None = None
    observed: BaseModel | None = None
    safety: BaseModel | None = None


class PredictRequest(PatientRequest):
    """A request for one plan."""

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
        Its field `patient` has one optional member for each baseline predictor, `observed` one for each
        of `observed_predictors`.
    """
    patient = create_model(
        "Patient",
        __config__=ConfigDict(title="Patient", **_CLOSED),
        __doc__="What is known before treatment. A predictor that is left out, or null, is missing.",
        **_fields(cohort_file.baseline_predictors),
    )
    observed = create_model(
        "Observed",
        __config__=ConfigDict(title="Observed", **_CLOSED),
        __doc__="What was measured since treatment started. What is left out, or null, was not.",
        **_fields(observed_predictors(cohort_file)),
    )
    return create_model(
        "PredictRequest",
        __base__=PredictRequest,
        __doc__="A patient and the plan to predict for.",
        patient=(patient, ...),
        observed=(observed | None, None),
        safety=safety_field(),
        plan=_plan(cohort_file),
    )


def observed_predictors(cohort_file: CohortFile) -> tuple[Predictor, ...]:
    """Say what may be observed during the course.

    Parameters
    ----------
    cohort_file : CohortFile

    Returns
    -------
    tuple of Predictor
        The predictors of later landmarks in the order of the file, then the checks of the futility rule
        that are no predictors: scores on the outcome's scale, known by the rule's landmark.
    """
    later, rule, scale = cohort_file.later_predictors, cohort_file.futility, cohort_file.outcome.scale
    names = {predictor.name for predictor in later}
    checks = () if rule is None else tuple(check for check in rule.checks if check not in names)
    return later + tuple(
        Predictor(
            name=check,
            kind="number",
            label=f"{scale.name}, {check}",
            unit="points",
            valid=(scale.minimum, scale.maximum),
            landmark="" if rule is None else rule.landmark,
        )
        for check in checks
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
        As `features.encoding.encode_values`.
    """
    # pydantic fills an instance's dict in the order of the fields, which is that of the predictors.
    return encode_values(cohort_file, request.patient.__dict__.values(), request.plan)


def values_of(part: BaseModel, predictors: tuple[Predictor, ...]) -> dict[str, object]:
    """Give the values of `patient` or `observed` by predictor; without those that are missing.

    Parameters
    ----------
    part : BaseModel
        Validated.
    predictors : tuple of Predictor
        From which its model was made.

    Returns
    -------
    dict
    """
    pairs = zip(predictors, part.__dict__.values(), strict=True)
    return {predictor.name: value for predictor, value in pairs if value is not None}


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


def as_whole(value: object) -> object:
    """Turn 25.0 into 25: JSON Schema knows no difference between them, pydantic's strict `int` does.

    Parameters
    ----------
    value : object
        As JSON holds it; infinite if it was written as 1e400.

    Returns
    -------
    object
        The same where it is no whole number.

    Examples
    --------
    >>> as_whole(25.0), as_whole(25.5), as_whole(float("inf")), as_whole(True)
    (25, 25.5, inf, True)
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


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


def _fields(predictors: tuple[Predictor, ...]) -> dict[str, Any]:
    """Numbered fields that reach JSON by alias: a predictor may be called "bdi.pre", "copy" or "json"."""
    return {f"p{i}": (_annotation(p) | None, _field(p)) for i, p in enumerate(predictors)}


def _field(predictor: Predictor) -> Any:
    extra: dict[str, str] = {"x-kind": predictor.kind}
    if predictor.landmark != BASELINE:
        extra["x-landmark"] = predictor.landmark
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
    whole = as_whole(value)
    return str(whole) if isinstance(whole, int) and not isinstance(whole, bool) else value

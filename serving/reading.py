"""From the bytes of a body to a validated request, or to a problem that names the field."""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from serving.problems import FieldProblem, ProblemError
from serving.safety import safety_allowed
from serving.schemas import PatientRequest, allowed_values, observed_predictors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from features.cohort_file import CohortFile

__all__ = ["check_content_type", "read_request"]

_MOST_ERRORS: Final = 50
_LONGEST_NAME: Final = 100
"""Letters of an unknown name that are compared with the known ones: the comparison is quadratic."""

Asked = TypeVar("Asked", bound=PatientRequest)
_NO_OTHERS: Final[Mapping[str, str]] = MappingProxyType({})

BASELINE_ONLY: Final = "must be left out: this model predicts from baseline only"


def check_content_type(content_type: str | None) -> None:
    """Let only JSON through.

    Parameters
    ----------
    content_type : str or None
        Header of the request.

    Raises
    ------
    ProblemError
        415.
    """
    if content_type == "application/json":
        return
    media = (content_type or "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError(415, "send the request as JSON, with the header Content-Type: application/json")


def read_request(
    body: bytes, model: type[Asked], cohort_file: CohortFile, allowed: Mapping[str, str] = _NO_OTHERS
) -> Asked:
    """Validate a body.

    Parameters
    ----------
    body : bytes
    model : type of PatientRequest
        Built from the cohort file.
    cohort_file : CohortFile
    allowed : mapping of str to str
        What else is allowed, by JSON Pointer, where a member is the model's own or means something else.

    Returns
    -------
    PatientRequest
        Of that model.

    Raises
    ------
    ProblemError
        400 if it is not JSON, 422 with every field that is wrong. Neither holds anything that was sent.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        # Outside the `except` block, so that the problem does not carry pydantic's error with its input.
        details = exc.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        raise ProblemError(400, _not_json(body, details[0]))
    found = list(
        dict.fromkeys((p.field, p.detail) for p in _field_problems(details, model, cohort_file, allowed))
    )
    shown = [FieldProblem(field=field, detail=detail) for field, detail in found[:_MOST_ERRORS]]
    count = f"{len(found)} fields are" if len(found) > 1 else "one field is"
    raise ProblemError(
        422, f"{count} not as they should be; `errors` says which, and what is allowed.", shown
    )


def _not_json(body: bytes, detail: ErrorDetails) -> str:
    if not body:
        return "the body is empty; send a JSON object"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "the body is not UTF-8 text"
    return f"the body is not JSON: {detail['ctx']['error']}"  # what the parser expected and the column


def _field_problems(
    details: list[ErrorDetails],
    model: type[PatientRequest],
    cohort_file: CohortFile,
    allowed: Mapping[str, str],
) -> Iterator[FieldProblem]:
    predictors = {p.name: p for p in (*cohort_file.predictors, *observed_predictors(cohort_file))}
    allowed = {_pointer("safety", name): text for name, text in safety_allowed().items()} | dict(allowed)
    compared = 0
    for error in details:
        top, name = (*(str(part) for part in error["loc"][:2]), "", "")[:2]
        where = _pointer(*filter(None, (top, name)))
        if error["type"] == "extra_forbidden":
            compared += 1
            if compared <= _MOST_ERRORS:
                known = [key.removeprefix(f"/{top}/") for key in allowed if key.startswith(f"/{top}/")]
                yield (
                    _unknown_part(top, name, known)
                    if name and known
                    else _unknown(top, name, list(model.model_fields), cohort_file)
                )
        elif where in allowed:
            yield FieldProblem(field=where, detail=allowed[where])
        elif _pointer(top) in allowed:
            yield FieldProblem(field=_pointer(top), detail=allowed[_pointer(top)])
        elif top in ("patient", "observed") and name:
            yield FieldProblem(field=_pointer(top, name), detail=allowed_values(predictors[name]))
        else:
            yield FieldProblem(field=_pointer(top) if top else "", detail=_top_level(top, cohort_file))


def _unknown_part(top: str, name: str, known: list[str]) -> FieldProblem:
    """An unknown member of `safety` or of a member that is the model's own."""
    what = "question" if top == "safety" else "member"
    listed = " (all: GET /v1/model)" if top == "safety" else ""
    detail = f"holds an unknown {what}; the nearest known one is `{_nearest(name, known)}`{listed}"
    return FieldProblem(field=_pointer(top), detail=detail)


def _unknown(top: str, name: str, members: list[str], cohort_file: CohortFile) -> FieldProblem:
    """An unknown member: its own name may be patient data, so only the nearest known one is said."""
    if top == "observed" and name:
        return _not_observed(name, cohort_file)
    if top != "patient":
        nearest = _nearest(top, members)
        return FieldProblem(field="", detail=f"holds an unknown member; the nearest known one is `{nearest}`")
    later = {predictor.name: predictor.landmark for predictor in observed_predictors(cohort_file)}
    if name in later:
        detail = f"is known only at {later[name]}: it stands in `observed`, beside `patient`"
        return FieldProblem(field=_pointer(top, name), detail=detail)
    if cohort_file.plan is not None and name == cohort_file.plan.column:
        return FieldProblem(
            field="/patient", detail="holds the plan, which stands beside `patient` as `plan`"
        )
    nearest = _nearest(name, [predictor.name for predictor in cohort_file.baseline_predictors])
    detail = f"holds an unknown predictor; the nearest known one is `{nearest}` (all: GET /v1/schema)"
    return FieldProblem(field="/patient", detail=detail)


def _not_observed(name: str, cohort_file: CohortFile) -> FieldProblem:
    """An unknown measurement; of the known names the nearest is said."""
    if name in {predictor.name for predictor in cohort_file.baseline_predictors}:
        return FieldProblem(
            field=_pointer("observed", name), detail="is known before treatment: it stands in `patient`"
        )
    known = [predictor.name for predictor in observed_predictors(cohort_file)]
    if not known:
        return FieldProblem(field="/observed", detail=BASELINE_ONLY)
    detail = f"holds an unknown measurement; the nearest known one is `{_nearest(name, known)}`"
    return FieldProblem(field="/observed", detail=f"{detail} (all: GET /v1/model)")


def _top_level(name: str, cohort_file: CohortFile) -> str:
    match name:
        case "patient":
            return "must be an object of predictors (GET /v1/schema), and is required"
        case "plan" if cohort_file.plan_levels:
            return f"must be one of: {', '.join(cohort_file.plan_levels)}; it is required"
        case "plan":
            return "must be left out: this model has no plans"
        case "observed" if not observed_predictors(cohort_file):
            return BASELINE_ONLY
        case "observed":
            return "must be an object of later measurements (GET /v1/model)"
        case "safety":
            return "must be an object of answers to the safety questions (GET /v1/model)"
        case "drivers":
            return "must be true or false"
        case _:
            return "must be a JSON object with `patient`" + (" and `plan`" if cohort_file.plan_levels else "")


def _nearest(name: str, known: list[str]) -> str:
    return get_close_matches(name[:_LONGEST_NAME], known, n=1, cutoff=0)[0]


def _pointer(*names: str) -> str:
    """JSON Pointer, RFC 6901 section 3."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)

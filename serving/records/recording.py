"""The one way by which every surface records what it is about to answer, and what comes back to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from pydantic_core import to_json

from serving.metrics import observe_prediction
from serving.problems import ProblemError
from serving.records.entries import Attachment, Prediction, RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import State
    from starlette.requests import Request

    from serving.loading import Served
    from serving.records.entries import AttachmentKind, Kind, Surface
    from serving.records.recorder import Recorder

__all__ = [
    "ANONYMOUS",
    "attach",
    "check_records",
    "is_pseudonym",
    "patient_header",
    "patient_of",
    "record",
    "recorder_of",
]

ANONYMOUS: Final = "anonymous"
"""Who asks where nobody has to say who they are."""

_RETRY_SECONDS: Final = "5"
_LONGEST_CALLER: Final = 200
_PATIENT: Final = "X-Patient-Pseudonym"
_PSEUDONYM: Final = re.compile(r"[A-Za-z0-9._:~-]{1,100}")


async def record(
    request_state: State,
    kind: Kind,
    inputs: BaseModel | Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    surface: Surface = "api",
    patient: str | None = None,
) -> bytes:
    """Store a prediction; once this returns it is on disk, and may be answered.

    Parameters
    ----------
    request_state : State
        `request.state`: version, recorder and caller.
    kind : {"predict", "plans"}
        Which computation it was: that of `POST /v1/predict` or of `POST /v1/plans`.
    inputs : BaseModel or mapping
        The body from which `POST /v1/predict` or `/v1/plans` computes this very answer: the validated
        request, or a mapping of that form. Other surfaces translate theirs first: replay rests on it.
    answer : mapping
        What those routes answer, with `prediction_id`; before a surface words it in its own way.
    surface : {"api", "page", "cds", "fhir"}
    patient : str, optional
        What the caller calls the patient. Only a keyed hash of it is stored, by which the patient's
        records can be erased.

    Returns
    -------
    bytes
        The answer as JSON.

    Raises
    ------
    ProblemError
        503 with Retry-After, if it could not be stored: then it must not be answered.

    Notes
    -----
    Stores nothing where records are switched off.
    """
    recorder = recorder_of(request_state)
    answered = to_json(answer, inf_nan_mode="null")
    if recorder is None:
        observe_prediction(request_state, surface, answer)
        return answered
    served: Served = request_state.served
    keeps = recorder.keeps_inputs
    prediction = Prediction(
        prediction_id=answer["prediction_id"],
        made_at=datetime.now(UTC),
        caller=_caller(request_state),
        surface=surface,
        kind=kind,
        model=served.name,
        version=served.version,
        digest=served.digest,
        inputs=_to_text(inputs) if keeps else None,
        outputs=answered.decode() if keeps else _to_text(without_inputs(answer)),
        pseudonym=None if patient is None else recorder.pseudonym(patient),
    )
    try:
        await recorder.store(prediction)
    except RecordsUnavailable as exc:
        raise unavailable() from exc
    observe_prediction(request_state, surface, answer)
    return answered


async def attach(
    request_state: State, kind: AttachmentKind, prediction_id: str, content: Mapping[str, Any]
) -> bool:
    """Store what came back to a prediction: its outcome, or feedback on it.

    Parameters
    ----------
    request_state : State
    kind : {"outcome", "feedback"}
    prediction_id : str
        As it was answered.
    content : mapping
        To be stored as JSON, beside caller and time.

    Returns
    -------
    bool
        Whether there is such a prediction; if not, nothing is stored.

    Raises
    ------
    ProblemError
        503 with Retry-After, if it could not be stored; 404 if records are switched off.
    """
    recorder = recorder_of(request_state)
    if recorder is None:
        raise ProblemError(404, "records are switched off: there is no prediction that this belongs to")
    entry = Attachment(prediction_id, kind, datetime.now(UTC), _caller(request_state), _to_text(content))
    try:
        return await recorder.attach(entry)
    except RecordsUnavailable as exc:
        raise unavailable() from exc


def patient_of(request: Request) -> str | None:
    """Read what the caller calls the patient, from the header `X-Patient-Pseudonym`.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str or None
        None where the header is not sent.

    Raises
    ------
    ProblemError
        400.
    """
    patient = request.headers.get(_PATIENT)
    if patient is not None and not is_pseudonym(patient):
        raise ProblemError(400, f"{_PATIENT} must be 1 to 100 letters, digits or any of . _ : ~ -")
    return patient


def is_pseudonym(text: str) -> bool:
    """Whether a text can be a patient's pseudonym: 1 to 100 letters, digits or any of ``. _ : ~ -``."""
    return _PSEUDONYM.fullmatch(text) is not None


def patient_header() -> dict[str, Any]:
    """Describe that header, for an operation's `openapi_extra`."""
    return {
        "parameters": [
            {
                "name": _PATIENT,
                "in": "header",
                "required": False,
                "description": "A pseudonym of the patient, by which the records can be erased. Only a keyed "
                "hash of it is stored.",
                "schema": {"type": "string", "pattern": f"^{_PSEUDONYM.pattern}$"},
            }
        ]
    }


def recorder_of(request_state: State) -> Recorder | None:
    """Give the recorder of a running service; None where records are switched off."""
    recorder: Recorder | None = getattr(request_state, "recorder", None)
    return recorder


def check_records(request_state: State) -> None:
    """See that predictions can be recorded, as far as is known.

    Parameters
    ----------
    request_state : State

    Raises
    ------
    ProblemError
        503 with Retry-After.
    """
    recorder = recorder_of(request_state)
    if recorder is not None and recorder.problem is not None:
        raise unavailable()


def unavailable() -> ProblemError:
    """Make the answer in place of one that could not be recorded."""
    return ProblemError(
        503,
        "the records cannot be written, and nothing is answered that is not recorded; try again in a moment",
        headers={"Retry-After": _RETRY_SECONDS},
    )


def without_inputs(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Leave of an answer what repeats nothing of the patient.

    Parameters
    ----------
    answer : mapping
        As `POST /v1/predict` or `/v1/plans` gives it.

    Returns
    -------
    dict
    """
    kept = {name: answer[name] for name in _KEPT if name in answer}
    kept["inputs"] = {"missing": answer["inputs"]["missing"]}
    if "plans" in answer:
        kept["plans"] = [{name: plan[name] for name in _KEPT_OF_PLAN} for plan in answer["plans"]]
    return kept


_KEPT: Final = ("prediction_id", "model", "plan", "response", "remission", "verdict")
_KEPT_OF_PLAN: Final = ("plan", "offered", "response", "remission", "support", "difference", "recommended")


def _caller(request_state: State) -> str:
    caller = getattr(request_state, "caller", None)
    return ANONYMOUS if caller is None else str(caller.id)[:_LONGEST_CALLER]


def _to_text(value: BaseModel | Mapping[str, Any]) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True, exclude_none=True)
    return to_json(value, inf_nan_mode="null").decode()

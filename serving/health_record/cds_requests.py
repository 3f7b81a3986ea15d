"""What a CDS client sends (CDS Hooks 2.0): calls of services, and feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar
from uuid import UUID  # pydantic reads it

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.problems import FieldProblem, ProblemError

if TYPE_CHECKING:
    from typing import Self

__all__ = ["CdsRequest", "Context", "Feedback", "FeedbackRequest", "read_cds"]

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
"""FHIR R4, data type id."""

_OPEN = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Context(BaseModel):
    """Of both hooks; `selections` and `draftOrders` are required for order-select."""

    model_config = _OPEN
    userId: Text  # noqa: N815  # the standard's names
    patientId: Identifier  # noqa: N815
    encounterId: Identifier | None = None  # noqa: N815
    selections: Annotated[list[Text], Field(min_length=1)] | None = None
    draftOrders: dict[str, Any] | None = None  # noqa: N815


class _Authorization(BaseModel):
    """All of it is required; none of it is used, as this service never calls a FHIR server."""

    model_config = _OPEN
    access_token: Text
    token_type: Literal["Bearer"]
    expires_in: int
    scope: Text
    subject: Text


class CdsRequest(BaseModel):
    """A call of a service."""

    model_config = _OPEN
    hook: Text
    hookInstance: UUID  # noqa: N815
    context: Context
    fhirServer: Text | None = None  # noqa: N815
    fhirAuthorization: _Authorization | None = None  # noqa: N815
    prefetch: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check_server(self) -> Self:
        if self.fhirAuthorization is not None and self.fhirServer is None:
            raise ValueError("fhirAuthorization needs fhirServer")
        return self


class _Suggestion(BaseModel):
    model_config = _OPEN
    id: Text


class _Reason(BaseModel):
    model_config = _OPEN
    code: Text
    system: Text | None = None
    display: Text | None = None


class _OverrideReason(BaseModel):
    model_config = _OPEN
    reason: _Reason | None = None
    userComment: Annotated[str, Field(max_length=10_000)] | None = None  # noqa: N815


class Feedback(BaseModel):
    """What became of one card."""

    model_config = _OPEN
    card: Text
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: AwareDatetime  # noqa: N815
    acceptedSuggestions: Annotated[list[_Suggestion], Field(min_length=1)] | None = None  # noqa: N815
    overrideReason: _OverrideReason | None = None  # noqa: N815

    @model_validator(mode="after")
    def _check_suggestions(self) -> Self:
        if self.outcome == "accepted" and self.acceptedSuggestions is None:
            raise ValueError("accepted needs acceptedSuggestions")
        return self


class FeedbackRequest(BaseModel):
    """Feedback on any number of cards."""

    model_config = _OPEN
    feedback: Annotated[list[Feedback], Field(min_length=1, max_length=200)]


Asked = TypeVar("Asked", bound=BaseModel)

_MOST: Final = 20


def read_cds(body: bytes, model: type[Asked]) -> Asked:
    """Read a body.

    Parameters
    ----------
    body : bytes
    model : type of BaseModel

    Returns
    -------
    BaseModel
        Of that model.

    Raises
    ------
    ProblemError
        400 if it is not JSON, 422 with each member that is not as CDS Hooks says; never with what was sent.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        raise ProblemError(400, "the body is not JSON")
    found = dict.fromkeys((_pointer(d["loc"]), _said(d["type"], d["msg"])) for d in details)
    shown = [FieldProblem(field=field, detail=detail) for field, detail in list(found)[:_MOST]]
    raise ProblemError(422, "the request is not as CDS Hooks 2.0 describes it", shown)


def _pointer(location: tuple[int | str, ...]) -> str:
    # Every name in it is one of the models' own: free members are not looked into.
    return "".join(f"/{part}" for part in location) or "/"


def _said(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required"
    return message.removeprefix("Value error, ") if kind == "value_error" else "is not as it must be"

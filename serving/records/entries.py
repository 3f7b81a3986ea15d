"""What is stored of a prediction and of what comes back to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Attachment", "AttachmentKind", "Kind", "Prediction", "RecordsUnavailable", "Surface"]

Kind = Literal["predict", "plans"]
"""Which computation was asked for: of one plan, or of all."""

Surface = Literal["api", "page", "cds", "fhir"]
"""Through which door."""

AttachmentKind = Literal["outcome", "feedback"]


class RecordsUnavailable(UserError):  # noqa: N818  # what it is, as the service answers it: 503
    """A record could not be stored or read; nothing may be answered that is not recorded."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction, as it is stored.

    Parameters
    ----------
    prediction_id : str
        As it was answered.
    made_at : datetime
        In UTC.
    caller : str
    surface : {"api", "page", "cds", "fhir"}
    kind : {"predict", "plans"}
    model, version, digest : str
        Which model answered: registered name, version, SHA-256 of its files.
    inputs : str or None
        JSON of the request's body; None where inputs are not kept.
    outputs : str
        JSON of the answer; where inputs are not kept, without what repeats them.
    pseudonym : str or None
        Keyed hash of what the caller calls the patient.
    """

    prediction_id: str
    made_at: datetime
    caller: str
    surface: Surface
    kind: Kind
    model: str
    version: str
    digest: str
    inputs: str | None
    outputs: str
    pseudonym: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came back to a prediction: the outcome that was observed, or what a clinician said of it.

    Parameters
    ----------
    prediction_id : str
    kind : {"outcome", "feedback"}
    received_at : datetime
        In UTC.
    caller : str
    content : str
        JSON.
    """

    prediction_id: str
    kind: AttachmentKind
    received_at: datetime
    caller: str
    content: str

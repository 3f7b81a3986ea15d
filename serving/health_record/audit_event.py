"""That a prediction was made, as FHIR R4 says it to an audit repository: an AuditEvent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

__all__ = ["describe_audit"]


def describe_audit(
    caller: str, patient: str, made: list[str], model: tuple[str, str], now: datetime.datetime
) -> dict[str, Any]:
    """Write an AuditEvent.

    Parameters
    ----------
    caller : str
        Who asked.
    patient : str
        Reference.
    made : list of str
        References of what was answered.
    model : (str, str)
        Name and version.
    now : datetime

    Returns
    -------
    dict
        Without any value of the patient.
    """
    name, version = model
    return {
        "resourceType": "AuditEvent",
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": "operation", "display": "operation"}
        ],
        "action": "E",
        "recorded": now.isoformat(timespec="milliseconds"),
        "outcome": "0",
        "agent": [{"who": {"display": caller}, "requestor": True}],
        "source": {"observer": {"type": "Device", "display": f"Treatment response model {name}"}},
        "entity": [
            {"what": {"reference": patient}},
            *(
                {
                    "what": {"reference": reference},
                    "detail": [
                        {"type": "model", "valueString": name},
                        {"type": "version", "valueString": version},
                    ],
                }
                for reference in made
            ),
        ],
    }

"""A prediction as FHIR R4: a RiskAssessment, or a DetectedIssue where safety outranks the number."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

from features.safety import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.health_record.extracting import Item
    from serving.health_record.predicting import Predicted

__all__ = ["MODELS", "describe_issue", "describe_risk", "percent"]

MODELS: Final = "urn:treatment-response:model"
"""System of the code that names a model; its version is that of the coding."""

_UCUM: Final = "http://unitsofmeasure.org"
_TEST_DATA: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
"""Security label of what must not be taken for a statement about a patient."""


def percent(probability: float) -> float:
    """Give a probability in percent with one decimal, as RiskAssessment wants it (R4, ras-2)."""
    return round(100 * probability, 1)


def describe_risk(predicted: Predicted, encounter: str | None = None) -> dict[str, Any]:
    """Write a prediction as a RiskAssessment.

    Each outcome stands twice: with its probability, and with its interval, as R4 allows only one of both in
    one `prediction`.

    Parameters
    ----------
    predicted : Predicted
        With numbers: not withheld.
    encounter : str, optional
        Reference.

    Returns
    -------
    dict
    """
    answer, file = predicted.answer, predicted.served.scorer.cohort_file
    scale, days = file.outcome.scale, predicted.mapping.outcome_days
    fall = f"{100 * file.outcome.response_reduction:.0f} %"
    on_plan = f", on the plan: {predicted.plan_label}" if predicted.plan_label else ""
    response = f"Response: {scale.name} at least {fall} below its baseline at day {days}{on_plan}"
    remission = f"Remission: {scale.name} at most {scale.remission_at_most:g} at day {days}{on_plan}"
    resource: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{answer['prediction_id']}"}],
        "status": "final",
        "method": _method(predicted),
        "code": {"text": "Likelihood of response to treatment"},
        "subject": {"reference": predicted.record.reference},
        # A day, not a moment: the same record gives the same resource all day. The records have the moment.
        "occurrenceDateTime": predicted.now.date().isoformat(),
        "performer": {"type": "Device", "display": _device(predicted)},
        "prediction": [
            *_predictions(predicted, response, answer["response"], f"Verdict: {answer['verdict']}"),
            *_predictions(predicted, remission, answer["remission"], None),
        ],
        "note": [{"text": text} for text in _notes(predicted)],
    }
    if basis := _references(predicted.extracted.items):
        resource["basis"] = basis
    if encounter is not None:
        resource["encounter"] = {"reference": encounter}
    if predicted.is_simulated:
        resource["meta"] = {"security": [_TEST_DATA]}
    return resource


def describe_issue(predicted: Predicted) -> dict[str, Any]:
    """Write a danger sign or a contraindication as a DetectedIssue; no number stands beside it.

    Parameters
    ----------
    predicted : Predicted
        Withheld.

    Returns
    -------
    dict
    """
    safety = predicted.answer["safety"]
    findings = safety["danger_signs"] or [
        f for f in safety["contraindications"] if predicted.plan in f["plans"]
    ]
    what = "Danger sign" if safety["stops"] else f"Contraindicated: {predicted.plan_label}"
    reasons = " ".join(finding["reason"] for finding in findings)
    resource: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{predicted.answer['prediction_id']}"}
        ],
        "status": "final",
        "code": {"text": what},
        "severity": "high",
        "patient": {"reference": predicted.record.reference},
        "identifiedDateTime": predicted.now.date().isoformat(),
        "author": {"type": "Device", "display": _device(predicted)},
        "detail": safety["urgent"] or reasons,
        "mitigation": [{"action": {"text": duty}} for duty in dict.fromkeys(f["duty"] for f in findings)],
    }
    names = {finding["name"] for finding in findings}
    names |= {rule.predictor for rule in load_rules() if rule.name in names}
    if said_by := _references([item for item in predicted.extracted.items if item.name in names]):
        resource["evidence"] = [{"detail": said_by}]
    if predicted.is_simulated:
        resource["meta"] = {"security": [_TEST_DATA]}
    return resource


def _predictions(
    predicted: Predicted, outcome: str, likelihood: dict[str, Any], rationale: str | None
) -> list[dict[str, Any]]:
    start = predicted.now.date()
    end = start + datetime.timedelta(days=predicted.mapping.outcome_days)
    shared: dict[str, Any] = {"whenPeriod": {"start": start.isoformat(), "end": end.isoformat()}}
    low, high = likelihood["interval"]
    level = f"{100 * likelihood['level']:.0f} %"
    point = {"outcome": {"text": outcome}, "probabilityDecimal": percent(likelihood["probability"]), **shared}
    if rationale is not None:
        point["rationale"] = f"{rationale}, at the level of {level}"
    interval = {
        "outcome": {"text": f"{outcome} ({level} interval)"},
        "probabilityRange": {"low": _quantity(low), "high": _quantity(high)},
        **shared,
    }
    return [point, interval]


def _quantity(probability: float) -> dict[str, Any]:
    return {"value": percent(probability), "unit": "%", "system": _UCUM, "code": "%"}


def _method(predicted: Predicted) -> dict[str, Any]:
    served = predicted.served
    coding = {"system": MODELS, "code": served.name, "version": served.version}
    file = served.scorer.cohort_file
    return {"coding": [coding], "text": f"{file.title} ({file.provenance} patients)"}


def _device(predicted: Predicted) -> str:
    return f"Treatment response model {predicted.served.name}, version {predicted.served.version}"


def _references(items: Iterable[Item]) -> list[dict[str, str]]:
    references = (item.reference for item in items)
    return [{"reference": reference} for reference in dict.fromkeys(references) if reference]


def _notes(predicted: Predicted) -> list[str]:
    """Sentences that belong beside the numbers wherever they are shown."""
    answer, file = predicted.answer, predicted.served.scorer.cohort_file
    labels = {predictor.name: predictor.label for predictor in file.baseline_predictors}
    notes = list(answer["notices"])
    if missing := answer["inputs"]["missing"]:
        notes.append(f"Missing: {'; '.join(labels[name] for name in missing)}.")
    notes += [f"Not used: {sentence}." for sentence in predicted.extracted.unused]
    if predicted.extracted.unread:
        notes.append(f"Not read: {', '.join(predicted.extracted.unread)}.")
    return notes or ["Predicted from all predictors."]

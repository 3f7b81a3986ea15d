"""`POST /fhir/$predict`: a Bundle of one patient in, a Bundle with RiskAssessment and AuditEvent out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json

from serving.access.caller import caller_of
from serving.health_record.audit_event import describe_audit
from serving.health_record.extracting import extract
from serving.health_record.orders import plans_ordered
from serving.health_record.outcomes import FHIR_JSON, answering_outcomes
from serving.health_record.predicting import Asking
from serving.health_record.resources import gather, resources_in, text_at
from serving.health_record.risk_assessment import describe_issue, describe_risk
from serving.problems import ProblemError
from serving.routes.direct import DirectRoute
from serving.state import served_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.health_record.predicting import Predictor
    from serving.health_record.resources import PatientRecord

__all__ = ["fhir_router"]

_TYPES: Final = frozenset({FHIR_JSON, "application/json"})
_NO_PLAN: Final = (
    "no plan is named: send a draft MedicationRequest of a drug in the mapping's orders, or a Parameters "
    "resource with a parameter `plan`"
)


def fhir_router(predictor: Predictor | None) -> APIRouter:
    """Make the route that predicts from a Bundle.

    It stays out of the OpenAPI document: its bodies are FHIR's.

    Parameters
    ----------
    predictor : Predictor or None
        None where no mapping says how to read a health record: then it answers 404.

    Returns
    -------
    APIRouter
    """
    router = APIRouter(route_class=DirectRoute, include_in_schema=False)

    @router.post("/fhir/$predict")
    @answering_outcomes(FHIR_JSON)
    async def predict(request: Request) -> Response:
        if predictor is None:
            raise ProblemError(404, "no mapping says where a health record holds this model's predictors")
        _check_type(request.headers.get("content-type"))
        bundle = _read_bundle(await request.body())
        return Response(to_json(await _answer(request, predictor, bundle)), media_type=FHIR_JSON)

    return router


async def _answer(request: Request, predictor: Predictor, bundle: Mapping[str, Any]) -> dict[str, Any]:
    served, now = served_by(request), datetime.now(UTC)
    record, parameters = _record_in(bundle)
    extracted = extract(predictor.mapping, served.scorer.cohort_file, record, now)
    plans = predictor.plans_for(_named(predictor, record, parameters), extracted)
    if not plans:
        raise ProblemError(422, _NO_PLAN)
    asking = Asking(request.state, served, "fhir", now)
    made: dict[str, dict[str, Any]] = {}
    for plan in plans:
        predicted = await predictor.predict(asking, record, extracted, plan)
        describe = describe_issue if predicted.answer["response"] is None else describe_risk
        made[f"urn:uuid:{predicted.answer['prediction_id']}"] = describe(predicted)
    model = served.name, served.version
    audit = describe_audit(caller_of(request).id, record.reference, list(made), model, now)
    made[f"urn:uuid:{uuid4()}"] = audit
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="milliseconds"),
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in made.items()],
    }


def _check_type(content_type: str | None) -> None:
    if (content_type or "").partition(";")[0].strip().lower() not in _TYPES:
        raise ProblemError(415, f"send the Bundle as JSON, with the header Content-Type: {FHIR_JSON}")


def _read_bundle(body: bytes) -> Mapping[str, Any]:
    try:
        bundle = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ProblemError(
            400, "the body is not JSON"
        ) from None  # pydantic's error quotes nothing, but knows all
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ProblemError(422, "the body must be a Bundle of one patient")
    return bundle


def _record_in(bundle: Mapping[str, Any]) -> tuple[PatientRecord, list[Mapping[str, Any]]]:
    entries = list(resources_in(bundle))
    patients = [(url, r) for url, r in entries if r.get("resourceType") == "Patient"]
    if len(patients) != 1 or not _name(patients[0]):
        raise ProblemError(
            422, "the Bundle must hold one Patient with an id, and resources about that one only"
        )
    url, patient = patients[0]
    others = [r for _, r in entries if r.get("resourceType") not in ("Patient", "Parameters")]
    parameters = [r for _, r in entries if r.get("resourceType") == "Parameters"]
    named = patient if isinstance(patient.get("id"), str) else {**patient, "id": _name(patients[0])}
    return gather(named, others, also=url), parameters


def _name(entry: tuple[str | None, Mapping[str, Any]]) -> str:
    url, patient = entry
    return text_at(patient, "id") or (url or "").rpartition(":")[2]


def _named(
    predictor: Predictor, record: PatientRecord, parameters: list[Mapping[str, Any]]
) -> list[str | None]:
    """The plans that the Bundle names, or else those that its draft orders mean."""
    if predictor.mapping.plan is None:
        return [None]
    values = [value for resource in parameters for value in _values_of(resource, "plan")]
    if any(value not in predictor.plans for value in values):
        raise ProblemError(422, f"the parameter `plan` must be one of: {', '.join(predictor.plans)}")
    drafts = [r for r in record.resources.get("MedicationRequest", ()) if text_at(r, "status") == "draft"]
    named = [str(value) for value in dict.fromkeys(values)]
    return [*(named or plans_ordered(predictor.mapping, drafts))]


def _values_of(parameters: Mapping[str, Any], name: str) -> list[object]:
    some = parameters.get("parameter")
    return [
        part.get("valueCode", part.get("valueString"))
        for part in (some if isinstance(some, list) else ())
        if isinstance(part, dict) and part.get("name") == name
    ]

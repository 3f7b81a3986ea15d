"""What CDS clients are asked to send along (prefetch), and what they sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.health_record.resources import gather, reference_of, resources_in
from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.fhir_mapping import FhirMapping
    from serving.health_record.cds_requests import CdsRequest
    from serving.health_record.resources import PatientRecord

__all__ = ["make_templates", "read_prefetch", "selected_orders"]

_KEYS: Final = {
    "encounter": "Encounter",
    "observations": "Observation",
    "forms": "QuestionnaireResponse",
    "conditions": "Condition",
    "medications": "MedicationRequest",
}
_NEEDED: Final = (
    "the prefetch `patient` is needed, and holds no Patient; this service reads prefetch only and never "
    "calls a FHIR server"
)


def make_templates(mapping: FhirMapping) -> dict[str, str]:
    """Make the prefetch templates of a mapping.

    Parameters
    ----------
    mapping : FhirMapping

    Returns
    -------
    dict of str to str
        One search a type of resource; only the parameters that CDS Hooks recommends to support.
    """
    sources = [*mapping.predictors.values(), *mapping.safety.values()]
    read = {source.read for source in sources}
    about = "patient={{context.patientId}}"
    templates = {"patient": "Patient/{{context.patientId}}"}
    if "encounter" in read:
        templates["encounter"] = "Encounter/{{context.encounterId}}"
    if "observation" in read:
        observed = [source for source in sources if source.read == "observation"]
        codes = [code for source in observed for code in (*source.codes, *source.panels)]
        tokens = ",".join(dict.fromkeys(code.full for code in codes))
        wanted = "" if any(code.prefix for code in codes) else f"&code={tokens}"
        templates["observations"] = f"Observation?{about}{wanted}&_sort=-date&_count=100"
    if mapping.forms:
        wanted = ",".join(mapping.forms)
        templates["forms"] = f"QuestionnaireResponse?{about}&questionnaire={wanted}&_sort=-authored&_count=20"
    if "condition" in read:
        templates["conditions"] = f"Condition?{about}&_count=200"
    if "medication" in read:
        templates["medications"] = f"MedicationRequest?{about}&status=active&_count=200"
    return templates


def read_prefetch(asked: CdsRequest) -> PatientRecord:
    """Read what was sent along.

    A key that is absent, or holds an error, was not read; null is a search that found nothing.

    Parameters
    ----------
    asked : CdsRequest

    Returns
    -------
    PatientRecord

    Raises
    ------
    ProblemError
        412 without the patient, 422 if anything is about another one.
    """
    sent = asked.prefetch or {}
    patient = _patient_in(sent.get("patient"))
    if patient is None:
        raise ProblemError(412, _NEEDED)
    if patient.get("id") != asked.context.patientId:
        raise ProblemError(422, "the prefetch `patient` is not the patient of the context")
    resources: list[Mapping[str, Any]] = []
    looked_for, partial = set(), set()
    for key, kind in _KEYS.items():
        value = sent.get(key, False)
        if value is None:
            looked_for.add(kind)
        elif isinstance(value, dict) and value.get("resourceType") == kind:
            looked_for.add(kind)
            resources.append(value)
        elif isinstance(value, dict) and value.get("resourceType") == "Bundle":
            looked_for.add(kind)
            resources += [r for _, r in resources_in(value) if r.get("resourceType") == kind]
            if _has_more(value):
                partial.add(kind)
    return gather(patient, resources, looked_for=looked_for, partial=partial)


def selected_orders(asked: CdsRequest) -> list[Mapping[str, Any]]:
    """Give the draft orders that were selected.

    Parameters
    ----------
    asked : CdsRequest
        Of order-select.

    Returns
    -------
    list of mapping

    Raises
    ------
    ProblemError
        422 without selections or draft orders, or with one for another patient.
    """
    context = asked.context
    if context.selections is None or context.draftOrders is None:
        raise ProblemError(422, "order-select needs `selections` and `draftOrders` in its context")
    chosen = set(context.selections)
    drafts = list(resources_in(context.draftOrders))
    gather({"id": context.patientId}, (draft for _, draft in drafts))
    return [
        d
        for url, d in drafts
        if (isinstance(d.get("resourceType"), str) and reference_of(d) in chosen) or url in chosen
    ]


def _patient_in(value: object) -> Mapping[str, Any] | None:
    """Give the Patient, also if it came as the only one of a search."""
    if not isinstance(value, dict):
        return None
    if value.get("resourceType") == "Bundle":
        found = [r for _, r in resources_in(value) if r.get("resourceType") == "Patient"]
        value = found[0] if len(found) == 1 else {}
    return value if value.get("resourceType") == "Patient" and isinstance(value.get("id"), str) else None


def _has_more(bundle: Mapping[str, Any]) -> bool:
    links = bundle.get("link")
    return any(
        isinstance(link, dict) and link.get("relation") == "next"
        for link in (links if isinstance(links, list) else ())
    )

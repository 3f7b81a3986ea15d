"""A patient's record in FHIR R4, small and made up; times are relative to now, as look-backs are."""

import datetime
from typing import Any

LOINC = "http://loinc.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOCAL = "urn:treatment-response:local-codes"

PHQ9_ITEMS = (
    *("44250-9", "44255-8", "44259-0", "44254-1", "44251-7"),
    *("44258-2", "44252-5", "44253-3", "44260-8"),
)

Resource = dict[str, Any]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def days_ago(days: float) -> str:
    return (now() - datetime.timedelta(days=days)).isoformat(timespec="seconds")


def concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def patient(name: str = "p1", **more: object) -> Resource:
    return {
        "resourceType": "Patient",
        "id": name,
        "gender": "female",
        "birthDate": f"{now().year - 46}-01-01",
        **more,
    }


def observation(code: str, value: object, days: float = 2, system: str = LOINC, **more: object) -> Resource:
    """A number is a valueQuantity in points; give another value[x] in `more`."""
    measured = {} if value is None else {"valueQuantity": {"value": value, "code": "{score}"}}
    return {
        "resourceType": "Observation",
        "id": f"o-{code}-{days:g}",
        "status": "final",
        "code": concept(system, code),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": days_ago(days),
        **measured,
        **more,
    }


def condition(code: str, system: str = ICD, **more: object) -> Resource:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "code": concept(system, code),
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def medication(code: str, system: str = ATC, status: str = "active", **more: object) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": f"m-{code}",
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": concept(system, code),
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def form(*answers: str, days: float = 1, **more: object) -> Resource:
    """PHQ-9 as a form, its answers LOINC's, in the order of the items."""
    items = zip(PHQ9_ITEMS, answers, strict=False)
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"q-{days:g}",
        "questionnaire": "http://loinc.org/q/44249-1",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": days_ago(days),
        "item": [
            {"linkId": f"/{item}", "answer": [{"valueCoding": {"system": LOINC, "code": answer}}]}
            for item, answer in items
        ],
        **more,
    }


def searchset(*resources: Resource, **more: object) -> Resource:
    entries = [
        {"fullUrl": f"https://ehr.example.org/fhir/{r['resourceType']}/{r['id']}", "resource": r}
        for r in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", **({"entry": entries} if entries else {}), **more}


def prefetch() -> dict[str, Any]:
    return {
        "patient": patient(),
        "encounter": {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": "Patient/p1"},
        },
        "observations": searchset(
            observation("44261-6", 19),
            observation("madrs-total", 34, system=LOCAL),
            observation("1988-5", None, valueQuantity={"value": 0.4, "code": "mg/dL"}),
            observation("39156-5", None, valueQuantity={"value": 31.5, "code": "kg/m2"}),
            observation("44260-8", None, valueCodeableConcept=concept(LOINC, "LA6569-3")),
        ),
        "forms": searchset(),
        "conditions": searchset(condition("E11.9"), condition("F41.1")),
        "medications": searchset(medication("N03AX09")),
    }


def call(hook: str = "patient-view", sent: dict[str, Any] | None = None, **context: object) -> Resource:
    shared: dict[str, object] = {"userId": "Practitioner/example", "patientId": "p1", "encounterId": "e1"}
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": shared | context,
        "prefetch": prefetch() if sent is None else sent,
    }


def order(*drugs: Resource, selected: tuple[str, ...] | None = None, **more: Any) -> Resource:
    chosen = [f"MedicationRequest/{d['id']}" for d in drugs] if selected is None else list(selected)
    return call("order-select", selections=chosen, draftOrders=searchset(*drugs), **more)


def bundle(*more: Resource) -> Resource:
    """All of `prefetch` as one Bundle, for the FHIR operation."""
    sent = prefetch()
    resources = [sent.pop("patient"), sent.pop("encounter")]
    for part in sent.values():
        resources += [entry["resource"] for entry in part.get("entry", ())]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in (*resources, *more)],
    }

"""Which plans draft orders mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.health_record.resources import codings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.fhir_mapping import FhirMapping

__all__ = ["plans_ordered"]


def plans_ordered(mapping: FhirMapping, orders: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give the plans that orders mean, each once, in the order of the mapping.

    Parameters
    ----------
    mapping : FhirMapping
    orders : iterable of mapping
        Resources; only MedicationRequests with a coded medicine are looked at.

    Returns
    -------
    list of str
    """
    drugs = [
        coding
        for order in orders
        if order.get("resourceType") == "MedicationRequest" and order.get("doNotPerform") is not True
        for coding in codings(order.get("medicationCodeableConcept"))
    ]
    return [
        plan
        for plan, codes in mapping.orders.items()
        if any(code.covers(system, value) for system, value in drugs for code in codes)
    ]

"""What a FHIR mapping says, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.fhir_codes import FhirCode

__all__ = ["FhirMapping", "FhirSource", "Reading"]

Reading = Literal["birth_date", "gender", "encounter", "observation", "condition", "medication"]
"""Where a value stands: birth date or gender of the patient, class of the encounter, or resources by code."""


@dataclass(frozen=True, slots=True)
class FhirSource:
    """Where one value stands in a health record.

    Parameters
    ----------
    read : Reading
    codes : tuple of FhirCode
        Any of them; of observations, conditions and medications.
    panels : tuple of FhirCode
        Of observations: those that hold it as a component, such as a blood pressure with its two numbers.
    total_of : tuple of FhirCode
        Of observations: the items of a form whose values add up to it. A form with an item missing has none.
    item_values : mapping of str to object
        What coded answers of these items mean.
    units : mapping of str to float
        Of observed numbers: UCUM code of the unit, and what to multiply by. ``{score}`` stands for no unit
        too.
    values : mapping of str to object
        What coded values mean: by ``system|code`` of an observation's answer, by gender, or by class of
        encounter.
    look_back_days : int or None
        Older ones are not used; None: any age.
    below : float or None
        Of the birth date: the answer is whether the age lies below; None: the age itself.
    past : bool
        Of conditions: whether one that is over counts too.
    absent_is_no : bool
        Of conditions and medications: whether none in a record that was read means no. Otherwise it means
        unknown, because few lists are complete.
    """

    read: Reading
    codes: tuple[FhirCode, ...] = ()
    panels: tuple[FhirCode, ...] = ()
    total_of: tuple[FhirCode, ...] = ()
    item_values: Mapping[str, object] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    look_back_days: int | None = None
    below: float | None = None
    past: bool = False
    absent_is_no: bool = False


@dataclass(frozen=True, slots=True)
class FhirMapping:
    """How a cohort's patients stand in health records.

    Parameters
    ----------
    cohort : str
        Name of the cohort.
    outcome_days : int
        Days from the start of treatment to the endpoint.
    plan : str or None
        The plan that a patient's chart is opened with; None where the cohort has no plans.
    forms : tuple of str
        Canonical addresses of questionnaires whose filled forms are read.
    predictors, safety : mapping of str to FhirSource
        By predictor, and by question of the safety screen.
    orders : mapping of str to tuple of FhirCode
        By plan: the drugs whose order means it.
    """

    cohort: str
    outcome_days: int
    plan: str | None
    forms: tuple[str, ...]
    predictors: Mapping[str, FhirSource]
    safety: Mapping[str, FhirSource]
    orders: Mapping[str, tuple[FhirCode, ...]]

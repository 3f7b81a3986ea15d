"""What a cohort file says, as plain values. No pandas here: the service reads cohort files too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.scales import Scale

__all__ = ["BASELINE", "CohortFile", "Durability", "Kind", "Outcome", "Plan", "Predictor", "Provenance"]

Kind = Literal["number", "binary", "category", "ordinal"]
Provenance = Literal["simulated", "observational", "randomised"]

BASELINE = "baseline"
"""The landmark before treatment starts."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """An input column.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : {"number", "binary", "category", "ordinal"}
    label : str
        As people read it.
    unit : str or None
        Of a number.
    valid : (float, float) or None
        Lowest and highest number that is accepted.
    levels : tuple of str
        Of a category or, in ascending order, of an ordinal predictor; empty otherwise.
    landmark : str
        The point of the course from which it is known.
    subgroup : bool
        Whether performance is also reported by this column.
    """

    name: str
    kind: Kind
    label: str
    unit: str | None = None
    valid: tuple[float, float] | None = None
    levels: tuple[str, ...] = ()
    landmark: str = BASELINE
    subgroup: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is predicted.

    Parameters
    ----------
    scale : Scale
    baseline, endpoint : str
        Columns of the scores before treatment and at the endpoint.
    response_reduction : float
        Fall from baseline that counts as response, as a share of the baseline score.
    minimum_baseline : float or None
        Patients below are excluded.
    """

    scale: Scale
    baseline: str
    endpoint: str
    response_reduction: float = 0.5
    minimum_baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The treatments that are compared.

    Parameters
    ----------
    column : str
    reference : str
        The level that others are compared with.
    levels : mapping of str to str
        What the column holds, and how people read it; in the order of the file.
    """

    column: str
    reference: str
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Durability:
    """Columns on relapse among responders.

    Parameters
    ----------
    weeks : str
        Weeks from response to relapse or last contact.
    relapsed : str
        1 relapse, 0 censored.
    maintenance : str
        Category of maintenance treatment.
    """

    weeks: str
    relapsed: str
    maintenance: str


@dataclass(frozen=True, slots=True)
class CohortFile:
    """A checked cohort file.

    Parameters
    ----------
    name : str
        Also the registered model's name.
    title : str
    provenance : {"simulated", "observational", "randomised"}
    row_id, group, date : str or None
        Columns of the patient's id, of what never straddles a split, and of the start of treatment.
    outcome : Outcome
    plan : Plan or None
    predictors : tuple of Predictor
        Of all landmarks, in the order of the file.
    landmarks : tuple of str
        In the order of the course; the first is "baseline".
    durability : Durability or None
    text : str
        The file as it was written.

    Attributes
    ----------
    baseline_predictors : tuple of Predictor
        Those known before treatment.
    plan_levels : tuple of str
        Levels of the plan column; () without a plan.
    """

    name: str
    title: str
    provenance: Provenance
    row_id: str | None
    group: str | None
    date: str | None
    outcome: Outcome
    plan: Plan | None
    predictors: tuple[Predictor, ...]
    landmarks: tuple[str, ...]
    durability: Durability | None
    text: str
    # Worked out once: the service asks for them at every request.
    baseline_predictors: tuple[Predictor, ...] = field(init=False, repr=False, compare=False)
    plan_levels: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known_before = tuple(p for p in self.predictors if p.landmark == BASELINE)
        object.__setattr__(self, "baseline_predictors", known_before)
        object.__setattr__(self, "plan_levels", tuple(self.plan.levels) if self.plan else ())

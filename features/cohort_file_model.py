"""What a cohort file says, as plain values. No pandas here: the service reads cohort files too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.scales import Scale

__all__ = [
    "BASELINE",
    "MAINTENANCE",
    "CohortFile",
    "Durability",
    "Futility",
    "Kind",
    "Outcome",
    "Plan",
    "Predictor",
    "Provenance",
    "Regimen",
]

Kind = Literal["number", "binary", "category", "ordinal"]
Provenance = Literal["simulated", "observational", "randomised"]

BASELINE = "baseline"
"""The landmark before treatment starts."""

MAINTENANCE: tuple[str, ...] = ("none", "every_4_weeks", "every_2_weeks", "weekly")
"""Maintenance after response, the least frequent first: what the column `[durability] maintenance` holds."""


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
    cuts : tuple of float
        Of a number: where the subgroups are cut, in ascending order; empty: at the median.
    heading : str or None
        Under which forms ask for it.
    scale : str or None
        Of a number that is the total of a rating scale: the name of the scale.
    """

    name: str
    kind: Kind
    label: str
    unit: str | None = None
    valid: tuple[float, float] | None = None
    levels: tuple[str, ...] = ()
    landmark: str = BASELINE
    subgroup: bool = False
    cuts: tuple[float, ...] = ()
    heading: str | None = None
    scale: str | None = None


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
        Maintenance after response, one of `MAINTENANCE`.
    """

    weeks: str
    relapsed: str
    maintenance: str


@dataclass(frozen=True, slots=True)
class Futility:
    """A published rule that says when a series of sessions is not worth going on with.

    It fires when `decisive` shows no improvement, or `consecutive` checks in a row show none.

    Parameters
    ----------
    checks : tuple of str
        Columns with scores on the outcome's scale, in the order of the course.
    improvement : float
        Fall from baseline that counts as improvement, as a share of the baseline score.
    consecutive : int
        Checks in a row without improvement that make the rule fire.
    decisive : str or None
        Check whose lack of improvement makes it fire alone.
    landmark : str
        The landmark at which all checks are known.
    plans : tuple of str
        Plans that the rule was made for; () without plans.
    text : str
        The rule in words, with what of it the columns cannot tell.
    source : str
        Where it was published.
    """

    checks: tuple[str, ...]
    improvement: float
    consecutive: int
    decisive: str | None
    landmark: str
    plans: tuple[str, ...]
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Regimen:
    """How a plan is given: what its schedule follows.

    Parameters
    ----------
    drug, route : str
        As ``features/dosing.toml`` names them.
    dose : str
        As people read it, such as "56 or 84 mg".
    amount, first_amount : float or None
        Largest dose, and largest dose of the first session (None: as the others); None without sessions.
    unit : str or None
        Of a dose, "mg" or "mg/kg".
    minutes : float or None
        Length of an infusion.
    session_days : tuple of int
        Days of the induction's sessions, ascending; the first session is day 0.
    review_days : tuple of int
        Days on which benefit is evaluated, ascending, counted likewise.
    maintenance : tuple of str
        Levels of `MAINTENANCE` that may follow.
    """

    drug: str
    route: str
    dose: str
    amount: float | None = None
    first_amount: float | None = None
    unit: str | None = None
    minutes: float | None = None
    session_days: tuple[int, ...] = ()
    review_days: tuple[int, ...] = ()
    maintenance: tuple[str, ...] = ()


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
    futility : Futility or None
    text : str
        The file as it was written.
    regimens : mapping of str to Regimen
        By plan; plans without one have no schedule.

    Attributes
    ----------
    baseline_predictors : tuple of Predictor
        Those known before treatment.
    later_predictors : tuple of Predictor
        Those known only from a later landmark on.
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
    futility: Futility | None
    text: str
    regimens: Mapping[str, Regimen] = field(default_factory=dict)
    # Worked out once: the service asks for them at every request.
    baseline_predictors: tuple[Predictor, ...] = field(init=False, repr=False, compare=False)
    later_predictors: tuple[Predictor, ...] = field(init=False, repr=False, compare=False)
    plan_levels: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known_before = tuple(p for p in self.predictors if p.landmark == BASELINE)
        object.__setattr__(self, "baseline_predictors", known_before)
        later = tuple(p for p in self.predictors if p.landmark != BASELINE)
        object.__setattr__(self, "later_predictors", later)
        object.__setattr__(self, "plan_levels", tuple(self.plan.levels) if self.plan else ())

    def at(self, landmark: str) -> CohortFile:
        """Describe the cohort as it is known at a landmark.

        Parameters
        ----------
        landmark : str
            One of `landmarks`.

        Returns
        -------
        CohortFile
            Predictors known by then count as known at baseline, so that everything that predicts from
            baseline predicts from this landmark; later ones are gone. The text stays the file's.

        Raises
        ------
        ValueError
            If there is no such landmark.
        """
        if landmark not in self.landmarks:
            raise ValueError(f"no landmark {landmark!r}; there are: {', '.join(self.landmarks)}")
        known = self.landmarks[: self.landmarks.index(landmark) + 1]
        predictors = tuple(replace(p, landmark=BASELINE) for p in self.predictors if p.landmark in known)
        return replace(self, predictors=predictors)

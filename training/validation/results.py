"""What a validation found: plain values that gates judge, the report shows and `validation.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from training.files import finite

if TYPE_CHECKING:
    from training.bootstrap import Estimate
    from training.diagnostics.findings import Finding

__all__ = [
    "FORMAT",
    "Bounds",
    "Comparison",
    "Curve",
    "Design",
    "Instability",
    "LearningPoint",
    "MissingEndpoints",
    "OutcomeValidation",
    "Subgroup",
    "Subgroups",
    "Unit",
    "Validation",
    "to_plain",
]

FORMAT: Final = 2
"""Version of the layout of `validation.json`."""


@dataclass(frozen=True)
class Unit:
    """One group or period that was held out: a site, a year.

    Parameters
    ----------
    name : str
        As in the table (a site) or the period's first and last day.
    patients, events : int
        With an endpoint.
    metrics : mapping of str to Estimate
        Intervals within the unit, by patients; empty where it is too small to say anything.
    """

    name: str
    patients: int
    events: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Design:
    """One way of validating, and what it gave.

    Parameters
    ----------
    key : str
        `nested_cv`, `leave_group_out`, `leave_period_out`, `optimism`, `bootstrap_optimism`,
        `external`, `external_recalibrated_in_large` or `external_recalibrated`; of a later landmark, the
        landmark's name.
    title : str
        As tables show it.
    how : str
        One sentence: what was held out, what was learned anew, how intervals were made.
    patients, events : int
        With an endpoint.
    metrics : mapping of str to Estimate
        By the names of `training.net_benefit.metrics_of`.
    units : tuple of Unit
        What was held out in turn; empty for designs without.
    summary : mapping of str to Estimate
        Random-effects mean over the units, with its 95 % interval; empty without units.
    new_unit : mapping of str to Estimate
        The same mean with the 95 % prediction interval for a new unit; empty for periods, of which a new one
        is not drawn from among them.
    between : mapping of str to Estimate
        Standard deviation between units (tau) of each summarised figure, on the scale it was summarised on.
    update : mapping of str to Estimate
        What a recalibration learns of all patients on the logit scale: `intercept`, and `slope` if it is
        learned; empty for other designs.
    """

    key: str
    title: str
    how: str
    patients: int
    events: int
    metrics: Mapping[str, Estimate]
    units: tuple[Unit, ...] = ()
    summary: Mapping[str, Estimate] = field(default_factory=dict)
    new_unit: Mapping[str, Estimate] = field(default_factory=dict)
    between: Mapping[str, Estimate] = field(default_factory=dict)
    update: Mapping[str, Estimate] = field(default_factory=dict)

    @classmethod
    def not_possible(cls, key: str, title: str, why: str) -> Design:
        """Make a design that stands in the table without figures, and says why."""
        return cls(key=key, title=title, how=why, patients=0, events=0, metrics={})


@dataclass(frozen=True)
class Curve:
    """A curve with its 95 % band.

    Parameters
    ----------
    at, value, low, high : tuple of float
        Of the same length.
    """

    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Subgroup:
    """Patients of one level of a predictor that the cohort file marks with `subgroup = true`.

    Parameters
    ----------
    predictor, level : str
        A number is cut at clinical or median bounds, which `level` states with the unit; "not recorded" too.
    patients, events : int
    too_small : bool
        Too few events to say anything: shown, not dropped, with empty `metrics`.
    metrics : mapping of str to Estimate
        With `net_benefit_gain` (over the better of treating all and none, at the middle threshold).
    """

    predictor: str
    level: str
    patients: int
    events: int
    too_small: bool
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Subgroups:
    """Subgroups of one predictor.

    Parameters
    ----------
    predictor : str
    members : tuple of Subgroup
    heterogeneity : mapping of str to float
        By figure, the p value of a test that it is the same in all members; NaN where it cannot be tested.
    """

    predictor: str
    members: tuple[Subgroup, ...]
    heterogeneity: Mapping[str, float]


@dataclass(frozen=True)
class Bounds:
    """A figure if all missing endpoints were the worst, and the best, that they can be."""

    worst: float
    best: float


@dataclass(frozen=True)
class MissingEndpoints:
    """What missing endpoints may do to the figures of the first design, which are those of complete cases.

    Parameters
    ----------
    missing, patients : int
        Without an endpoint, of all.
    weighted : mapping of str to Estimate
        Patients with an endpoint, weighted by the inverse probability of having one.
    bounds : mapping of str to Bounds
    effective : float
        Effective sample size of the weighted patients (Kish).
    """

    missing: int
    patients: int
    weighted: Mapping[str, Estimate]
    bounds: Mapping[str, Bounds]
    effective: float


@dataclass(frozen=True)
class Instability:
    """How far predictions move when the model is learned from a bootstrap sample instead.

    Parameters
    ----------
    refits : int
    mean_absolute_difference : Estimate
        From the version's own prediction, in probability; the mean over patients and refits. Its ends are the
        central 95 % of single refits, a spread, not an interval of the mean. Candidate, hyperparameters and
        penalties are the version's, so that all of this is understated.
    by_prediction : Curve
        `at`: the version's own probability, in tenths of patients; `value`: mean prediction of the refits;
        `low`, `high`: ends of their central 95 %.
    """

    refits: int
    mean_absolute_difference: Estimate
    by_prediction: Curve


@dataclass(frozen=True)
class LearningPoint:
    """What the procedure reaches with so many training patients.

    Parameters
    ----------
    patients : int
        Learned from.
    metrics : mapping of str to Estimate
        In patients not learned from; intervals over draws of the training patients and over test patients.
    gain : mapping of str to Estimate
        Difference from the point before, paired on the same test patients; empty at the first.
    """

    patients: int
    metrics: Mapping[str, Estimate]
    gain: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """A version beside the champion, on the patients whom both predict.

    Parameters
    ----------
    patients, events : int
        With an endpoint, of those compared.
    metrics : mapping of str to Estimate
        Figure of this version minus the champion's, intervals of the paired difference; empty if nothing
        could be compared.
    problem : str
        Why nothing could be compared; empty otherwise.
    """

    patients: int
    events: int
    metrics: Mapping[str, Estimate]
    problem: str = ""


@dataclass(frozen=True)
class OutcomeValidation:
    """Everything about one outcome.

    Parameters
    ----------
    designs : tuple of Design
        The first is the one that gates judge.
    candidate : str
        Of the version.
    calibration : Curve
        Flexible calibration curve of the first design.
    histogram : mapping of str to tuple of int
        `with` and `without` the outcome: patients in each of 20 equal bins of predicted probability.
    net_benefit : mapping of str to Curve
        `model`, `all`, `none`; `avoided`: interventions avoided per 100 patients; `gain`: of the model over
        the better of all and none, paired; each by threshold.
    thresholds : tuple of float
        Clinical range (low, high) in which net benefit is judged.
    coverage : Estimate or None
        Calibration of the interval: see `training.validation.coverage`; None where it cannot be measured.
    subgroups : tuple of Subgroups
    missing_endpoints : MissingEndpoints or None
        None if none is missing.
    instability : Instability or None
    learning : tuple of LearningPoint
    champion : Comparison or None
        None without another champion.
    landmarks : tuple of Design
        Of each later landmark of the version, which is its `key`, in the order of the course; without figures
        where it could not be measured, as `how` says.
    """

    designs: tuple[Design, ...]
    candidate: str
    calibration: Curve
    histogram: Mapping[str, tuple[int, ...]]
    net_benefit: Mapping[str, Curve]
    thresholds: tuple[float, float]
    coverage: Estimate | None = None
    subgroups: tuple[Subgroups, ...] = ()
    missing_endpoints: MissingEndpoints | None = None
    instability: Instability | None = None
    learning: tuple[LearningPoint, ...] = ()
    champion: Comparison | None = None
    landmarks: tuple[Design, ...] = ()


@dataclass(frozen=True)
class Validation:
    """A version, the data it was validated on, and what was found.

    Parameters
    ----------
    model : mapping of str to str
        `name`, `version`, `artefact_digest`, `champion` and `champion_digest` (version and artefact digest of
        the other champion that it was compared with; empty without one).
    cohort : mapping of str to Any
        `name`, `title`, `provenance`, `flow` (`features.cohort.PatientFlow` as values).
    data_digest : str
        Of the data that the version was validated on (`training.fit.data_digest`).
    same_data : bool
        Whether it is what the version was fitted on: internal validation of the procedure, else external.
    checks : mapping of str to tuple of (bool, str)
        Facts that are so or not, with a sentence of evidence: `reproduced` (fitting anew gives this version),
        `logged_answers` (the logged model and the prepared scorer agree), `schema` (no input of the champion
        is gone or means something else), `digest`.
    outcomes : mapping of str to OutcomeValidation
        "response" and "remission".
    findings : tuple of Finding
        Of the diagnostics.
    seed : int
    unmeasured : mapping of str to str
        By population of gates ("new_unit", "landmarks"), why there may be no figure of it although there was
        something to measure: too little data, then, and not nothing to be measured.
    """

    model: Mapping[str, str]
    cohort: Mapping[str, Any]
    data_digest: str
    same_data: bool
    checks: Mapping[str, tuple[bool, str]]
    outcomes: Mapping[str, OutcomeValidation]
    findings: tuple[Finding, ...] = ()
    seed: int = 0
    unmeasured: Mapping[str, str] = field(default_factory=dict)


def to_plain(validation: Validation) -> dict[str, Any]:
    """Give everything as values that JSON can write; undefined figures become null.

    Parameters
    ----------
    validation : Validation

    Returns
    -------
    dict
    """
    plain: dict[str, Any] = finite({"format": FORMAT} | asdict(validation))
    return plain

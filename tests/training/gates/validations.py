"""Validations made by hand, so that a verdict can be worked out on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from training.bootstrap import Estimate
from training.validation.results import (
    Comparison,
    Curve,
    Design,
    OutcomeValidation,
    Subgroup,
    Subgroups,
    Unit,
    Validation,
)

METRICS = {
    "auroc": Estimate(0.66, 0.62, 0.70),
    "brier_skill": Estimate(0.06, 0.02, 0.10),
    "brier": Estimate(0.22, 0.21, 0.23),
    "calibration_slope": Estimate(0.95, 0.70, 1.25),
    "ici": Estimate(0.02, 0.01, 0.05),
}
GAIN = Curve(
    (0.1, 0.3, 0.5, 0.7), (-0.3, 0.02, 0.03, -0.2), (-0.4, 0.01, -0.01, -0.3), (-0.2, 0.03, 0.07, -0.1)
)

RIVAL = {"champion": "2", "champion_digest": "ef" * 32}
COMPARISON = Comparison(900, 300, {"brier": Estimate(-0.002, -0.006, 0.002)})


def make_subgroup(level: str, events: int = 60, **metrics: Estimate) -> Subgroup:
    figures = {"auroc": Estimate(0.65, 0.58, 0.72), "ici": Estimate(0.04, 0.02, 0.08)} | metrics
    small = events < 10
    return Subgroup("sex", level, 3 * events, events, small, {} if small else figures)


def make_outcome(**changes: Any) -> OutcomeValidation:
    first = Design("nested_cv", "Nested", "5 folds", 900, 300, METRICS)
    new = {"auroc": Estimate(0.66, 0.54, 0.76)}
    units = tuple(Unit(f"site {i}", 300, 100, METRICS) for i in range(3))
    sites = Design("leave_group_out", "Sites", "3 sites", 900, 300, METRICS, units, METRICS, new, new)
    members = (make_subgroup("female"), make_subgroup("male"), make_subgroup("not recorded", 4))
    whole = OutcomeValidation(
        designs=(first, sites),
        candidate="ridge",
        calibration=GAIN,
        histogram={},
        net_benefit={"gain": GAIN},
        thresholds=(0.2, 0.6),
        coverage=Estimate(0.97, 0.8, 1.0),
        subgroups=(Subgroups("sex", members, {}),),
        landmarks=(Design("day_1", "Day 1", "5 folds, once", 900, 300, METRICS),),
        champion=COMPARISON,
    )
    return replace(whole, **changes)


def with_metrics(outcome: OutcomeValidation, **metrics: Estimate) -> OutcomeValidation:
    """The same with other figures of the design that gates judge."""
    first, *others = outcome.designs
    return replace(outcome, designs=(replace(first, metrics={**first.metrics, **metrics}), *others))


def make_validation(**changes: Any) -> Validation:
    """A model that passes every gate that the package ships."""
    outcome = make_outcome()
    whole = Validation(
        model={"name": "small", "version": "3", "artefact_digest": "ab" * 32} | RIVAL,
        cohort={"name": "small", "title": "Small", "provenance": "simulated", "flow": {}},
        data_digest="cd" * 32,
        same_data=True,
        checks={
            name: (True, f"{name} was found so")
            for name in ("reproduced", "logged_answers", "schema", "digest")
        },
        outcomes={"response": outcome, "remission": outcome},
    )
    return replace(whole, **changes)

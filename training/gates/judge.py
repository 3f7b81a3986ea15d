"""Holding a validation against gates: pass, fail, or too little data to say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from training.bootstrap import Estimate
from training.gates.gate import Gate, Gates
from training.validation.random_effects import FEWEST_UNITS
from training.validation.units import FEWEST_OF_CLASS

if TYPE_CHECKING:
    from training.validation.results import Comparison, OutcomeValidation, Validation

__all__ = ["FAILS", "PASSES", "TOO_LITTLE", "Judged", "Verdict", "judge", "passed"]

Verdict = Literal["pass", "fail", "too little data to say"]
PASSES: Final = "pass"
FAILS: Final = "fail"
TOO_LITTLE: Final = "too little data to say"

_NOTHING: Final = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure held against one gate.

    Parameters
    ----------
    gate : Gate
    outcome : str
        Empty for a check.
    whom : str
        "all", "sex = female", "a new site", "against the champion"; empty for a check.
    estimate : Estimate
        NaN where there is no figure.
    rarer : int or None
        Patients of the rarer class; None where nobody was counted.
    verdict : {"pass", "fail", "too little data to say"}
    accepted : bool
        Whether the version may become champion as far as this goes: "too little data to say" is accepted only
        where the gate says so.
    reason : str
        One sentence.
    where : str
        What the figure is of, if not of all patients of the first design: a threshold, who was compared.
    """

    gate: Gate
    outcome: str
    whom: str
    estimate: Estimate
    rarer: int | None
    verdict: Verdict
    accepted: bool
    reason: str
    where: str = ""


class _Target(NamedTuple):
    """A figure that a gate is about; without one, `reason` says why."""

    whom: str
    estimate: Estimate
    rarer: int | None
    reason: str = ""
    absent: bool = False
    where: str = ""


def judge(validation: Validation, gates: Gates) -> tuple[Judged, ...]:
    """Hold every figure that a gate is about against it.

    Parameters
    ----------
    validation : Validation
    gates : Gates

    Returns
    -------
    tuple of Judged
        In the order of the gates; a gate for subgroups or landmarks gives one for each of them.

    Notes
    -----
    A figure passes if the judged end of its interval keeps the bound. If it does not, it fails, unless the
    other end does, or there are too few events: then the data cannot say.
    """
    asked = [
        gate for gate in gates.gates if gate.data in ("any", "same" if validation.same_data else "other")
    ]
    return tuple(found for gate in asked for found in _judge(validation, gate))


def passed(judged: tuple[Judged, ...]) -> bool:
    """Whether all gates accept the version; without a gate nothing vouches for it."""
    return bool(judged) and all(one.accepted for one in judged)


def _judge(validation: Validation, gate: Gate) -> Iterator[Judged]:
    if gate.population == "check":
        yield _check(validation, gate)
        return
    for name in gate.outcomes:
        outcome = validation.outcomes.get(name)
        if outcome is None:
            missing = _Target(gate.population, _NOTHING, None, f"{name} was not validated")
            yield _hold(gate, name, missing)
            continue
        why = validation.unmeasured.get(gate.population, "")
        for target in _targets(gate, outcome, validation.model["champion"]):
            yield _hold(
                gate, name, target._replace(absent=False, reason=why) if target.absent and why else target
            )


def _check(validation: Validation, gate: Gate) -> Judged:
    found = validation.checks.get(gate.metric)
    if found is None:
        return Judged(gate, "", "", _NOTHING, None, TOO_LITTLE, gate.absent_passes, "this was not checked")
    holds, evidence = found
    return Judged(gate, "", "", _NOTHING, None, PASSES if holds else FAILS, holds, evidence)


def _hold(gate: Gate, outcome: str, target: _Target) -> Judged:
    estimate = target.estimate
    if target.absent:
        reason = f"not measured: {target.reason}"
        return Judged(gate, outcome, target.whom, estimate, None, TOO_LITTLE, gate.absent_passes, reason)
    verdict, reason = _verdict(gate, target)
    accepted = verdict == PASSES or (verdict == TOO_LITTLE and gate.too_little_passes)
    return Judged(gate, outcome, target.whom, estimate, target.rarer, verdict, accepted, reason, target.where)


def _verdict(gate: Gate, target: _Target) -> tuple[Verdict, str]:
    estimate = target.estimate
    where = target.where and f" {target.where}"
    if math.isnan(estimate.value):
        return TOO_LITTLE, target.reason or f"{gate.metric} is not defined{where or ' here'}"
    if target.rarer is not None and target.rarer < gate.minimum_events:
        return TOO_LITTLE, f"{target.rarer} in the rarer class; {gate.minimum_events} are needed"
    at = f"{gate.metric} {estimate}{where}"
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        # An estimate of which nobody knows how far it may be off shows nothing, whichever end is judged.
        return TOO_LITTLE, f"{at}: its interval is not defined"
    if gate.keeps(_end(gate, estimate)):
        return PASSES, f"{at}: {gate.describe()}"
    best = estimate.high if gate.bound == "at_least" else estimate.low
    if gate.keeps(best):
        return TOO_LITTLE, f"{at}: not {gate.describe()}, but its interval reaches there"
    return FAILS, f"{at}: not {gate.describe()}"


def _targets(gate: Gate, outcome: OutcomeValidation, champion: str) -> Iterator[_Target]:
    first = outcome.designs[0]
    rarer = min(first.events, first.patients - first.events)
    if gate.population == "subgroups":
        yield from _subgroups(gate, outcome)
    elif gate.population == "landmarks":
        yield from _landmarks(gate, outcome)
    elif gate.population == "new_unit":
        yield _new_unit(gate, outcome)
    elif gate.population == "champion":
        yield _against_champion(gate, outcome.champion, champion)
    elif gate.metric == "net_benefit_gain":
        yield _worst_gain(gate, outcome, rarer)
    elif gate.metric == "coverage":
        absent = outcome.coverage is None
        why = "it cannot be measured here" if absent else ""
        yield _Target("all", outcome.coverage or _NOTHING, rarer, why, absent)
    else:
        yield _Target("all", first.metrics.get(gate.metric, _NOTHING), rarer)


def _subgroups(gate: Gate, outcome: OutcomeValidation) -> Iterator[_Target]:
    if not outcome.subgroups:
        why = (
            "no predictor is marked with subgroup; add `subgroup = true` to one in the cohort file that you "
            "validate with: the version need not be fitted again"
        )
        yield _Target("subgroups", _NOTHING, None, why, absent=True)
    for group in outcome.subgroups:
        for member in group.members:
            whom = f"{member.predictor} = {member.level}"
            rarer = min(member.events, member.patients - member.events)
            why = f"{rarer} in the rarer class: too small" if member.too_small else ""
            yield _Target(whom, member.metrics.get(gate.metric, _NOTHING), rarer, why)


def _landmarks(gate: Gate, outcome: OutcomeValidation) -> Iterator[_Target]:
    if not outcome.landmarks:
        yield _Target("later landmarks", _NOTHING, None, "the version has none", absent=True)
    for design in outcome.landmarks:
        whom = f"from {design.title.lower()} on"
        if not design.patients:
            yield _Target(whom, _NOTHING, None, design.how, absent=True)
            continue
        rarer = min(design.events, design.patients - design.events)
        yield _Target(whom, design.metrics.get(gate.metric, _NOTHING), rarer)


def _new_unit(gate: Gate, outcome: OutcomeValidation) -> _Target:
    for design in outcome.designs:
        if design.units and design.key != "leave_period_out":
            large = [unit for unit in design.units if unit.metrics]  # what was summarised is of these
            events = sum(unit.events for unit in large)
            rarer = min(events, sum(unit.patients for unit in large) - events)
            why = "" if gate.metric in design.new_unit else _too_few(gate, len(large), len(design.units))
            return _Target("a new site", design.new_unit.get(gate.metric, _NOTHING), rarer, why)
    tried = next((design for design in outcome.designs if design.key == "leave_group_out"), None)
    why = "the cohort file names no group, or all are of one" if tried is None else tried.how
    return _Target("a new site", _NOTHING, None, why, absent=tried is None)


def _too_few(gate: Gate, large: int, units: int) -> str:
    """Say why nothing is known of a new unit."""
    if large >= FEWEST_UNITS:
        return f"{gate.metric} is not defined in {FEWEST_UNITS} of the {large} units that are large enough"
    of = f" of {units}" if large < units else ""
    each = f"{FEWEST_OF_CLASS} patients with and without the outcome"
    return f"only {large}{of} units are large enough ({each}); {FEWEST_UNITS} are needed"


def _against_champion(gate: Gate, found: Comparison | None, version: str) -> _Target:
    """Only without another champion was nothing to be measured."""
    whom = "against the champion"
    if not version:
        return _Target(whom, _NOTHING, None, "no other champion", absent=True)
    if found is None:
        return _Target(whom, _NOTHING, None, f"no comparison with version {version} was made")
    rarer = min(found.events, found.patients - found.events)
    where = f"in {found.patients} patients, {found.events} with the outcome"
    return _Target(whom, found.metrics.get(gate.metric, _NOTHING), rarer, found.problem, where=where)


def _worst_gain(gate: Gate, outcome: OutcomeValidation, rarer: int) -> _Target:
    """Threshold of the clinical range at which the verdict is worst, and then the judged end lowest."""
    low, high = outcome.thresholds
    gain = outcome.net_benefit["gain"]
    points = [
        _Target("all", Estimate(*values), rarer, where=f"at the threshold {at:.3g}")
        for at, *values in zip(gain.at, gain.value, gain.low, gain.high, strict=True)
        if low <= at <= high
    ]
    nothing = _Target("all", _NOTHING, rarer, f"no threshold between {low:g} and {high:g} was measured")

    def goodness(point: _Target) -> tuple[int, float]:
        verdict = _verdict(gate, point)[0]
        return (FAILS, TOO_LITTLE, PASSES).index(verdict), _or_lowest(_end(gate, point.estimate))

    return min(points, key=goodness, default=nothing)


def _end(gate: Gate, estimate: Estimate) -> float:
    return {"lower": estimate.low, "estimate": estimate.value, "upper": estimate.high}[gate.judged_on]


def _or_lowest(value: float) -> float:
    return -math.inf if math.isnan(value) else value

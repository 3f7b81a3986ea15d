"""What a fit says of plans: averages, whether effects differ between patients, and what choosing brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.plan_model import FEWEST_COMPARABLE, PlanChoice, PlanModel, is_sufficient, state_assumption
from training.bootstrap import Estimate
from training.plans.effects import (
    autoc,
    calibrate_effect,
    doubly_robust_scores,
    e_value,
    estimate_gain,
    estimate_mean,
    estimate_ratio,
)
from training.plans.folds import expect_on_plans, fit_groups, learn_propensity
from training.plans.policy import PolicyTree

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from training.cross_validation import Validated
    from training.patients import Patients

__all__ = ["PlanEffect", "PlanReport", "report_plans", "summarise_plans"]

POLICIES = ("model", "tree", "single")


@dataclass(frozen=True)
class PlanEffect:
    """One plan against the reference plan, averaged over all patients with an endpoint.

    Parameters
    ----------
    patients, responders : int
        Observed on the plan.
    response : Estimate
        If all patients were on the plan, doubly robust.
    difference : Estimate
        From the reference plan, doubly robust.
    naive : float
        Difference of the observed shares of responders, with no regard to who was put on which plan.
    ratio : Estimate
        Risk ratio of response against the reference plan.
    e_value, e_value_of_limit : float
    calibration : Estimate
        Slope of the effects on the predicted differences.
    autoc : Estimate
    supported : int
        Patients for whom the plan has sufficient support.
    """

    patients: int
    responders: int
    response: Estimate
    difference: Estimate
    naive: float
    ratio: Estimate
    e_value: float
    e_value_of_limit: float
    calibration: Estimate
    autoc: Estimate
    supported: int


@dataclass(frozen=True)
class PlanReport:
    """What a fit says of plans.

    Parameters
    ----------
    model : PlanModel
    effects : mapping of str to PlanEffect
        By plan, the reference among them.
    left_out : mapping of str to int
        Plans with too few patients for any figure, with their number.
    values : mapping of str to Estimate
        Response under each policy: `model`, `tree`, `single` and `usual`.
    gains : mapping of str to Estimate
        `model_over_single`, `tree_over_single`, `model_over_usual`, paired.
    gain_e_value : float
        Of the model's gain over the best single plan, for the end of its interval next to none.
    patients : int
        With an endpoint.
    assumption : str
    """

    model: PlanModel
    effects: Mapping[str, PlanEffect]
    left_out: Mapping[str, int]
    values: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    gain_e_value: float
    patients: int
    assumption: str


def report_plans(patients: Patients, validated: Validated) -> PlanReport | None:
    """Measure effects and policies out of fold, and fit what is served.

    Parameters
    ----------
    patients : Patients
    validated : Validated

    Returns
    -------
    PlanReport or None
        None without two plans, or without enough patients on the reference plan.
    """
    file, table = patients.cohort_file, validated.plans
    if table is None or file.plan is None:
        return None
    known = patients.take(patients.known)
    plans = known.rows[:, -1].astype(np.intp)
    counts = np.bincount(plans, minlength=len(file.plan_levels))
    reference = file.plan_levels.index(file.plan.reference)
    enough = counts >= FEWEST_COMPARABLE
    if not enough[reference] or enough.sum() < 2:
        return None
    y, groups = known.outcomes["response"], known.groups
    repeats = [part.sort_values("patient") for _, part in table.groupby("repeat", sort=True)]
    expected = [_matrix(part, "expected", file.plan_levels) for part in repeats]
    propensity = [_matrix(part, "propensity", file.plan_levels) for part in repeats]
    scores = [doubly_robust_scores(y, plans, m, e) for m, e in zip(expected, propensity, strict=True)]
    final = _fit_plan_parts(validated, known)
    supported = is_sufficient(final[1].count(known.rows), final[0].probabilities(_inputs(validated, known)))
    mean_scores, mean_expected = np.mean(scores, axis=0), np.mean(expected, axis=0)
    effects = {
        plan: _effect(j, reference, y, plans, mean_scores, mean_expected, groups, int(supported[:, j].sum()))
        for j, plan in enumerate(file.plan_levels)
        if enough[j]
    }
    valued = {name: _value(name, repeats, scores) for name in POLICIES} | {"usual": y}
    values = {name: estimate_mean(value, groups) for name, value in valued.items()}
    pairs = (("model", "single"), ("tree", "single"), ("model", "usual"))
    gains = {f"{a}_over_{b}": estimate_gain(valued[a] - valued[b], groups) for a, b in pairs}
    choice = _choice(gains["model_over_single"], mean_scores, enough, validated, known)
    return PlanReport(
        model=PlanModel(*final, choice),
        effects=effects,
        left_out={file.plan_levels[j]: int(counts[j]) for j in np.flatnonzero(~enough)},
        values=values,
        gains=gains,
        gain_e_value=e_value(estimate_ratio(valued["model"], valued["single"], groups))[1],
        patients=len(y),
        assumption=state_assumption(file.provenance),
    )


def summarise_plans(report: PlanReport) -> dict[str, Any]:
    """Write a report as the plain values of `metrics.json`.

    Parameters
    ----------
    report : PlanReport

    Returns
    -------
    dict
    """
    choice = report.model.choice
    return {
        "patients": report.patients,
        "assumption": report.assumption,
        "effects": {plan: asdict(effect) for plan, effect in report.effects.items()},
        "left_out": dict(report.left_out),
        "values": {name: asdict(value) for name, value in report.values.items()},
        "gains": {name: asdict(gain) for name, gain in report.gains.items()},
        "gain_e_value": report.gain_e_value,
        "choice": asdict(choice) | {"shown": choice.shown, "sentence": choice.sentence()},
        "interval": "95 %, Student's t over groups",
    }


def _matrix(part: pd.DataFrame, kind: str, levels: tuple[str, ...]) -> NDArray[np.float64]:
    return part[[f"{kind}__{plan}" for plan in levels]].to_numpy(np.float64)


def _inputs(validated: Validated, known: Patients) -> Any:
    return validated.final.model.inputs(known.rows)


def _fit_plan_parts(validated: Validated, known: Patients) -> tuple[Any, Any]:
    """Propensity and comparable groups of all patients with an endpoint, to be served."""
    model = validated.final.model
    return learn_propensity(_inputs(validated, known)), fit_groups(known.rows, model)


def _effect(
    plan: int,
    reference: int,
    y: NDArray[np.float64],
    plans: NDArray[np.intp],
    scores: NDArray[np.float64],
    expected: NDArray[np.float64],
    groups: NDArray[np.intp] | None,
    supported: int,
) -> PlanEffect:
    effect = scores[:, plan] - scores[:, reference]
    predicted = expected[:, plan] - expected[:, reference]
    ratio = estimate_ratio(scores[:, plan], scores[:, reference], groups)
    own = plans == plan
    return PlanEffect(
        int(own.sum()),
        int(y[own].sum()),
        estimate_mean(scores[:, plan], groups),
        estimate_mean(effect, groups),
        float(y[own].mean() - y[plans == reference].mean()),
        ratio,
        *e_value(ratio),
        calibrate_effect(effect, predicted, groups),
        autoc(effect, predicted, groups),
        supported,
    )


def _value(
    policy: str, repeats: list[pd.DataFrame], scores: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Doubly robust value of the plan that a policy chooses, for each patient, mean over the repeats."""
    rows = np.arange(len(scores[0]))
    chosen = [score[rows, part[policy].to_numpy()] for part, score in zip(repeats, scores, strict=True)]
    result: NDArray[np.float64] = np.mean(chosen, axis=0)
    return result


def _choice(
    gain: Estimate,
    scores: NDArray[np.float64],
    enough: NDArray[np.bool_],
    validated: Validated,
    known: Patients,
) -> PlanChoice:
    file = known.cohort_file
    best = int(np.where(enough, scores.mean(axis=0), -np.inf).argmax())
    expected = expect_on_plans(validated.final.model, known.rows)
    tree = PolicyTree.fit(known.rows, np.where(enough, expected, -1.0)).describe(file)
    return PlanChoice(file.plan_levels[best], gain.value, gain.low, gain.high, len(known.rows), tree)

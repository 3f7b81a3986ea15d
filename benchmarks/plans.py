"""Effects of plans on simulated cohorts with confounded choice: bias, coverage, rivals, policies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import xgboost as xgb
from econml.dml import CausalForestDML
from econml.dr import LinearDRLearner
from joblib import Parallel, delayed, parallel_config
from rich.table import Table
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from benchmarks.simulated import cohort, cohort_file, encode, mean_and_spread
from features.cohort import make_cohort
from features.simulation import simulate
from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.plan_outcomes import predict_plans
from models.response_model import OUTCOMES, Choice, ResponseModel, fit_outcome
from training.cross_validation import Fitted, Validated
from training.patients import Patients, make_outer_splits, training_sets
from training.plans.effects import doubly_robust_scores, estimate_mean
from training.plans.folds import predict_plan_fold
from training.plans.report import PlanReport, report_plans

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console

    from features.cohort import Cohort

SIZES: Final = (2_000, 8_000)
SEEDS: Final = range(1, 21)
_HOMOGENEOUS, _HOMOGENEOUS_SIZE = 200, 2_000
_FRESH, _FRESH_SEED, _FRESH_SITES = 20_000, 990_002, 4_000
_TEACHER, _TEACHER_SEED = 150_000, 990_003
_REPEATS: Final = 2
_RIDGE: Final = Choice("ridge", {"ridge": {}}, Recalibration(), ConformalBounds(1.0, 0.0))


def run(console: Console) -> dict[str, Any]:
    """Twenty cohorts of each size beside EconML, and 200 in which no plan suits anybody better."""
    results: dict[str, Any] = {}
    taught = _taught()
    for size in SIZES:
        rows = _each(_measure, [(size, seed, taught) for seed in SEEDS])
        results[str(size)] = _summarise(rows)
        _show(console, size, results[str(size)])
    claims = [claim for (claim,) in _each(_claims_gain, [(seed,) for seed in range(_HOMOGENEOUS)])]
    results["homogeneous"] = {"cohorts": len(claims), "claimed": int(sum(claims))}
    console.print(
        f"homogeneous effects, {_HOMOGENEOUS_SIZE:,} patients: a gain was claimed in {sum(claims)} of "
        f"{len(claims)} cohorts; aim: at most 5 %"
    )
    return results


def _each(work: Any, arguments: list[tuple[Any, ...]]) -> list[Any]:
    with parallel_config(backend="loky", inner_max_num_threads=1):
        return list(Parallel(n_jobs=-1)(delayed(work)(*a) for a in arguments))


def _report(made: Cohort, seed: int) -> tuple[ResponseModel, PlanReport, Validated]:
    """The report of plans with the ridge candidate: what a fit does, without its search."""
    patients = Patients.from_cohort(made)
    tables = []
    splits = [make_outer_splits(patients, seed + repeat) for repeat in range(_REPEATS)]
    for repeat, folds in enumerate(splits):
        for fold, (train, test) in enumerate(folds):
            known = np.intersect1d(test, patients.known)
            model, inputs = _fit(patients.take(train))
            table = predict_plan_fold(model, inputs, patients.rows[known], known)
            tables.append(table.assign(repeat=repeat, fold=fold))
    final = Fitted(_fit(patients.take(patients.known))[0], {})
    validated = Validated(final, pd.DataFrame(), {}, splits, pd.concat(tables, ignore_index=True))
    report = report_plans(patients, validated)
    if report is None:
        raise AssertionError("the simulated cohort has plans")
    return final.model, report, validated


def _fit(known: Patients) -> tuple[ResponseModel, Any]:
    sets = training_sets(known)
    inputs = sets["response"].inputs
    return ResponseModel(inputs.encoder, {n: fit_outcome(sets[n], _RIDGE, 0) for n in OUTCOMES}), inputs


def _measure(size: int, seed: int, taught: NDArray[np.float64]) -> dict[str, Any]:
    """One cohort: averages against their truth, individual effects against theirs, policies."""
    levels = cohort_file().plan_levels
    reference = levels.index("oral_antidepressant")
    made = cohort(size, seed)
    known = ~np.isnan(made.response)
    model, report, validated = _report(made, seed)
    truth = simulate(size, seed).truth.set_index("patient_id").loc[list(made.ids[known])]
    own = truth[[f"response__{plan}" for plan in levels]].to_numpy()
    averages = own.mean(axis=0) - own.mean(axis=0)[reference]
    intervals = _ninety(made, validated, reference)
    clinic, fresh_truth = _fresh()
    wanted = fresh_truth - fresh_truth[:, [reference]]
    predicted = predict_plans(model, clinic)
    others = [j for j in range(len(levels)) if j != reference]
    effects = {"ours": predicted.difference[0]} | _rivals(model, made, clinic, reference)
    support = report.model.support(model.inputs(clinic)).sufficient
    chosen = np.where(support, predicted.response[0], -1).argmax(axis=1)
    inside = (predicted.difference[1] <= wanted) & (wanted <= predicted.difference[2])
    return {
        "error": {levels[j]: report.effects[levels[j]].difference.value - averages[j] for j in others},
        "naive": {levels[j]: report.effects[levels[j]].naive - averages[j] for j in others},
        "covered": {levels[j]: bool(intervals[j].low <= averages[j] <= intervals[j].high) for j in others},
        "individual": {levels[j]: float(inside[:, j].mean()) for j in others},
        "pehe": {
            name: float(np.sqrt(((effect - wanted)[:, others] ** 2).mean()))
            for name, effect in effects.items()
        },
        "value": {
            "by patient": _value(fresh_truth, chosen),
            "best single": float(fresh_truth.mean(axis=0).max()),
            "taught the truth, clinic's inputs": _value(fresh_truth, taught.argmax(axis=1)),
            "the same, supported plans": _value(fresh_truth, np.where(support, taught, -1).argmax(axis=1)),
            "oracle, complete inputs": float(fresh_truth.max(axis=1).mean()),
        },
        "shown": report.model.choice.shown,
    }


def _ninety(made: Cohort, validated: Validated, reference: int) -> list[Any]:
    """90 % intervals of the average differences, from the very scores of the report."""
    known = ~np.isnan(made.response)
    levels = made.file.plan_levels
    table = validated.plans
    if table is None:
        raise AssertionError("the simulated cohort has plans")
    scores = np.mean(
        [
            doubly_robust_scores(
                made.response[known],
                made.rows[known, -1].astype(np.intp),
                part[[f"expected__{plan}" for plan in levels]].to_numpy(),
                part[[f"propensity__{plan}" for plan in levels]].to_numpy(),
            )
            for _, part in table.sort_values("patient").groupby("repeat")
        ],
        axis=0,
    )
    groups = None if made.groups is None else np.asarray(made.groups)[known]
    return [estimate_mean(scores[:, j] - scores[:, reference], groups, level=0.9) for j in range(len(levels))]


@cache
def _fresh() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fresh patients as a clinic records them, with their true probabilities on every plan."""
    made = simulate(_FRESH, _FRESH_SEED, sites=_FRESH_SITES)
    truth = made.truth[[f"response__{plan}" for plan in cohort_file().plan_levels]].to_numpy()
    return encode(made.table), truth


def _rivals(
    model: ResponseModel, made: Cohort, fresh: NDArray[np.float64], reference: int
) -> dict[str, NDArray[np.float64]]:
    """EconML on the same patients, with the same columns and nuisance models of the same kind."""
    known = ~np.isnan(made.response)
    x, test = model.encoder.base_columns(made.rows[known]), model.encoder.base_columns(fresh)
    y, plans = made.response[known].astype(int), made.rows[known, -1].astype(int)
    order = [reference, *(j for j in range(len(made.file.plan_levels)) if j != reference)]
    treatment = np.argsort(order)[plans]  # EconML's control is the lowest code
    nuisance = {"discrete_outcome": True, "cv": 5, "random_state": 0}
    learners = {
        "LinearDRLearner": LinearDRLearner(
            model_propensity=LogisticRegression(C=0.04, max_iter=1000),
            model_regression=LogisticRegression(C=0.04, max_iter=1000),
            **nuisance,
        ),
        "CausalForestDML": CausalForestDML(
            model_y=LogisticRegression(C=0.04, max_iter=1000),
            model_t=LogisticRegression(C=0.04, max_iter=1000),
            discrete_treatment=True,
            n_estimators=500,
            min_samples_leaf=10,
            n_jobs=1,
            **nuisance,
        ),
    }
    found = {}
    for name, learner in learners.items():
        learner.fit(y, treatment, X=x)
        effects = np.zeros((len(fresh), len(order)))
        for code, plan in enumerate(order[1:], start=1):
            effects[:, plan] = np.asarray(learner.effect(test, T0=0, T1=code)).ravel()
        found[name] = effects
    return found


def _value(truth: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
    return float(truth[np.arange(len(chosen)), chosen].mean())


def _taught() -> NDArray[np.float64]:
    """What a clinic's gappy inputs can tell of each plan: boosted trees taught the truth of many patients.

    Choosing by it is the best that the inputs allow, estimated from below: a better teacher could find a
    little more. No recommendation may name a plan without support, so that this is held against it, too.
    """
    made = simulate(_TEACHER, _TEACHER_SEED, sites=_FRESH_SITES)
    rows = encode(made.table)[:, :-1]
    clinic, _ = _fresh()
    settings = {"max_depth": 4, "eta": 0.1, "min_child_weight": 20, "colsample_bytree": 0.6, "seed": 0}
    return np.column_stack(
        [
            xgb.train(
                settings, xgb.QuantileDMatrix(rows, made.truth[f"response__{plan}"]), 250
            ).inplace_predict(clinic[:, :-1])
            for plan in cohort_file().plan_levels
        ]
    )


def _claims_gain(seed: int) -> tuple[bool]:
    """Whether a gain is claimed where every patient's plans differ by the same on the logit scale."""
    made = simulate(_HOMOGENEOUS_SIZE, seed)
    plain = make_cohort(cohort_file(), made.table)
    levels = cohort_file().plan_levels
    truth = made.truth[[f"response__{plan}" for plan in levels]].to_numpy()
    base = logit(truth[:, levels.index("oral_antidepressant")])
    shift = logit(truth.mean(axis=0)) - logit(truth.mean(axis=0))[levels.index("oral_antidepressant")]
    p = expit(base + shift[plain.rows[:, -1].astype(int)])
    drawn = (np.random.default_rng(seed).random(len(p)) < p).astype(float)
    response = np.where(np.isnan(plain.response), np.nan, drawn)
    changed = replace(plain, response=response, remission=np.where(response == 1, plain.remission, response))
    return (_report(changed, seed)[1].model.choice.shown,)


def _summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    plans = list(rows[0]["error"])
    return {
        "cohorts": len(rows),
        "bias": {plan: mean_and_spread([r["error"][plan] for r in rows]) for plan in plans},
        "naive bias": {plan: mean_and_spread([r["naive"][plan] for r in rows]) for plan in plans},
        "covered": {plan: float(np.mean([r["covered"][plan] for r in rows])) for plan in plans},
        "covered, all plans": float(np.mean([list(r["covered"].values()) for r in rows])),
        "individual covered": {plan: float(np.mean([r["individual"][plan] for r in rows])) for plan in plans},
        "pehe": {name: mean_and_spread([r["pehe"][name] for r in rows]) for name in rows[0]["pehe"]},
        "value": {name: mean_and_spread([r["value"][name] for r in rows]) for name in rows[0]["value"]},
        "gain shown": int(sum(r["shown"] for r in rows)),
    }


def _show(console: Console, size: int, result: dict[str, Any]) -> None:
    table = Table(
        title=f"{size:,} patients, {result['cohorts']} cohorts: differences from the reference plan"
    )
    for column in ("plan", "bias", "naive bias", "90 % interval covers", "individual intervals cover"):
        table.add_column(column, justify="right")
    for plan, bias in result["bias"].items():
        table.add_row(
            plan,
            f"{bias['mean']:+.4f} ({bias['sd']:.3f})",
            f"{result['naive bias'][plan]['mean']:+.4f}",
            f"{result['covered'][plan]:.2f}",
            f"{result['individual covered'][plan]:.2f}",
        )
    table.caption = f"aims: bias within 0.02; covered 0.85 to 0.95 (all: {result['covered, all plans']:.3f})"
    console.print(table)
    errors = {name: f"{v['mean']:.4f} (sd {v['sd']:.4f})" for name, v in result["pehe"].items()}
    console.print("error of individual effects (PEHE): " + "; ".join(f"{k} {v}" for k, v in errors.items()))
    values = {name: v["mean"] for name, v in result["value"].items()}
    console.print("value of policies: " + "; ".join(f"{name} {value:.4f}" for name, value in values.items()))
    console.print(f"a gain was shown in {result['gain shown']} of {result['cohorts']} cohorts\n")

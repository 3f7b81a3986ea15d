"""How often a model without skill passes the gates, and how often their intervals hold the truth.

Each of 200 simulated cohorts is validated twice, with the candidate fixed to the elastic net: as it is, and
with its outcomes shuffled within each plan, so that nothing but the plan tells them. The figures that gates
are judged on come from the first design, as `validate` makes them, but with one repeat. Checks of files,
sites held out and a champion, which a model without skill may well pass, are taken as passed.

The truth of an interval is the figure of the very models that it tells of, those of the folds, among 20,000
fresh patients of new sites.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from joblib import Parallel, delayed, parallel_config
from rich.table import Table

from benchmarks.simulated import cohort, fresh
from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights, repeats_of
from training.gates.gate import CHECKS, Gates
from training.gates.judge import judge, passed
from training.gates.parser import load_gates
from training.metrics import METRICS
from training.net_benefit import gain_metric
from training.patients import Patients
from training.validation.designs import measure_design, plan_design
from training.validation.first_design import measure_first
from training.validation.held_out import hold_out_folds
from training.validation.intervals import measure_coverage
from training.validation.results import OutcomeValidation, Validation
from training.validation.run import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from rich.console import Console

    from benchmarks.simulated import Fresh
    from features.cohort import Cohort
    from training.folds import Split
    from training.metrics import Metric

    Large = dict[str, dict[str, float]]

__all__ = ["run"]

_COHORTS: Final = 200
_SIZE: Final = 500
_CANDIDATE: Final = "elastic_net"
_POPULATIONS: Final = ("all", "subgroups")
"""For whom the gates are judged here."""
_GAINS: Final = ("net_benefit_gain, low", "net_benefit_gain, middle", "net_benefit_gain, high")
_AIM: Final = (0.92, 0.98)


def run(console: Console) -> dict[str, Any]:
    """Validate 200 cohorts with and without skill."""
    with parallel_config(backend="loky", inner_max_num_threads=1):
        rows = Parallel(n_jobs=-1)(delayed(_measure)(1000 + seed) for seed in range(_COHORTS))
    blind = [row["blind"] for row in rows]
    skill_shown = [row["skill shown"] for row in rows]
    result = {
        "cohorts": len(rows),
        "patients": _SIZE,
        "candidate": _CANDIDATE,
        "without skill, passed": int(sum(blind)),
        "without skill, skill gate of an outcome passed": int(np.sum(skill_shown)),
        "with skill, passed": int(sum(row["passed"] for row in rows)),
        "covered": {name: _covered(rows, name) for name in OUTCOMES},
    }
    _show(console, result)
    return result


def _measure(seed: int) -> dict[str, Any]:
    made = cohort(_SIZE, seed)
    gates = _judged_gates()
    rng = np.random.default_rng(seed)
    shuffled, _ = _validate(_shuffle(made, rng), seed)
    validated, large = _validate(made, seed, fresh())
    judged = judge(shuffled, gates)
    return {
        "blind": passed(judged),
        "skill shown": [one.accepted for one in judged if one.gate.name == "skill"],
        "passed": passed(judge(validated, gates)),
        "intervals": {name: _intervals(validated.outcomes[name]) for name in OUTCOMES},
        "large": large,
    }


def _judged_gates() -> Gates:
    gates = load_gates(None)
    return replace(gates, gates=tuple(g for g in gates.gates if g.population in _POPULATIONS))


def _shuffle(made: Cohort, rng: np.random.Generator) -> Cohort:
    """Shuffle the outcomes of the patients with an endpoint, within each plan."""
    response, remission = made.response.copy(), made.remission.copy()
    known = np.flatnonzero(~np.isnan(made.response))
    for plan in np.unique(made.rows[known, -1]):
        members = known[made.rows[known, -1] == plan]
        drawn = rng.permutation(members)
        response[members], remission[members] = made.response[drawn], made.remission[drawn]
    return replace(made, response=response, remission=remission)


def _validate(made: Cohort, seed: int, people: Fresh | None = None) -> tuple[Validation, Large]:
    """The first design of `validate`, on one core, and what gates are judged on.

    With other people, also the figures of the very same models among them, fold by fold as in the design.
    """
    patients = Patients.from_cohort(made)
    known = patients.known
    weights = draw_weights(len(known), None if patients.groups is None else patients.groups[known], seed)
    held = hold_out_folds(patients, seed, 1)
    whole, splits = _predict_also(patients, held.splits, people)
    work = plan_design(whole, replace(held, splits=splits), seed, _CANDIDATE)
    predicted = work.finish([job(*arguments, **options) for job, arguments, options in work.jobs])
    if isinstance(predicted, str):
        raise TrainingDataError(predicted)
    is_own = predicted["patient"] < len(patients.rows)
    table, others = predicted[is_own], predicted[~is_own]
    designs = measure_design(held, patients, table, seed)
    outcomes = {}
    for name in OUTCOMES:
        first = measure_first(made, name, table[table["outcome"] == name], weights, THRESHOLDS[name])
        outcomes[name] = OutcomeValidation(
            designs=(designs[name],),
            candidate=_CANDIDATE,
            calibration=first.calibration,
            histogram=first.histogram,
            net_benefit=first.net_benefit,
            thresholds=THRESHOLDS[name],
            coverage=first.coverage,
            subgroups=first.subgroups,
        )
    so = dict.fromkeys(CHECKS, (True, "not the subject here"))
    large = {}
    if people is not None:
        large = {name: _figures(name, others[others["outcome"] == name]) for name in OUTCOMES}
    return Validation({}, {}, "", True, so, outcomes, seed=seed), large


def _predict_also(
    patients: Patients, splits: Sequence[Sequence[Split]], people: Fresh | None
) -> tuple[Patients, Sequence[Sequence[Split]]]:
    """Append people to the patients, and to the test rows of every fold."""
    if people is None:
        return patients, splits
    n, count = len(patients.rows), len(people.clinic)
    outcomes = {name: np.concatenate([y, people.observed[name]]) for name, y in patients.outcomes.items()}
    groups = None if patients.groups is None else np.append(patients.groups, np.full(count, -1))
    rows = np.concatenate([patients.rows, people.clinic])
    appended = np.arange(n, n + count)
    more = [[(train, np.concatenate([test, appended])) for train, test in folds] for folds in splits]
    return Patients(patients.cohort_file, rows, outcomes, groups), more


def _measured(outcome: str) -> dict[str, Metric]:
    """Every figure, and net benefit at both ends and in the middle of the clinical range."""
    return {**METRICS, **{name: gain_metric(at) for name, at in _thresholds(*THRESHOLDS[outcome]).items()}}


def _thresholds(low: float, high: float) -> dict[str, float]:
    return dict(zip(_GAINS, (low, (low + high) / 2, high), strict=True))


def _figures(outcome: str, table: pd.DataFrame) -> dict[str, float]:
    data = repeats_of(table)[0]
    once = np.ones(len(data.y))
    figures = {key: float(metric(data, once)) for key, metric in _measured(outcome).items()}
    return {**figures, "coverage": measure_coverage(table, np.stack([once, once])).value}


def _intervals(validated: OutcomeValidation) -> dict[str, tuple[float, float]]:
    estimates = dict(validated.designs[0].metrics)
    if validated.coverage is not None:
        estimates["coverage"] = validated.coverage
    found = {key: (e.low, e.high) for key, e in estimates.items()}
    curve = validated.net_benefit["gain"]
    for name, threshold in _thresholds(*validated.thresholds).items():
        at = int(np.abs(np.array(curve.at) - threshold).argmin())
        found[name] = curve.low[at], curve.high[at]
    return found


def _covered(rows: list[dict[str, Any]], outcome: str) -> dict[str, dict[str, float]]:
    """Share of intervals that hold the large-sample value of the models they tell of, and of all cohorts'."""
    found = {}
    for metric in rows[0]["large"][outcome]:
        values = np.array([row["large"][outcome][metric] for row in rows])
        intervals = np.array([row["intervals"][outcome][metric] for row in rows])
        defined = ~(np.isnan(intervals).any(axis=1) | np.isnan(values))
        values, intervals = values[defined], intervals[defined]
        mean = float(values.mean())
        found[metric] = {
            "mean": mean,
            "sd": float(values.std(ddof=1)),
            "covered": _share(intervals, values),
            "mean covered": _share(intervals, mean),
            "intervals": len(values),
        }
    return found


def _share(intervals: NDArray[np.float64], values: NDArray[np.float64] | float) -> float:
    return float(((intervals[:, 0] <= values) & (values <= intervals[:, 1])).mean())


def _show(console: Console, result: dict[str, Any]) -> None:
    cohorts = result["cohorts"]
    console.print(
        f"{cohorts} cohorts of {result['patients']} patients, candidate {result['candidate']}\n"
        f"without skill {result['without skill, passed']} passed the gates; aim: at most 5 %\n"
        f"with the skill of the simulated predictors {result['with skill, passed']} passed"
    )
    low, high = _AIM
    table = Table(title=f"95 % intervals that hold the large-sample value; aim {low:.0%} to {high:.0%}")
    for column in ("figure", *(f"{name}: {what}" for name in OUTCOMES for what in ("mean (SD)", "covered"))):
        table.add_column(column, justify="right")
    for metric in result["covered"][OUTCOMES[0]]:
        cells = []
        for name in OUTCOMES:
            one = result["covered"][name][metric]
            cells += [f"{one['mean']:.3f} ({one['sd']:.3f})", f"{one['covered']:.3f} of {one['intervals']}"]
        table.add_row(metric, *cells)
    console.print(table)

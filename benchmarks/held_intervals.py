"""Whether the 95 % intervals that gates judge hold the truth, on simulated cohorts.

The candidate is the elastic net; the champion's part is played by the ridge regression. The truth of an
interval is the figure of the very models that it tells of, those of the folds, among 20,000 fresh patients of
new sites. Each of these counts as a responder by the true probability, and as none by the rest: outcomes
drawn once would be off by chance, and by the same chance for all cohorts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from benchmarks.first_design import (
    clinical_thresholds,
    measured_thresholds,
    predict_first,
    validate_first,
    weights_of,
)
from benchmarks.simulated import fresh
from models.response_model import OUTCOMES
from models.wilson import wilson_interval
from training.bootstrap import Estimate, repeats_of
from training.gates.judge import judge
from training.gates.parser import load_gates
from training.metrics import METRICS
from training.net_benefit import gain_metric
from training.patients import Patients
from training.validation.champion import Answers, subtract_champion
from training.validation.coverage import share_inside
from training.validation.held_out import hold_out_folds
from training.validation.subgroups import find_subgroups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.simulated import Fresh
    from features.cohort import Cohort
    from training.folds import Split
    from training.validation.results import OutcomeValidation, Validation

__all__ = ["CANDIDATE", "CHAMPION", "JUDGED", "Held", "find_truths", "hold_intervals", "summarise"]

CANDIDATE: Final = "elastic_net"
CHAMPION: Final = "ridge"
_IN_SUBGROUPS: Final = ("auroc", "ici")
"""Figures that gates judge in subgroups."""
_SUBGROUPS: Final = "in subgroups"
_GAIN: Final = "net_benefit_gain"
JUDGED: Final = (
    *("brier_skill", "calibration_slope", "ici", _GAIN, "coverage", "champion"),
    *(f"{metric} {_SUBGROUPS}" for metric in _IN_SUBGROUPS),
)
"""Figures that the shipped gates judge; net benefit, as by its gate, at its worst in the clinical range."""


@dataclass(frozen=True)
class Held:
    """An interval and the truth that it is to hold.

    Parameters
    ----------
    outcome, figure : str
    low, high, truth : float
        NaN where the figure is not defined.
    """

    outcome: str
    figure: str
    low: float
    high: float
    truth: float


def hold_intervals(made: Cohort, seed: int) -> tuple[Validation, list[Held]]:
    """Validate a simulated cohort and hold its intervals against fresh patients.

    Parameters
    ----------
    made : Cohort
        From `benchmarks.simulated.cohort`.
    seed : int

    Returns
    -------
    Validation
        See `benchmarks.first_design.validate_first`.
    list of Held
        Of each outcome; a figure in subgroups is there once for each that is large enough.
    """
    people, patients = fresh(), Patients.from_cohort(made)
    held = hold_out_folds(patients, seed, 1)
    whole, splits = _predict_also(patients, held.splits, people)
    own, others = {}, {}
    for candidate in (CANDIDATE, CHAMPION):
        table = predict_first(whole, replace(held, splits=splits), seed, candidate)
        is_own = table["patient"] < len(patients.rows)
        own[candidate], others[candidate] = table[is_own], table[~is_own]
    validated = validate_first(made, own[CANDIDATE], seed, CANDIDATE)
    worst = _worst_gains(validated)
    found = []
    for name, outcome in validated.outcomes.items():
        of_outcome = [
            {key: table[table["outcome"] == name] for key, table in tables.items()}
            for tables in (own, others)
        ]
        estimates = _estimates(name, outcome)
        estimates[_GAIN] = worst[name]
        estimates["champion"] = _against_champion(made, name, of_outcome[0], seed)
        truths = find_truths(made, people, name, of_outcome[1])
        found += [
            Held(name, key[0] if isinstance(key, tuple) else key, one.low, one.high, truths[key])
            for key, one in estimates.items()
        ]
    return validated, found


def find_truths(made: Cohort, people: Fresh, name: str, tables: dict[str, pd.DataFrame]) -> dict[Any, float]:
    """Give the figures of models of the folds among fresh patients, outcomes in proportion to their chance.

    Parameters
    ----------
    made : Cohort
        Whose cohort file declares the subgroups.
    people : Fresh
    name : str
        The outcome.
    tables : dict of str to DataFrame
        Of `CANDIDATE` and `CHAMPION`, from `predict_first`: all of the people, in their order, in each fold.

    Returns
    -------
    dict
        By figure; net benefit at its worst in the clinical range, and at both ends and the middle of it; in
        subgroups by figure, predictor and level.
    """
    both = {key: _in_both_outcomes(table) for key, table in tables.items()}
    (ours,), (theirs,) = (repeats_of(both[key]) for key in (CANDIDATE, CHAMPION))
    person = both[CANDIDATE]["person"].to_numpy()
    weights = np.where(ours.y == 1, people.truth[name][person], 1 - people.truth[name][person])
    found: dict[Any, float] = {key: metric(ours, weights) for key, metric in METRICS.items()}
    gains = {at: gain_metric(at)(ours, weights) for at in measured_thresholds(name)}
    found[_GAIN] = min(gains.values())
    for label, at in clinical_thresholds(name).items():
        found[f"{_GAIN}, {label}"] = gains[at]
    found["coverage"] = float(share_inside(both[CANDIDATE], weights[None])[0, 0])
    found["champion"] = found["brier"] - METRICS["brier"](theirs, weights)
    for predictor, members in find_subgroups(replace(made, rows=people.clinic)).items():
        for level, member in members.items():
            inside = member[person]
            part = ours.take(inside)
            for metric in _IN_SUBGROUPS:
                found[f"{metric} {_SUBGROUPS}", predictor, level] = METRICS[metric](part, weights[inside])
    return found


def summarise(found: Sequence[Held], cohorts: int) -> dict[str, dict[str, Any]]:
    """Share of the intervals that hold the truth, that lie above it, and that hold the mean of all truths.

    Parameters
    ----------
    found : sequence of Held
        Of all cohorts.
    cohorts : int
        Of which the first share has a 95 % interval (Wilson): subgroups of one cohort count once.

    Returns
    -------
    dict of str to dict
        By outcome, then by figure.
    """
    result: dict[str, dict[str, Any]] = {name: {} for name in OUTCOMES}
    for outcome, figure in dict.fromkeys((one.outcome, one.figure) for one in found):
        ends = [(o.low, o.high, o.truth) for o in found if (o.outcome, o.figure) == (outcome, figure)]
        low, high, truth = np.array([one for one in ends if not np.isnan(one).any()]).reshape(-1, 3).T
        mean, covered = float(truth.mean()), float(((low <= truth) & (truth <= high)).mean())
        of = min(cohorts, len(truth))
        result[outcome][figure] = {
            "intervals": len(truth),
            "mean": mean,
            "sd": float(truth.std(ddof=1)),
            "covered": covered,
            "covered within": [float(end) for end in wilson_interval(covered * of, of)],
            "above": float((low > truth).mean()),
            "mean covered": float(((low <= mean) & (mean <= high)).mean()),
        }
    return result


def _predict_also(
    patients: Patients, splits: Sequence[Sequence[Split]], people: Fresh
) -> tuple[Patients, Sequence[Sequence[Split]]]:
    """Append people to the patients, and to the test rows of every fold."""
    n, count = len(patients.rows), len(people.clinic)
    outcomes = {name: np.concatenate([y, people.observed[name]]) for name, y in patients.outcomes.items()}
    groups = None if patients.groups is None else np.append(patients.groups, np.full(count, -1))
    rows = np.concatenate([patients.rows, people.clinic])
    appended = np.arange(n, n + count)
    more = [[(train, np.concatenate([test, appended])) for train, test in folds] for folds in splits]
    return Patients(patients.cohort_file, rows, outcomes, groups), more


def _worst_gains(validated: Validation) -> dict[str, Estimate]:
    """What the gate of net benefit judges, by outcome."""
    return {
        one.outcome: one.estimate
        for one in judge(validated, load_gates(None))
        if (one.gate.metric, one.gate.population) == (_GAIN, "all")
    }


def _estimates(name: str, outcome: OutcomeValidation) -> dict[Any, Estimate]:
    """What gates are judged on, and every other figure; by the keys of `find_truths`."""
    found: dict[Any, Estimate] = {key: outcome.designs[0].metrics[key] for key in METRICS}
    if outcome.coverage is not None:
        found["coverage"] = outcome.coverage
    curve = outcome.net_benefit["gain"]
    for label, at in clinical_thresholds(name).items():
        k = curve.at.index(at)
        found[f"{_GAIN}, {label}"] = Estimate(curve.value[k], curve.low[k], curve.high[k])
    for member in (member for group in outcome.subgroups for member in group.members if not member.too_small):
        for metric in _IN_SUBGROUPS:
            found[f"{metric} {_SUBGROUPS}", member.predictor, member.level] = member.metrics[metric]
    return found


def _against_champion(made: Cohort, name: str, tables: dict[str, pd.DataFrame], seed: int) -> Estimate:
    """The paired difference of the Brier scores, as `validate` makes it."""
    theirs = tables[CHAMPION]
    p, fold = np.full(len(made.rows), np.nan), np.zeros(len(made.rows), dtype=np.intp)
    p[theirs["patient"]], fold[theirs["patient"]] = theirs["probability"], theirs["fold"]
    answers = {name: [Answers(p, fold, float(theirs["parameters"].mean()))]}
    weights = weights_of(Patients.from_cohort(made), seed)
    return subtract_champion(made, {name: repeats_of(tables[CANDIDATE])}, answers, weights)[name].metrics[
        "brier"
    ]


def _in_both_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Tell of everybody twice, with and without the outcome, under a number of its own.

    `person` is then the fresh patient, counted from 0.
    """
    of = table.assign(person=table["patient"] - table["patient"].min())
    both = pd.concat([of.assign(observed=observed) for observed in (1.0, 0.0)], ignore_index=True)
    return both.assign(patient=np.arange(len(both)))

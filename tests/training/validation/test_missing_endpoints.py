"""Missing endpoints: weights that undo what baseline explains, and bounds that nothing exceeds."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.cohort import Cohort, make_cohort
from tests.models.small import FILE, make_trial, small_cohort
from training.bootstrap import draw_weights, estimate_metrics, repeats_of
from training.metrics import METRICS
from training.validation.group_intercepts import group_intercepts
from training.validation.missing_endpoints import find_bounds, observation_weights, weigh_missing


def as_table(observed: NDArray[np.float64], p: NDArray[np.float64], repeats: int = 1) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "outcome": "response",
                "repeat": repeat,
                "fold": 0,
                "patient": np.arange(len(p)),
                "observed": observed,
                "probability": np.clip(p + 0.01 * repeat, 0.01, 0.99),
                "candidate_prevalence": 0.45,
                "parameters": 0.0,
            }
        )
        for repeat in range(repeats)
    ]
    return pd.concat(parts, ignore_index=True)


def with_dropout(seed: int) -> tuple[Cohort, Cohort, NDArray[np.float64]]:
    """The same patients with all endpoints and with those of old patients in pain mostly gone; predictions.

    The predictions are wrong by age, so that whoever is missing changes the figures.
    """
    trial = make_trial(2000, seed, gaps=False)
    age = trial.table["age"].astype(float).to_numpy()
    pain = trial.table["pain"].astype(int).to_numpy()
    gone = np.random.default_rng([seed, 9]).random(2000) < expit(-1.0 + 0.08 * (age - 50) + 0.8 * pain)
    left = trial.table.assign(madrs_end=trial.table["madrs_end"].where(~gone, ""))
    p = expit(0.9 * logit(trial.truth) - 0.03 * (age - 50))
    return make_cohort(FILE, trial.table), make_cohort(FILE, left), p


@pytest.mark.parametrize("seed", range(4))
def test_weights_bring_calibration_back_to_that_of_all_patients(seed: int) -> None:
    full, cohort, p = with_dropout(seed)
    known = ~np.isnan(cohort.response)
    weights = draw_weights(int(known.sum()), None, 1, 60)
    found = weigh_missing(cohort, "response", as_table(cohort.response, p), weights)
    assert found is not None
    assert (found.missing, found.patients) == (int((~known).sum()), 2000)
    (everybody,) = repeats_of(as_table(full.response, p))
    complete = estimate_metrics(repeats_of(as_table(cohort.response, p)), weights)
    for name in ("o_e", "calibration_intercept"):
        truth = METRICS[name](everybody, np.ones(2000))
        before, after = complete[name], found.weighted[name]
        # Without the weights the figure is off by more than its error; with them by much less.
        assert abs(after.value - truth) < 0.6 * abs(before.value - truth), name
        assert after.low < truth < after.high, name
        # Weights cost precision: that is what the effective number says.
        assert after.high - after.low > before.high - before.low
    assert 0.4 * known.sum() < found.effective < 0.95 * known.sum()


def at_sites(
    sites: int, seed: int, spread: float
) -> tuple[Cohort, NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Sites that differ in follow-up and, the other way round, in response: who was seen, y, predictions."""
    trial = make_trial(2000, seed, gaps=False)
    rng = np.random.default_rng([seed, 1])
    site, effect = rng.integers(sites, size=2000), rng.normal(size=sites)
    y = (rng.random(2000) < expit(logit(trial.truth) + 0.8 * spread * effect[site])).astype(float)
    known = rng.random(2000) < expit(0.8 - 1.2 * spread * effect[site])
    names = tuple(f"site {i}" for i in range(sites))
    return replace(make_cohort(FILE, trial.table), groups=site, group_names=names), known, y, trial.truth


def observed_over_expected(
    y: NDArray[np.float64], p: NDArray[np.float64], weights: NDArray[np.float64] | float = 1.0
) -> float:
    return float((weights * y).sum() / (weights * p).sum())


@pytest.mark.parametrize("seed", range(3))
def test_weights_undo_what_sites_do_to_follow_up(seed: int) -> None:
    cohort, known, y, p = at_sites(6, seed, 1.0)
    truth = observed_over_expected(y, p)
    complete = observed_over_expected(y[known], p[known])
    weights = observation_weights(cohort, known)[known]
    weighted = observed_over_expected(y[known], p[known], weights)
    blind = observation_weights(replace(cohort, groups=None), known)[known]
    without = observed_over_expected(y[known], p[known], blind)
    assert abs(complete - truth) > 0.025
    assert without == pytest.approx(complete, abs=0.01)  # baseline says nothing of the site
    assert abs(weighted - truth) < 0.3 * abs(complete - truth)


@pytest.mark.parametrize("sites", [6, 300, 900])
def test_sites_without_influence_add_no_noise_however_many_they_are(sites: int) -> None:
    cohort, known, y, p = at_sites(sites, 1, 0.0)
    weights = observation_weights(cohort, known)[known]
    assert weights.sum() ** 2 / (weights**2).sum() > 0.99 * known.sum()
    complete = observed_over_expected(y[known], p[known])
    assert observed_over_expected(y[known], p[known], weights) == pytest.approx(complete, abs=0.005)


def test_many_small_sites_are_drawn_together_and_still_help() -> None:
    cohort, known, y, p = at_sites(300, 4, 1.0)
    weights = observation_weights(cohort, known)[known]
    truth, complete = observed_over_expected(y, p), observed_over_expected(y[known], p[known])
    assert complete < observed_over_expected(y[known], p[known], weights) < truth
    assert weights.sum() ** 2 / (weights**2).sum() > 0.9 * known.sum()


def test_an_intercept_is_shrunk_by_how_little_is_known_of_its_group() -> None:
    rng = np.random.default_rng(7)
    truth = rng.normal(0, 0.8, 40)
    size = np.repeat([200, 5], 20)
    group = np.repeat(np.arange(40), size)
    line = rng.normal(0, 0.5, len(group))
    y = (rng.random(len(group)) < expit(line + truth[group])).astype(float)
    found = group_intercepts(y, line, group, 41)
    assert found[40] == 0  # nobody is known of it
    assert np.abs(found - np.append(truth, 0))[:20].max() < 0.6
    assert found[20:40].std() < 0.8 * truth[20:].std()
    # A site where everybody, or nobody, was seen has a finite intercept.
    assert np.isfinite(
        group_intercepts(np.repeat([1.0, 0.0], 50), np.zeros(100), np.repeat([0, 1], 50), 2)
    ).all()


def test_the_complete_case_stands_for_itself_where_patients_are_missing_by_chance() -> None:
    trial = make_trial(1500, 3, gaps=False)
    gone = np.random.default_rng(4).random(1500) < 0.3
    cohort = make_cohort(FILE, trial.table.assign(madrs_end=trial.table["madrs_end"].where(~gone, "")))
    weights = draw_weights(int((~gone).sum()), None, 1, 60)
    found = weigh_missing(cohort, "response", as_table(cohort.response, trial.truth), weights)
    assert found is not None
    assert found.effective > 0.97 * (~gone).sum()
    complete = estimate_metrics(repeats_of(as_table(cohort.response, trial.truth)), weights)
    for name in ("auroc", "brier", "calibration_slope"):
        assert found.weighted[name].value == pytest.approx(complete[name].value, abs=0.03), name


def test_a_patients_weight_is_not_learned_from_the_patient() -> None:
    _, cohort, _ = with_dropout(1)
    known = ~np.isnan(cohort.response)
    weights = observation_weights(cohort, known)
    assert weights.shape == (2000,)
    # Truncated: no patient stands for a crowd.
    assert weights.max() == pytest.approx(np.quantile(weights[known], 1.0))
    assert (weights == weights.max()).sum() >= 5
    # Old patients are rarely seen: those who are stand for the others.
    age = cohort.rows[:, 0]
    assert weights[known & (age > 65)].mean() > 1.5 * weights[known & (age < 35)].mean()


def test_without_missing_endpoints_there_is_nothing_to_weigh() -> None:
    cohort = small_cohort(300, 1, gaps=False)
    table = as_table(cohort.response, np.full(300, 0.5))
    assert weigh_missing(cohort, "response", table, draw_weights(300, None, 1, 10)) is None


def test_a_single_missing_endpoint_teaches_nothing_about_who_is_missing() -> None:
    cohort = small_cohort(300, 1, gaps=False)
    known = np.arange(300) != 7
    np.testing.assert_array_equal(observation_weights(cohort, known), 1.0)


@pytest.mark.parametrize("repeats", [1, 2])
def test_no_assignment_of_the_missing_outcomes_is_outside_the_bounds(repeats: int) -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(0.1, 0.9, 60)
    y = (rng.random(60) < p).astype(float)
    missing = rng.permutation(60)[:8]
    y[missing] = np.nan
    bounds = find_bounds(as_table(y, p, repeats))
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for outcomes in product((0.0, 1.0), repeat=8):  # all 256
        filled = y.copy()
        filled[missing] = outcomes
        data = repeats_of(as_table(filled, p, repeats))
        for name, metric in METRICS.items():
            found[name].append(float(np.mean([metric(d, np.ones(60)) for d in data])))
    for name in ("auroc", "average_precision", "brier_skill", "scaled_brier"):
        assert bounds[name].worst == pytest.approx(min(found[name]), abs=0.01), name
        assert bounds[name].best == pytest.approx(max(found[name]), abs=0.01), name
    for name in ("brier", "log_loss"):
        assert bounds[name].worst == pytest.approx(max(found[name]), abs=1e-9), name
        assert bounds[name].best == pytest.approx(min(found[name]), abs=1e-9), name
    for name, target in (("calibration_intercept", 0.0), ("calibration_slope", 1.0)):
        worst = max(found[name], key=lambda value: abs(value - target))
        assert bounds[name].worst == pytest.approx(worst, rel=0.02), name
        assert abs(bounds[name].best - target) <= min(abs(value - target) for value in found[name]) + 0.02
    assert bounds["ici"].worst == pytest.approx(max(found["ici"]), abs=0.01)
    assert bounds["ici"].best == pytest.approx(min(found["ici"]), abs=0.02)
    assert bounds["o_e"].worst in (pytest.approx(min(found["o_e"])), pytest.approx(max(found["o_e"])))

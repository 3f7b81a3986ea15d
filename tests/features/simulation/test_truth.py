"""The true probabilities are what the drawn outcomes follow, and depend on what they should."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.simulation import Simulated, simulate
from features.simulation.parameters import load_population
from features.simulation.plan_model import make_plan_model
from features.simulation.response import compute_truth
from tests.features.simulation.helpers import get_columns, get_response

PLANS = tuple(plan.name for plan in load_population("trd").plans)

DISTRACTORS = (
    "sex",
    "ptsd",
    "diabetes",
    "hypertension",
    "heart_disease",
    "suicidal_ideation",
    "lamotrigine",
    "smoking",
)


def _get_own_truth(cohort: Simulated) -> NDArray[np.float64]:
    """True probability of response on the plan that each patient was on."""
    plan = cohort.complete["plan"]
    columns = cohort.truth[[f"response__{name}" for name in PLANS]].to_numpy()
    return np.select([(plan == name).to_numpy() for name in PLANS], list(columns.T))


def test_truth_has_two_columns_for_each_plan_and_the_ids_of_the_table() -> None:
    cohort = simulate(20, seed=1)
    assert list(cohort.truth.columns) == [
        "patient_id",
        *(f"{outcome}__{plan}" for plan in PLANS for outcome in ("response", "remission")),
    ]
    assert cohort.truth["patient_id"].equals(cohort.table["patient_id"])


def test_quadrature_equals_brute_force() -> None:
    # Independent route: draw hidden score, site and early response a million times for three patients.
    people = load_population("trd")
    complete = simulate(3, seed=2).complete
    columns = get_columns(complete)
    truth = compute_truth(people, "clinic", 1.5, columns)
    rng = np.random.default_rng(3)
    u, site = 0.70 * rng.standard_normal(1_000_000), 0.45 * rng.standard_normal(1_000_000)
    coin = rng.random(1_000_000)
    model = make_plan_model("trd", "iv_ketamine", 1.5)
    for row in range(3):
        z = model.score(columns)[row] + u
        early = coin < expit(model.early + 0.8 * z)
        response = expit(model.response + z + 0.95 * (early - 0.30) + site)
        severity = -0.30 * (columns["madrs_baseline"][row] - 33.5) / 5
        failed = -0.08 * max(columns["failed_trials"][row] - 2, 0)
        halving = columns["madrs_baseline"][row] // 2 <= 10
        remission = 1.0 if halving else expit(model.remission + 0.5 * z + severity + failed)
        assert truth["response__iv_ketamine"][row] == pytest.approx(response.mean(), abs=0.001)
        assert truth["remission__iv_ketamine"][row] == pytest.approx((response * remission).mean(), abs=0.001)


def test_outcomes_follow_the_truth_over_its_whole_range() -> None:
    cohort = simulate(60_000, seed=4, sites=6_000)
    response, own = get_response(cohort.complete), _get_own_truth(cohort)
    for group in np.array_split(np.argsort(own), 10):
        assert response[group].mean() == pytest.approx(own[group].mean(), abs=0.03)


def test_remission_is_part_of_response() -> None:
    cohort = simulate(5_000, seed=5)
    for plan in PLANS:
        assert (cohort.truth[f"remission__{plan}"] <= cohort.truth[f"response__{plan}"]).all()
    assert cohort.truth.drop(columns="patient_id").to_numpy().min() > 0


@pytest.mark.parametrize("distractor", DISTRACTORS)
def test_distractors_do_not_enter_the_truth(distractor: str) -> None:
    complete = simulate(500, seed=6).complete
    columns = get_columns(complete)
    before = compute_truth(load_population("trd"), "clinic", 1.5, columns)
    columns[distractor] = np.random.default_rng(7).permutation(columns[distractor])
    after = compute_truth(load_population("trd"), "clinic", 1.5, columns)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_distractors_tell_nothing_that_the_truth_does_not_know() -> None:
    cohort = simulate(60_000, seed=8, sites=6_000)
    drawn = cohort.complete
    surprise = get_response(drawn) - _get_own_truth(cohort)
    for name in DISTRACTORS:
        value = (drawn[name] == "female") if name == "sex" else drawn[name]
        correlation = np.corrcoef(value.astype(float).to_numpy(), surprise)[0, 1]
        assert abs(correlation) < 4 / np.sqrt(len(drawn)), name


def test_without_signal_everyone_has_the_same_chance_of_response() -> None:
    truth = simulate(200, seed=9, signal=0).truth
    assert truth["response__iv_ketamine"].std() == pytest.approx(0, abs=1e-12)

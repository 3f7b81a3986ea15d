"""The table: reproducible, consistent, and a valid cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import features
from features.cohort_file import load_cohort_file
from features.errors import UserError
from features.schema import check_table
from features.simulation import Simulated, simulate
from features.simulation.choice import compute_propensity
from features.simulation.covariates import draw_covariates
from features.simulation.parameters import load_population
from features.tables import read_table

COHORT_FILES = Path(features.__file__).parent / "cohorts"
DURABILITY = ("weeks_to_relapse", "relapsed", "maintenance")


@pytest.fixture(scope="module")
def cohort() -> Simulated:
    return simulate(20_000, seed=31)


def test_same_seed_gives_the_same_bytes() -> None:
    first, second = simulate(300, seed=1), simulate(300, seed=1)
    for name in ("table", "truth", "complete"):
        assert getattr(first, name).to_csv() == getattr(second, name).to_csv()


def test_another_seed_gives_other_patients_and_other_sites() -> None:
    first, second = simulate(300, seed=1), simulate(300, seed=2)
    assert not first.table["age"].equals(second.table["age"])
    assert not first.table["site"].equals(second.table["site"])


@pytest.mark.parametrize("population", ["trd", "mdd", "single_infusion", "anxiety"])
@pytest.mark.parametrize("setting", ["clinic", "trial", "veterans"])
def test_every_population_and_setting_can_be_simulated(population: str, setting: str) -> None:
    cohort = simulate(50, seed=3, population=population, setting=setting, sites=3)
    assert len(cohort.table) == len(cohort.truth) == len(cohort.complete) == 50
    assert cohort.table["patient_id"].is_unique


def test_one_patient_can_be_simulated() -> None:
    assert len(simulate(1, seed=4, sites=1).table) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population": "bipolar"}, "population: got 'bipolar', allowed are trd, mdd"),
        ({"setting": "lab"}, "setting: got 'lab', allowed are clinic, trial, veterans"),
        ({"patients": 0}, "patients: got 0, allowed is 1 to"),
        ({"seed": -1}, "seed: got -1, allowed is 0 or more"),
        ({"signal": float("nan")}, "signal: got nan, allowed is 0 to 5"),
        ({"sites": 0}, "sites: got 0, allowed is 1 or more"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        simulate(**{"patients": 10, "seed": 1, **arguments})


def test_scores_are_inside_their_ranges(cohort: Simulated) -> None:
    scores = cohort.complete.filter(like="madrs_")
    assert scores.min().min() >= 0
    assert scores.max().max() <= 60
    assert cohort.complete["madrs_baseline"].min() >= 20


def test_remission_is_always_a_response(cohort: Simulated) -> None:
    remission = cohort.complete["madrs_day_28"] <= 10
    assert (2 * cohort.complete["madrs_day_28"] <= cohort.complete["madrs_baseline"])[remission].all()


def test_histories_fit_the_age(cohort: Simulated) -> None:
    people = cohort.complete
    assert (people["onset_age"] <= people["age"] - people["episode_months"] / 12).all()


def test_crp_follows_its_model_at_the_cut(cohort: Simulated) -> None:
    high = (cohort.complete["crp"] >= 3).mean()
    assert high == pytest.approx(expit(-1.15 + 0.12 * (cohort.complete["bmi"] - 28)).mean(), abs=0.01)


@pytest.mark.parametrize(
    ("column", "mean"),
    [
        ("failed_trials", 3.5),
        ("bmi", 28.4),
        ("anxiety_disorder", 0.60),
        ("diabetes", 0.09),
        ("hypertension", 0.23),
        ("heart_disease", 0.06),
        ("suicidal_ideation", 0.50),
        ("past_suicide_attempt", 0.36),
        ("gad7_baseline", 12.0),
    ],
)
def test_covariates_have_their_averages(cohort: Simulated, column: str, mean: float) -> None:
    assert cohort.complete[column].mean() == pytest.approx(mean, rel=0.03, abs=0.01)


def test_recorded_values_are_those_of_the_complete_table(cohort: Simulated) -> None:
    for name in cohort.table:
        seen = cohort.table[name].notna()
        assert (cohort.table[name][seen] == cohort.complete[name][seen]).all(), name


def test_only_plans_with_fewer_sessions_have_gaps_in_the_complete_table(cohort: Simulated) -> None:
    gaps = {name for name in cohort.complete if cohort.complete[name].isna().any()}
    assert gaps == {f"madrs_session_{k}" for k in range(1, 9)} | set(DURABILITY)
    iv = cohort.complete[cohort.complete["plan"] == "iv_ketamine"]
    assert iv["madrs_session_6"].notna().all()
    assert iv["madrs_session_7"].isna().all()


@pytest.mark.parametrize(
    ("column", "rate"), [("crp", 0.80), ("bdnf_met", 0.97), ("failed_trials", 0.15), ("madrs_day_28", 0.35)]
)
def test_values_are_missing_at_their_rates(cohort: Simulated, column: str, rate: float) -> None:
    assert cohort.table[column].isna().mean() == pytest.approx(rate, abs=0.012)


@pytest.mark.parametrize("setting", ["trial", "veterans"])
def test_fewer_leave_the_induction_outside_ordinary_clinics(setting: str) -> None:
    table = simulate(8_000, seed=32, setting=setting).table
    assert table["madrs_day_28"].isna().mean() == pytest.approx(0.08, abs=0.012)


def test_leaving_does_not_depend_on_the_outcome_but_the_self_rating_does(cohort: Simulated) -> None:
    complete, table = cohort.complete, cohort.table
    response = 2 * complete["madrs_day_28"] <= complete["madrs_baseline"]
    left = table["madrs_day_28"].isna()
    assert left[response].mean() == pytest.approx(left[~response].mean(), abs=0.02)
    stayed = ~left
    unreturned = table["phq9_day_28"].isna()
    gap = unreturned[stayed & ~response].mean() - unreturned[stayed & response].mean()
    assert gap == pytest.approx(expit(0.3) - expit(-0.4), abs=0.03)


def test_plans_are_shared_out_and_each_is_possible_for_everyone() -> None:
    people = load_population("trd")
    propensity = compute_propensity(people, draw_covariates(people, 20_000, 33), {})
    shares = dict(zip((plan.name for plan in people.plans), propensity.mean(axis=0), strict=True))
    expected = {plan.name: plan.share for plan in people.plans}
    assert shares == pytest.approx(expected, abs=0.01)
    assert np.quantile(propensity, 0.001) > 0.01


def test_sicker_patients_are_given_iv_more_often(cohort: Simulated) -> None:
    people = cohort.complete
    iv = people[people["plan"] == "iv_ketamine"]
    oral = people[people["plan"] == "oral_antidepressant"]
    for name in ("madrs_baseline", "suicidal_ideation", "inpatient", "failed_trials", "ect_failure"):
        assert iv[name].mean() > oral[name].mean()


def test_a_covariate_that_was_not_recorded_plays_no_part_in_the_choice() -> None:
    people = load_population("trd")
    columns = draw_covariates(people, 50, 34)
    hidden = {"failed_trials": np.ones(50, dtype=bool)}
    before = compute_propensity(people, columns, hidden)
    columns["failed_trials"] = columns["failed_trials"] + 3
    assert np.array_equal(before, compute_propensity(people, columns, hidden))
    assert not np.allclose(before, compute_propensity(people, columns, {}))


@pytest.mark.parametrize(
    ("name", "population"), [("ketamine_trd.toml", "trd"), ("ketamine_anxiety.toml", "anxiety")]
)
def test_written_table_is_a_valid_cohort(name: str, population: str, tmp_path: Path) -> None:
    file = load_cohort_file(COHORT_FILES / name)
    table = simulate(20_000, seed=35, population=population).table
    table.to_csv(tmp_path / "cohort.csv", index=False)
    checked = check_table(file, read_table(str(tmp_path / "cohort.csv")), "fit")
    assert len(checked) == len(table)
    assert file.provenance == "simulated"
    assert file.plan_levels == tuple(entry.name for entry in load_population(population).plans)
    # No patient is lost to the smallest baseline score, and every level of every predictor occurs.
    assert table[file.outcome.baseline].min() >= (file.outcome.minimum_baseline or 0)
    for predictor in file.predictors:
        if predictor.kind != "number":
            levels = predictor.levels or ("0", "1")
            assert set(table[predictor.name].dropna().astype(str)) == set(levels), predictor.name


def test_trd_cohort_has_forty_baseline_predictors() -> None:
    assert len(load_cohort_file(COHORT_FILES / "ketamine_trd.toml").baseline_predictors) == 40


def test_written_table_has_no_decimal_points_in_whole_numbers(cohort: Simulated) -> None:
    text = cohort.table.head(500).drop(columns=["bmi", "crp", "benzodiazepine_dose", "weeks_to_relapse"])
    assert ".0" not in text.to_csv(index=False)


def test_dates_are_written_as_iso_days(cohort: Simulated) -> None:
    dates = pd.to_datetime(cohort.table["start_date"], format="%Y-%m-%d")
    assert dates.min() >= pd.Timestamp("2019-07-01")
    assert dates.max() < pd.Timestamp("2025-07-01")

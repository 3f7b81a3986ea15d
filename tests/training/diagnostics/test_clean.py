"""Sound cohorts are not accused, and looking takes seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from features.cohort import Cohort, load_cohort, make_cohort
from features.cohort_file import load_cohort_file
from features.simulation import simulate
from tests.models.small import small_cohort
from tests.real_data.data import HERE, find_table, load_beat_the_blues
from tests.training.diagnostics import planted
from training.diagnostics.findings import Finding
from training.diagnostics.run import diagnose


def severe(cohort: Cohort) -> list[Finding]:
    return [finding for finding in diagnose(cohort) if finding.severe]


@pytest.mark.parametrize(("patients", "seed"), [(300, 1), (500, 2), (1000, 3), (2000, 4), (4000, 5)])
def test_simulated_cohort_gives_no_severe_finding(patients: int, seed: int) -> None:
    cohort = planted.clean(patients, seed).cohort()
    assert severe(cohort) == []
    # As it is known at a later landmark too, where scores during treatment are inputs.
    assert [f for f in severe(cohort.at("day_1")) if f.where != "madrs_day_1"] == []


@pytest.mark.parametrize("sites", [1, 2, 3])
@pytest.mark.parametrize("signal", [0.0, 2.5])
def test_few_sites_and_any_signal_give_no_severe_finding(sites: int, signal: float) -> None:
    table = simulate(120, 7 + sites, signal=signal, sites=sites).table
    assert severe(make_cohort(load_cohort_file(planted.COHORTS / "ketamine_trd.toml"), table)) == []


def test_anxiety_cohort_gives_no_severe_finding() -> None:
    table = simulate(1000, 6, population="anxiety").table
    assert severe(make_cohort(load_cohort_file(planted.COHORTS / "ketamine_anxiety.toml"), table)) == []


def test_beat_the_blues_gives_no_severe_finding() -> None:
    path = planted.COHORTS / "beat_the_blues.toml"
    assert severe(make_cohort(load_cohort_file(path), load_beat_the_blues())) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [("thp.toml", "thp_perinatal_cbt.csv"), ("nimh.toml", "nimh_ketamine_first_infusion.csv")],
)
def test_real_trial_gives_no_severe_finding(name: str, data: str) -> None:
    assert severe(load_cohort(load_cohort_file(Path(HERE) / name), find_table(data))) == []


def test_cohort_without_an_endpoint_is_not_looked_at_for_outcomes() -> None:
    start = planted.clean(300, 1)
    table = start.table.assign(**{planted.ENDPOINT: ""}).astype(str).replace("nan", "")
    assert severe(make_cohort(load_cohort_file(planted.COHORTS / "ketamine_trd.toml"), table)) == []


def test_small_cohort_gives_no_severe_finding() -> None:
    assert severe(small_cohort()) == []


def test_two_thousand_patients_take_less_than_five_seconds() -> None:
    cohort = planted.clean(2000, 4).cohort()
    before = time.process_time()
    diagnose(cohort)
    assert time.process_time() - before < 5

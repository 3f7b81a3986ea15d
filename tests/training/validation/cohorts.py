"""Simulated cohorts for the designs, each made once."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from features.cohort import Cohort, make_cohort
from features.cohort_file import load_cohort_file
from features.simulation import simulate


@cache
def simulated(patients: int, seed: int, drift: float = 0.0) -> Cohort:
    with as_file(files("features") / "cohorts" / "ketamine_trd.toml") as path:
        return make_cohort(load_cohort_file(path), simulate(patients, seed, drift=drift).table)

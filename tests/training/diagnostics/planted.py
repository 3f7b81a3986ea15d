"""Simulated cohorts, clean and with one planted fault."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import features
from features.cohort import Cohort, make_cohort
from features.cohort_file import parse_cohort_file
from features.simulation import simulate
from training.diagnostics.findings import Finding
from training.diagnostics.run import diagnose

COHORTS = Path(features.__file__).parent / "cohorts"
TRD = (COHORTS / "ketamine_trd.toml").read_text(encoding="utf-8")
ENDPOINT = "madrs_day_28"


class Planted(NamedTuple):
    """A cohort file and a table."""

    text: str
    table: pd.DataFrame

    def cohort(self) -> Cohort:
        return make_cohort(parse_cohort_file(self.text, "planted.toml"), self.table)

    def findings(self) -> tuple[Finding, ...]:
        return diagnose(self.cohort())

    def write(self, folder: Path) -> tuple[Path, Path]:
        (folder / "cohort.toml").write_text(self.text, encoding="utf-8")
        self.table.to_csv(folder / "cohort.csv", index=False)
        return folder / "cohort.toml", folder / "cohort.csv"


@cache
def _simulated(patients: int, seed: int) -> pd.DataFrame:
    return simulate(patients, seed).table


def clean(patients: int = 500, seed: int = 11) -> Planted:
    return Planted(TRD, _simulated(patients, seed).copy())


def scores(table: pd.DataFrame) -> NDArray[np.float64]:
    return table[ENDPOINT].to_numpy(np.float64)


def with_column(
    planted: Planted, name: str, values: NDArray[Any] | pd.Series, kind: str = "number"
) -> Planted:
    """Add a predictor that the cohort file declares as known at baseline."""
    head, tail = planted.text.split("[predictors.age]")
    text = f'{head}[predictors.{name}]\nkind = "{kind}"\n\n[predictors.age]{tail}'
    table = planted.table.copy()
    table[name] = values
    return Planted(text, table)


def noisy_copy(noise: float, patients: int = 500, *, complete: bool = False) -> Planted:
    """A column that follows the endpoint; complete: also where the endpoint was not observed."""
    start = clean(patients)
    rng = np.random.default_rng(5)
    end = scores(start.table)
    if complete:
        end = np.where(np.isnan(end), rng.choice(end[~np.isnan(end)], patients), end)
    return with_column(start, "inventory", np.round(end + rng.normal(0, noise, patients), 1))


def week_4_at_baseline() -> Planted:
    start = clean()
    drift = np.random.default_rng(6).normal(0, 4, len(start.table))
    return with_column(start, "madrs_week_4", np.clip(np.round(scores(start.table) + drift), 0, 60))


def week_2_at_baseline() -> Planted:
    """The simulated score of week 2, whose landmark somebody forgot."""
    planted = clean()
    text = planted.text.replace('valid = [0, 60]\nlandmark = "week_2"', "valid = [0, 60]")
    text = text.replace('["baseline", "day_1", "week_2"]', '["baseline", "day_1"]').split("[futility]")[0]
    return Planted(text, planted.table)


def id_by_outcome() -> Planted:
    """Ids that were given after the table had been sorted by the endpoint; then the rows were shuffled."""
    planted = clean()
    table = planted.table.sort_values(ENDPOINT).reset_index(drop=True)
    table["patient_id"] = [f"P-{i:05d}" for i in range(len(table))]
    return Planted(planted.text, table.sample(frac=1, random_state=3).reset_index(drop=True))


def record_number() -> Planted:
    """Such an id as a predictor."""
    planted = id_by_outcome()
    numbers = 40_000 + planted.table["patient_id"].str.removeprefix("P-").astype(int)
    fresh = planted.table.assign(patient_id=[f"q{i}" for i in range(len(numbers))])
    return with_column(Planted(planted.text, fresh), "record_number", numbers)


def duplicated(*, moved: bool = False) -> Planted:
    """Ten patients twice, under new ids; moved: at another site, a year older, and with another CRP."""
    planted = clean()
    copies = planted.table.sample(10, random_state=1).copy()
    copies["patient_id"] = [f"copy-{i}" for i in range(len(copies))]
    if moved:
        sites = sorted(set(planted.table["site"]))
        copies["site"] = [sites[(sites.index(site) + 1) % len(sites)] for site in copies["site"]]
        copies["age"] = copies["age"] + 1
        copies["crp"] = 1.2
    return Planted(planted.text, pd.concat([planted.table, copies], ignore_index=True))

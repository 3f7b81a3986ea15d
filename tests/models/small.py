"""A small cohort whose true probabilities are known, and what is learned from it; each is made once."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from features.cohort import Cohort, make_cohort
from features.cohort_file import CohortFile
from features.cohort_file_model import BASELINE, MAINTENANCE
from features.preprocessing import EncodePredictors
from models.calibration import Recalibration
from models.candidates import AVERAGE, CANDIDATES, Params
from models.care_model import CareModel
from models.conformal import ConformalBounds
from models.inputs import Inputs, TrainingSet
from models.plan_design import PlanDesign
from models.response_model import OUTCOMES, Choice, ResponseModel, fit_outcome
from tests.features.files import make_file

FILE = make_file()
DEFAULTS: dict[str, Params] = {candidate.name: candidate.default for candidate in CANDIDATES}
NAMES = (*DEFAULTS, AVERAGE)


class Trial(NamedTuple):
    """A table for the small cohort file, and each patient's true probability of response."""

    table: pd.DataFrame
    truth: NDArray[np.float64]


def make_trial(patients: int, seed: int, *, gaps: bool = True, signal: float = 1.0, sites: int = 6) -> Trial:
    rng = np.random.default_rng(seed)
    spray = rng.random(patients) < 0.6
    age, start = rng.integers(20, 80, patients), rng.integers(24, 46, patients)
    crp, pain = rng.lognormal(0.5, 0.8, patients).round(2), rng.random(patients) < 0.4
    trauma, sex = (
        rng.integers(0, 3, patients),
        rng.choice(["female", "male", "none"], patients, p=[0.5, 0.3, 0.2]),
    )
    effects = 0.9 * spray - 0.03 * (age - 50) - 0.8 * pain - 0.7 * pain * spray + 0.4 * (trauma - 1)
    effects = effects + 0.5 * np.log(crp) + 0.5 * (sex == "male") - 0.04 * (start - 35)
    truth: NDArray[np.float64] = expit(-0.3 + signal * effects)
    responds = rng.random(patients) < truth
    end = np.where(responds, np.floor(start * 0.3), np.ceil(start * 0.8)).astype(int)
    table = pd.DataFrame(
        {
            "id": [f"patient-{i:06d}" for i in range(patients)],
            "site": [f"site {i}" for i in rng.integers(0, sites, patients)],
            "start": "2026-01-05",
            "madrs_start": start,
            "madrs_end": end,
            "plan": np.where(spray, "spray", "pill"),
            "age": age,
            "pain": pain.astype(int),
            "sex": sex,
            "trauma": trauma,
            "crp": crp,
            "madrs_day_1": start - 2,
        }
        | _make_follow_up(responds, age, end <= 10, seed)
    ).astype("str")
    if gaps:
        for name, share in {
            "madrs_end": 0.1,
            "age": 0.05,
            "pain": 0.15,
            "sex": 0.1,
            "trauma": 0.1,
            "crp": 0.2,
        }.items():
            table.loc[rng.random(patients) < share, name] = ""
    return Trial(table, truth)


def _make_follow_up(
    responds: NDArray[np.bool_], age: NDArray[np.int64], remits: NDArray[np.bool_], seed: int
) -> dict[str, NDArray[np.object_]]:
    """Weeks to relapse: remission, youth and maintenance protect; without remission maintenance is denser."""
    rng = np.random.default_rng([seed, 1])  # its own, so that the columns before it stay what they were
    level = np.clip(rng.integers(0, 4, len(age)) + rng.integers(0, 2, len(age)) - remits, 0, 3)
    hazard = 0.06 * np.exp(0.03 * (age - 50) - 0.8 * remits - 0.4 * level)
    relapse, contact = rng.exponential(1 / hazard), np.minimum(rng.exponential(90, len(age)), 52)
    weeks = np.minimum(relapse, contact).round(2)
    columns = {
        "weeks": weeks,
        "relapsed": (relapse <= contact).astype(int),
        "maintenance": np.array(MAINTENANCE)[level],
    }
    return {name: np.where(responds, values.astype(object), "") for name, values in columns.items()}


@cache
def small_cohort(patients: int = 400, seed: int = 1, *, gaps: bool = True, signal: float = 1.0) -> Cohort:
    return make_cohort(FILE, make_trial(patients, seed, gaps=gaps, signal=signal).table)


@cache
def training_set(
    patients: int = 400, seed: int = 1, *, gaps: bool = True, groups: bool = False
) -> TrainingSet:
    """Patients of the small cohort whose response is known, encoded by themselves."""
    cohort = small_cohort(patients, seed, gaps=gaps)
    known = ~np.isnan(cohort.response)
    assert cohort.groups is not None
    return make_set(
        FILE, cohort.rows[known], cohort.response[known], cohort.groups[known] if groups else None
    )


def make_set(
    file: CohortFile,
    rows: NDArray[np.float64],
    y: NDArray[np.float64],
    groups: NDArray[np.intp] | None = None,
) -> TrainingSet:
    return TrainingSet(Inputs(EncodePredictors(file).fit(rows), rows), y, groups)


def fresh_rows(
    patients: int = 150, seed: int = 2, *, gaps: bool = True, landmark: str = BASELINE
) -> NDArray[np.float64]:
    """Patients whom no model has seen; the first has no value but the plan and the baseline score."""
    cohort = small_cohort(patients, seed, gaps=gaps)
    rows = (cohort if landmark == BASELINE else cohort.at(landmark)).rows.copy()
    if gaps:
        rows[0, [0, 1, 2, 3, 5]] = np.nan
    return rows


@cache
def small_model(candidate: str, landmark: str = BASELINE) -> ResponseModel:
    """A response model with a fixed candidate, default settings and a recalibration that does something."""
    cohort = small_cohort()
    if landmark != BASELINE:
        cohort = cohort.at(landmark)
    known = ~np.isnan(cohort.response)
    rows = cohort.rows[known]
    members = {name: params for name, params in DEFAULTS.items() if name != "prevalence"}
    params = members if candidate == AVERAGE else {candidate: DEFAULTS[candidate]}
    choice = Choice(candidate, params, Recalibration(0.1, 0.8), ConformalBounds(0.6, 0.4))
    inputs = Inputs(EncodePredictors(cohort.file).fit(rows), rows)
    observed = dict(zip(OUTCOMES, (cohort.response, cohort.remission), strict=True))
    return ResponseModel(
        inputs.encoder,
        {name: fit_outcome(TrainingSet(inputs, y[known]), choice, seed=3) for name, y in observed.items()},
    )


@cache
def care_model(candidate: str) -> CareModel:
    """Models of baseline and day 1."""
    return CareModel({name: small_model(candidate, name) for name in FILE.landmarks})


def dense_design(matrix: NDArray[np.float64]) -> PlanDesign:
    """A design matrix as it stands, without blocks of plans or groups."""
    return PlanDesign(matrix, np.zeros(len(matrix), dtype=np.intp))

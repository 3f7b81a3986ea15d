"""Fits on simulated cohorts, shared by the benchmarks of accuracy, coverage and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from joblib import Parallel, delayed, parallel_config

from features.cohort import Cohort, make_cohort
from features.cohort_file import CohortFile, parse_cohort_file
from features.encoding import encode_frame
from features.schema import check_table
from features.simulation import simulate
from training.cross_validation import Fitted, fit_model
from training.patients import Patients

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SIZES: Final = (500, 2_000, 8_000)
SEEDS: Final = (1, 2, 3, 4, 5)
_FRESH, _FRESH_SEED, _FRESH_SITES = 20_000, 990_001, 4_000  # many sites: the truth is that of a new site


@dataclass(frozen=True)
class Fresh:
    """Patients that no model has seen, with what only a simulation knows.

    `complete` and `clinic` are encoded rows without missing inputs and with those of a clinic; `truth` and
    `observed` are the true probability and the outcome on the patient's own plan, by outcome.
    """

    complete: NDArray[np.float64]
    clinic: NDArray[np.float64]
    truth: dict[str, NDArray[np.float64]]
    observed: dict[str, NDArray[np.float64]]


@cache
def cohort_file() -> CohortFile:
    """The shipped cohort file."""
    source = files("features") / "cohorts" / "ketamine_trd.toml"
    return parse_cohort_file(source.read_text(encoding="utf-8"), source.name)


@cache
def cohort(patients: int, seed: int) -> Cohort:
    """A simulated cohort as a clinic would bring it."""
    return make_cohort(cohort_file(), simulate(patients, seed).table)


@cache
def fitted() -> dict[tuple[int, int], Fitted]:
    """The default procedure on every simulated cohort, by size and seed."""
    tasks = [(size, seed) for size in reversed(SIZES) for seed in SEEDS]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        models = Parallel(n_jobs=-1)(delayed(_fit)(size, seed) for size, seed in tasks)
    return dict(zip(tasks, models, strict=True))


def _fit(patients: int, seed: int) -> Fitted:
    return fit_model(Patients.from_cohort(cohort(patients, seed)), seed)


@cache
def fresh() -> Fresh:
    """Fresh patients for every size and seed."""
    made = simulate(_FRESH, _FRESH_SEED, sites=_FRESH_SITES)
    whole = make_cohort(cohort_file(), made.complete)
    plans = made.complete["plan"].to_numpy()
    truth = {
        name: np.select(
            [plans == p for p in cohort_file().plan_levels],
            [made.truth[f"{name}__{p}"] for p in cohort_file().plan_levels],
        )
        for name in ("response", "remission")
    }
    return Fresh(
        encode(made.complete),
        encode(made.table),
        truth,
        {"response": whole.response, "remission": whole.remission},
    )


def encode(table: pd.DataFrame) -> NDArray[np.float64]:
    """Encoded rows of a table as `score` reads it."""
    return encode_frame(cohort_file(), check_table(cohort_file(), table, "score"))


def mean_and_spread(values: list[float]) -> dict[str, Any]:
    """Mean over seeds with the standard deviation between them."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)), "seeds": len(values)}

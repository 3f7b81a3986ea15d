"""Time of a fit: the final one beside bare XGBoost, and the whole default command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost as xgb
from rich.table import Table

from benchmarks.simulated import cohort, cohort_file
from features.cohort import make_cohort
from features.simulation import simulate
from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.inputs import Inputs
from models.response_model import Choice, fit_outcome
from models.scores import TreeScore
from training.fit import fit_cohort
from training.patients import Patients, training_sets

if TYPE_CHECKING:
    from rich.console import Console

_ROWS: Final = 200_000
_PATIENTS: Final = 2_000
_REPEATS: Final = 3
_PARAMS: Final = {"max_depth": 3, "rounds": 200, "min_child_weight": 5.0, "columns": 0.5, "reg_lambda": 5.0}


def run(console: Console) -> dict[str, Any]:
    """Measure the final fit of xgboost on 200,000 rows, and a default fit on 2,000 patients."""
    ratio, seconds = _final_fit()
    start = time.perf_counter()
    fit_cohort(cohort(_PATIENTS, 1), 1)
    whole = time.perf_counter() - start
    table = Table(title=f"fit; aims: at most 2 times bare XGBoost, and under 90 s for {_PATIENTS:,} patients")
    for column in ("", "seconds", "of bare"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row(f"bare xgboost.train, {_ROWS:,} rows", f"{seconds['bare']:.2f}", "1.00")
    table.add_row("final fit: encoding, the same trees, posterior", f"{seconds['ours']:.2f}", f"{ratio:.2f}")
    table.add_row(f"default fit, {_PATIENTS:,} patients, nested validation included", f"{whole:.1f}", "")
    console.print(table)
    return {"rows": _ROWS, "seconds": seconds, "ratio": ratio, "default_fit_seconds": whole}


def _final_fit() -> tuple[float, dict[str, float]]:
    made = simulate(_ROWS, 3)
    made.table["madrs_day_28"] = made.complete["madrs_day_28"]  # every row counts
    patients = Patients.from_cohort(make_cohort(cohort_file(), made.table))
    choice = Choice("xgboost", {"xgboost": _PARAMS}, Recalibration(), ConformalBounds(1.0, 0.0))
    ours, bare = [], []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        train = training_sets(patients)["response"]
        model = fit_outcome(train, choice, 0)
        ours.append(time.perf_counter() - start)
        if not isinstance(model.score, TreeScore):
            raise TypeError("the fixed candidate has no trees")
        bare.append(_bare(model.score.booster, train.inputs, train.y))
    seconds = {"ours": min(ours), "bare": min(bare)}
    return seconds["ours"] / seconds["bare"], seconds


def _bare(booster: xgb.Booster, inputs: Inputs, y: np.ndarray[Any, Any]) -> float:
    """Train the very same trees on the encoded matrix."""
    settings = {
        "objective": "binary:logistic",
        "base_score": float(y.mean()),
        "eta": 0.04,
        "subsample": 0.7,
        "max_depth": _PARAMS["max_depth"],
        "min_child_weight": _PARAMS["min_child_weight"],
        "colsample_bytree": _PARAMS["columns"],
        "reg_lambda": _PARAMS["reg_lambda"],
        "tree_method": "hist",
        "seed": 0,
    }
    matrix = np.ascontiguousarray(inputs.trees)
    start = time.perf_counter()
    again = xgb.train(settings, xgb.QuantileDMatrix(matrix, y), num_boost_round=int(_PARAMS["rounds"]))
    taken = time.perf_counter() - start
    if not np.array_equal(again.inplace_predict(matrix[:1000]), booster.inplace_predict(matrix[:1000])):
        raise AssertionError("the two did not grow the same trees")
    return taken

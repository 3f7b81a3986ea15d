"""Batch predictions beside the bare booster, candidate fixed to xgboost."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.simulated import cohort, cohort_file
from features.encoding import encode_frame
from features.schema import check_table
from features.simulation import simulate
from features.tables import read_table
from models.care_model import CareModel
from models.inputs import Inputs
from models.response_model import OUTCOMES
from models.scores import TreeScore
from models.storage import load_model, save_model
from training.cross_validation import fit_model
from training.patients import Patients
from training.run import run_score
from training.scoring import score_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

ROWS: Final = 1_000_000
_TILE: Final = 100_000
_REPEATS: Final = 3


def run(console: Console) -> dict[str, Any]:
    """Rows a second of the bare boosters, of `score` from a table in memory, and of the whole command."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _prepare(folder)
        seconds = _in_own_process(_time_parts, folder)["seconds"]
        peaks = {
            name: _in_own_process(_score, folder, name)["peak_mb"] for name in ("probabilities", "intervals")
        }
    base = seconds["bare boosters"]
    table = Table(
        title=f"{ROWS:,} rows, both outcomes, best of {_REPEATS}; aim: at least 0.3 of the bare boosters"
    )
    for column in ("", "seconds", "rows/s", "of bare"):
        table.add_column(column, justify="right" if column else "left")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.2f}", f"{ROWS / value:,.0f}", f"{base / value:.2f}")
    console.print(table)
    console.print("peak memory of the command: " + ", ".join(f"{k} {v:,.0f} MB" for k, v in peaks.items()))
    return {
        "rows": ROWS,
        "seconds": seconds,
        "ratio": {name: base / value for name, value in seconds.items()},
        "peak_mb": peaks,
    }


def _prepare(folder: Path) -> None:
    """Write a model and a table of a million patients."""
    model = fit_model(Patients.from_cohort(cohort(2_000, 1)), 1, "xgboost").model
    save_model(CareModel({"baseline": model}), folder / "model")
    tile = simulate(_TILE, 7).table
    table = pd.concat([tile] * (ROWS // _TILE), ignore_index=True)
    table["patient_id"] = np.arange(ROWS).astype(str)
    table.to_parquet(folder / "patients.parquet", index=False)


def _time_parts(folder: Path) -> dict[str, dict[str, float]]:
    model = load_model(folder / "model").baseline
    frame = read_table(str(folder / "patients.parquet"))
    inputs = Inputs(model.encoder, encode_frame(cohort_file(), check_table(cohort_file(), frame, "score")))
    boosters = [s.booster for name in OUTCOMES if isinstance(s := model.outcomes[name].score, TreeScore)]
    matrix = inputs.trees

    def bare() -> None:
        for booster in boosters:
            booster.inplace_predict(matrix)

    def score(*, probabilities_only: bool) -> None:
        checked = check_table(cohort_file(), frame, "score")
        score_frame(model, checked, probabilities_only=probabilities_only)

    def command() -> None:
        run_score(
            str(folder / "model"),
            str(folder / "patients.parquet"),
            None,
            folder / "out.parquet",
            probabilities_only=True,
        )

    return {
        "seconds": {
            "bare boosters": _best(bare),
            "score, probabilities only, table in memory": _best(lambda: score(probabilities_only=True)),
            "score, with intervals and verdicts": _best(lambda: score(probabilities_only=False)),
            "whole command, Parquet to Parquet": _best(command),
        }
    }


def _score(folder: Path, what: str) -> dict[str, float]:
    run_score(
        str(folder / "model"),
        str(folder / "patients.parquet"),
        None,
        folder / "out.parquet",
        probabilities_only=what == "probabilities",
    )
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _best(work: Callable[[], None]) -> float:
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _in_own_process(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Run in a fresh interpreter, so that memory and warm caches of one do not pass to the next."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)

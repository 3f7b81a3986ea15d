"""`simulate` and `fit` as a person calls them, and a `fit` that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.features.files import COHORT
from tests.models.small import make_trial
from tests.training.commands import call
from tests.training.conftest import FittedStore


def simulate(folder: Path, name: str, seed: int, *more: object) -> bytes:
    result = call("simulate", "--patients", 40, "--seed", seed, "--out", folder / name, *more)
    assert result.code == 0, result.err
    return (folder / name).read_bytes()


def test_simulate_is_decided_by_the_seed(tmp_path: Path) -> None:
    assert simulate(tmp_path, "a.csv", 1) == simulate(tmp_path, "b.csv", 1)
    assert simulate(tmp_path, "c.csv", 2) != simulate(tmp_path, "a.csv", 1)


def test_the_truth_goes_to_a_file_of_its_own(tmp_path: Path) -> None:
    simulate(tmp_path, "a.csv", 1, "--truth", tmp_path / "truth.csv")
    table, truth = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "truth.csv")
    assert truth["patient_id"].tolist() == table["patient_id"].tolist()
    columns = [c for c in truth if str(c).startswith(("response__", "remission__"))]
    assert len(columns) == len(truth.columns) - 1 == 10
    assert ((truth[columns] > 0) & (truth[columns] < 1)).all(axis=None)
    # A probability in the cohort would be the answer to what is asked.
    assert not [c for c in table if "__" in str(c)]
    simulate(tmp_path, "b.csv", 1)
    assert {p.name for p in tmp_path.iterdir()} == {"a.csv", "truth.csv", "b.csv"}


def test_csv_and_parquet_hold_the_same_patients(tmp_path: Path) -> None:
    simulate(tmp_path, "a.csv", 1)
    simulate(tmp_path, "a.parquet", 1)
    csv, parquet = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)


def test_a_second_fit_with_the_same_seed_writes_the_same_files(
    fitted_store: FittedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fitted_store
    # A store of its own: the shared one holds one fit for the tests that look at it.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    result = call(
        "fit", "--cohort", store.folder / "cohort.toml", "--data", store.folder / "cohort.csv",
        "--candidate", "ridge", "--seed", 3, "--out", tmp_path / "out",
    )  # fmt: skip
    assert result.code == 0, result.err
    for name in ("predictions.csv", "metrics.json"):
        again, first = (folder / "out" / name for folder in (tmp_path, store.folder))
        assert again.read_bytes() == first.read_bytes(), name


def start_fit(folder: Path, *more: str) -> subprocess.Popen[str]:
    arguments = ["fit", "--cohort", "cohort.toml", "--data", "cohort.csv", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'store' / 'mlflow.db'}",
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background of a shell ignores interrupts, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # one thread here
    )


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    assert process.stderr is not None
    pytest.fail(f"ended before {text!r}: {process.stderr.read()}")


def end(process: subprocess.Popen[str]) -> None:
    """Whatever is left of the command, its worker processes included."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    make_trial(160, 21).table.to_csv(tmp_path / "cohort.csv", index=False)
    (tmp_path / "cohort.toml").write_text(COHORT, encoding="utf-8")
    return tmp_path


def registered(folder: Path) -> list[str]:
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'store' / 'mlflow.db'}")
    client = MlflowClient()
    return [str(v.version) for v in client.search_model_versions("name='small'")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "when", "more"),
    [
        (signal.SIGKILL, "cross-validating: 2 of 17", ("--candidate", "xgboost")),
        # All is computed: now the run is being logged.
        (signal.SIGKILL, "cross-validating: 17 of 17", ("--candidate", "ridge")),
        (signal.SIGINT, "cross-validating: 2 of 17", ("--candidate", "xgboost")),
    ],
)
def test_a_fit_that_is_stopped_leaves_no_version_and_the_next_one_works(
    how: signal.Signals, when: str, more: tuple[str, ...], workplace: Path
) -> None:
    process = start_fit(workplace, *more)
    try:
        wait_for(process, when)
        time.sleep(0.5)
        process.send_signal(how)
        process.wait(timeout=60)
        assert process.returncode != 0
        assert process.stderr is not None
        if how != signal.SIGKILL:
            assert "Traceback" not in process.stderr.read()
    finally:
        end(process)
    # The store opens and holds nothing that a service could load.
    assert registered(workplace) == []
    again = start_fit(workplace, "--candidate", "ridge")
    try:
        out, err = again.communicate(timeout=240)
        assert again.returncode == 0, err
        assert "is @challenger" in out
    finally:
        end(again)
    assert registered(workplace) == ["1"]

"""One fit on a small cohort through the command line, for every test that looks at what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from tests.features.files import COHORT
from tests.models.small import make_trial
from tests.training.commands import call

PLANTED = {"id": "patient-of-whom-nothing-may-be-found", "age": "47.1234567", "crp": "2.718281828"}


class FittedStore(NamedTuple):
    """A tracking store after one `fit`."""

    folder: Path
    uri: str
    table: pd.DataFrame
    printed: str

    @property
    def model(self) -> str:
        return "models:/small@challenger"


@pytest.fixture(scope="session")
def fitted_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FittedStore]:
    folder = tmp_path_factory.mktemp("fitted")
    table = make_trial(240, 21).table
    table.loc[100, list(PLANTED)] = list(PLANTED.values())
    table.to_csv(folder / "cohort.csv", index=False)
    (folder / "cohort.toml").write_text(COHORT, encoding="utf-8")
    uri = f"sqlite:///{folder / 'store' / 'mlflow.db'}"
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    result = call(
        "fit", "--cohort", folder / "cohort.toml", "--data", folder / "cohort.csv", "--candidate", "ridge",
        "--seed", 3, "--out", folder / "out",
    )  # fmt: skip
    assert result.code == 0, result.err
    yield FittedStore(folder, uri, table, result.out)
    if before is None:
        del os.environ["MLFLOW_TRACKING_URI"]
    else:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def store(fitted_store: FittedStore, monkeypatch: pytest.MonkeyPatch) -> FittedStore:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fitted_store.uri)
    return fitted_store

"""One fit for all tests of a module that go through the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator

import mlflow
import pytest
from mlflow import MlflowClient

from models.keys import SIGNING_KEY, TRUSTED_KEYS, make_key
from tests.training.gates.place import FILE, Place, fit, make_table


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("gates")
    make_table(1).to_csv(folder / "own.csv", index=False)
    make_table(2).to_csv(folder / "fresh.csv", index=False)
    (folder / "cohort.toml").write_text(FILE, encoding="utf-8")
    key = make_key(folder / "keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'store' / 'mlflow.db'}")
        patch.setenv(SIGNING_KEY, str(key))
        patch.setenv(TRUSTED_KEYS, str(folder / "keys"))
        yield Place(folder, fit(folder, "own.csv"))


@pytest.fixture
def client(place: Place) -> MlflowClient:
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    return MlflowClient()

"""One empty tracking store for all commands here: making one takes longer than the diagnostics."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def _diagnostics_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('diagnostics') / 'store' / 'mlflow.db'}"


@pytest.fixture
def store_uri(_diagnostics_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", _diagnostics_store)
    return _diagnostics_store

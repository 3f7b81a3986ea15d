"""What every test shares: no telemetry, no screen, seeded randomness."""

import os

import numpy as np
import pytest


def pytest_configure() -> None:
    # In the environment and before any test module is imported: subprocesses inherit both.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["OMP_NUM_THREADS"] = (
        "1"  # small fits: threads that wait for each other cost more than they save
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)

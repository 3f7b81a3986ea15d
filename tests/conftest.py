"""What every test shares: no telemetry, no screen, seeded randomness."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from serving.records.migrating import prepare_records


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


@pytest.fixture(scope="session", autouse=True)
def recorded_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Services in the tests' own process record to a file of the session, not of the working folder."""
    folder = tmp_path_factory.mktemp("records")
    address, key = f"sqlite:///{folder / 'records.sqlite'}", folder / "records.key"
    prepare_records(address, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREATMENT_RESPONSE_RECORDS", address)
        patch.setenv("TREATMENT_RESPONSE_RECORDS_KEY", str(key))
        yield

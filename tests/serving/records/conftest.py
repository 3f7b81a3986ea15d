"""The same records in a SQLite file and on a real PostgreSQL server."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from models.storage import save_model
from serving.app import create_app
from serving.loading import Served
from serving.records.chain import Chain, read_chain
from serving.records.migrating import prepare_records
from serving.records.store import Store
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care
from tests.serving.conftest import serve_folder
from tests.serving.records import postgres


@dataclass(frozen=True)
class Records:
    """Prepared records: their address, their key, and how to be somebody who changes them behind our back."""

    address: str
    key: Path

    @property
    def chain(self) -> Chain:
        return read_chain(self.key)

    def store(self) -> Store:
        return Store(self.address, self.chain)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    if not postgres.is_installed():
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model with plans to compare."""
    folder = tmp_path_factory.mktemp("care") / "ketamine-trd"
    save_model(shipped_care(), folder)
    sign_folder(folder)
    return serve_folder(folder)


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(log_level="warning"), served)) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'records.sqlite'}"
    else:
        address = request.getfixturevalue("server").new_database()
    prepare_records(address, tmp_path / "records.key")
    return Records(address, tmp_path / "records.key")

"""A service with records of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from serving.records.migrating import prepare_records
from serving.settings import Settings


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings with records in a folder, made ready as at start."""
    base, key = f"sqlite:///{folder / 'records.sqlite'}", folder / "records.key"
    prepare_records(base, key)
    return Settings(records=base, records_key=key, rate_limit=0, **more)


@pytest.fixture(scope="module")
def service(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = settings_in(tmp_path_factory.mktemp("records"))
    with TestClient(create_app(settings, served), base_url="http://127.0.0.1:8000") as running:
        yield running

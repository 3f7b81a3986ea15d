"""A page with plans, durability and a choice, and one without plans, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from features.screening import CohortScreen
from models.storage import save_model
from serving.app import create_app
from serving.loading import Served
from serving.page.form import Form, make_form
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care, shipped_file
from tests.serving.conftest import serve_folder


def browse(served: Served, **settings: Any) -> TestClient:
    """A client that asks for pages, as browsers do."""
    app = create_app(Settings(log_level="warning", **settings), served)
    return TestClient(app, base_url="http://127.0.0.1", headers={"Accept": "text/html"})


@pytest.fixture(scope="package")
def care_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "ketamine-trd"
    save_model(shipped_care(shown=False), folder)
    sign_folder(folder)
    return folder


@pytest.fixture(scope="package")
def care(care_folder: Path) -> Served:
    return serve_folder(care_folder)


@pytest.fixture(scope="package")
def page(care: Served) -> Iterator[TestClient]:
    with browse(care) as running:
        yield running


@pytest.fixture(scope="package")
def form() -> Form:
    return make_form(shipped_file(), CohortScreen(shipped_file()))

"""A service with the shipped cohort's plans, and the ways of asking it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.storage import save_model
from serving.app import create_app
from serving.loading import Served
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care, shipped_file
from tests.serving.conftest import serve_folder

LEVELS = shipped_file().plan_levels
REFERENCE = "oral_antidepressant"
PATIENT = {"age": 46, "sex": "female", "madrs_baseline": 34, "diabetes": True}
NUMBERS = ("response", "remission", "difference", "durability")


def serve(folder: Path, *, shown: bool) -> Served:
    save_model(shipped_care(shown=shown), folder)
    sign_folder(folder)
    return serve_folder(folder)


@pytest.fixture(scope="package")
def care(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serve(tmp_path_factory.mktemp("care") / "ketamine-trd", shown=True)


@pytest.fixture(scope="package")
def client(care: Served) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(log_level="warning"), care)) as running:
        yield running


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/plans", json={"patient": PATIENT} | body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def by_plan(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {plan["plan"]: plan for plan in answer["plans"]}

"""What the demo prints of an answer of the service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from starlette.testclient import TestClient

from models.registry import locate
from models.storage import save_model
from serving.app import create_app
from serving.loading import load_served
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care
from training.demo import EXAMPLE
from training.demo_plans import print_plans


@pytest.fixture(scope="module", params=[True, False], ids=["shown", "not shown"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("demo") / "ketamine-trd"
    save_model(shipped_care(shown=request.param), folder)
    trusted = sign_folder(folder)
    served = load_served(locate(str(folder)), trusted)
    with TestClient(create_app(Settings(log_level="warning"), served)) as running:
        yield running


def printed(client: TestClient, **safety: Any) -> tuple[dict[str, Any], str]:
    answer = client.post("/v1/plans", json={"patient": EXAMPLE["patient"], "safety": safety}).json()
    out = io.StringIO()
    print_plans(answer, Console(file=out, width=160))
    return answer, out.getvalue()


def test_every_plan_stands_in_the_table_with_what_the_service_said(client: TestClient) -> None:
    answer, text = printed(client)
    for plan in answer["plans"]:
        [line] = [line for line in text.splitlines() if line.split()[:1] == [plan["plan"]]]
        assert (" * " in line) == plan["recommended"]
        if plan["response"] is None:
            assert "too few" in line
            continue
        low, high = plan["response"]["interval"]
        assert f"{100 * plan['response']['probability']:.0f} ({100 * low:.0f}-{100 * high:.0f})" in line
    assert ("So none is recommended." in text) != answer["choice"]["shown"]
    assert ("Recommended: " in text) == answer["choice"]["shown"]
    assert f"{len(answer['safety']['unanswered'])} safety questions are not answered" in text
    assert "day 0 (" in text


def test_safety_comes_first(client: TestClient) -> None:
    _, text = printed(client, pregnancy=True)
    assert text.count("not offered") == 4
    assert "Recommended" not in text
    _, text = printed(client, recent_suicide_attempt=True)
    assert text.startswith("Danger sign: no plan and no probability is given.")
    assert "iv_ketamine" not in text

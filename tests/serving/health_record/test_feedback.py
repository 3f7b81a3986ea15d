"""Feedback: stored against the prediction that its card shows, and the version that made it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from serving.settings import Settings
from tests.serving.health_record import records
from tests.serving.health_record.conftest import settings_in
from tests.serving.health_record.records import medication

VIEW = "/cds-services/response-prediction"
WHEN = "2026-11-01T10:05:31Z"
COMMENT = "Mrs Jones-4711 would rather not"


@pytest.fixture(params=[True, False], ids=["inputs kept", "inputs not kept"])
def running(request: pytest.FixtureRequest, served: Served, tmp_path: Path) -> Iterator[TestClient]:
    settings = settings_in(tmp_path, records_inputs=request.param)
    with TestClient(create_app(settings, served), base_url="http://127.0.0.1") as client:
        yield client


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "records.sqlite")) as base:
        return list(base.execute(query))


def ask(client: TestClient) -> dict[str, Any]:
    card: dict[str, Any] = client.post(VIEW, json=records.call()).json()["cards"][0]
    return card


def tell(client: TestClient, *feedback: dict[str, Any]) -> int:
    return client.post(f"{VIEW}/feedback", json={"feedback": list(feedback)}).status_code


def test_card_is_recorded_as_the_prediction_that_it_shows(
    running: TestClient, served: Served, tmp_path: Path
) -> None:
    card = ask(running)
    ((name, surface, model, version, inputs, pseudonym),) = rows(
        tmp_path, "SELECT id, surface, model, version, inputs, pseudonym FROM predictions"
    )
    assert (name, surface, model, version) == (card["uuid"], "cds", served.name, served.version)
    assert len(pseudonym) == 64
    if inputs is not None:
        # What is stored is the body from which POST /v1/predict gives this very answer.
        direct = running.post(
            "/v1/predict", content=inputs, headers={"Content-Type": "application/json"}
        ).json()
        resource = card["suggestions"][0]["actions"][0]["resource"]
        expected = round(100 * direct["response"]["probability"], 1)
        assert resource["prediction"][0]["probabilityDecimal"] == expected


def test_feedback_is_stored_against_the_prediction(running: TestClient, tmp_path: Path) -> None:
    card = ask(running)
    reason = {"code": "patient-preference", "system": "urn:treatment-response:override-reasons"}
    suggestion = card["suggestions"][0]["uuid"]
    told = [
        {
            "card": card["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": WHEN,
            "overrideReason": {"reason": reason, "userComment": COMMENT},
        },
        {
            "card": card["uuid"],
            "outcome": "accepted",
            "outcomeTimestamp": WHEN,
            "acceptedSuggestions": [{"id": suggestion}],
        },
    ]
    assert tell(running, *told) == 200
    found = rows(tmp_path, "SELECT prediction_id, kind, content FROM attachments ORDER BY line")
    assert [row[:2] for row in found] == [(card["uuid"], "feedback")] * 2
    overridden, accepted = (json.loads(row[2]) for row in found)
    assert overridden["service"] == "response-prediction"
    assert overridden["overrideReason"]["reason"]["code"] == "patient-preference"
    assert accepted["acceptedSuggestions"] == [{"id": suggestion}]
    # A clinician's own words may name the patient: kept only where inputs are.
    kept = bool(rows(tmp_path, "SELECT 1 FROM predictions WHERE inputs IS NOT NULL"))
    assert (COMMENT in found[0][2]) is kept


def test_unknown_card_is_answered_like_a_known_one_and_not_stored(
    running: TestClient, tmp_path: Path
) -> None:
    unknown = [
        {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN}
        for card in (str(uuid4()), "no id \x00", "../../etc")
    ]
    assert tell(running, *unknown) == 200
    assert rows(tmp_path, "SELECT count(*) FROM attachments") == [(0,)]


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "maybe"},
        {"card": None},
        {"outcomeTimestamp": None},
        {"outcomeTimestamp": "2026-11-01T10:05:31"},
        {"outcome": "accepted"},
        {"outcome": "accepted", "acceptedSuggestions": []},
    ],
)
def test_feedback_that_says_too_little_is_refused(running: TestClient, change: dict[str, Any]) -> None:
    whole = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": WHEN}
    feedback = {key: value for key, value in (whole | change).items() if value is not None}
    assert tell(running, feedback) == 422


def test_prediction_that_cannot_be_recorded_is_not_shown(served: Served, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with TestClient(create_app(settings, served), base_url="http://127.0.0.1") as client:
        assert client.post(VIEW, json=records.call()).status_code == 200
        with closing(sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # somebody else writes, and does not end
            drug = medication("N01AX03", status="draft")
            for path, body in ((VIEW, records.call()), ("/fhir/$predict", records.bundle(drug))):
                refused = client.post(path, json=body)
                assert refused.status_code == 503
                assert int(refused.headers["Retry-After"]) > 0
                assert refused.json()["resourceType"] == "OperationOutcome"
                assert "probability" not in refused.text


def test_without_records_feedback_is_not_taken(served: Served) -> None:
    with TestClient(create_app(Settings(records="off"), served), base_url="http://127.0.0.1") as client:
        card = client.post(VIEW, json=records.call()).json()["cards"][0]
        feedback = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": WHEN}
        refused = client.post(f"{VIEW}/feedback", json={"feedback": [feedback]})
        assert refused.status_code == 404
        assert refused.json()["resourceType"] == "OperationOutcome"

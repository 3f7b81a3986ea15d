"""What the service does with its records, on both databases; and what it does without them."""

import asyncio
import json
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, select
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import Served
from serving.logs import make_logger
from serving.records.database import open_engine, read_url
from serving.records.entries import RecordsUnavailable
from serving.records.migrating import prepare_records
from serving.records.recorder import Recorder
from serving.records.tables import attachments, predictions
from serving.records.verifying import verify_audit
from serving.settings import Settings
from tests.serving.records.conftest import Records
from tests.serving.records.entries import MADE_AT, prediction
from tests.serving.records.postgres import Server

BODY = {"patient": {"age": 46, "sex": "female", "madrs_baseline": 34}, "plan": "iv_ketamine"}
PATIENT = {"X-Patient-Pseudonym": "mrn-0815-canary"}


@contextmanager
def serving(records: Records, served: Served, **settings: Any) -> Iterator[TestClient]:
    made = Settings(records=records.address, records_key=records.key, log_level="warning", **settings)
    with TestClient(create_app(made, served)) as client:
        yield client


def rows(records: Records) -> list[dict[str, Any]]:
    engine = open_engine(read_url(records.address))
    with engine.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(select(predictions).order_by("line"))]
    engine.dispose()
    return found


def contents(records: Records) -> list[tuple[str, Any]]:
    engine = open_engine(read_url(records.address))
    with engine.connect() as connection:
        found = connection.execute(select(attachments.c.kind, attachments.c.content)).all()
    engine.dispose()
    return [(kind, json.loads(content)) for kind, content in found]


def test_what_is_answered_is_on_record(records: Records, served: Served) -> None:
    with serving(records, served) as client:
        predicted = client.post("/v1/predict", json=BODY, headers=PATIENT)
        compared = client.post("/v1/plans", json={"patient": BODY["patient"]})
        refused = client.post("/v1/predict", json={"patient": {"age": 460}, "plan": "iv_ketamine"})
        # Read while it runs: on record before it was answered, not some time later.
        stored = rows(records)
    assert (predicted.status_code, compared.status_code, refused.status_code) == (200, 200, 422)
    assert [json.loads(row["outputs"]) for row in stored] == [predicted.json(), compared.json()]
    assert [row["id"] for row in stored] == [a.json()["prediction_id"] for a in (predicted, compared)]
    assert json.loads(stored[0]["inputs"]) == BODY | {"drivers": True}
    assert json.loads(stored[1]["inputs"]) == {"patient": BODY["patient"]}
    assert [(r["kind"], r["surface"], r["caller"]) for r in stored] == [
        ("predict", "api", "anonymous"),
        ("plans", "api", "anonymous"),
    ]
    assert {r["digest"] for r in stored} == {served.digest}
    assert stored[0]["pseudonym"] == records.chain.pseudonym(PATIENT["X-Patient-Pseudonym"])
    assert stored[1]["pseudonym"] is None
    assert verify_audit(records.address, records.chain).problems == ()


def test_without_inputs_nothing_that_was_sent_is_kept(records: Records, served: Served) -> None:
    body = {
        "patient": {"age": 46, "madrs_baseline": 34.0625, "bmi": 69.96875},
        "plan": "iv_ketamine",
        "safety": {"uncontrolled_hypertension": False},
    }
    with serving(records, served, records_inputs=False) as client:
        answered = client.post("/v1/predict", json=body, headers=PATIENT).json()
        client.post("/v1/plans", json={"patient": body["patient"], "safety": body["safety"]})
    assert answered["inputs"]["unusual"]  # the answer itself repeats a value, which must not be stored
    for row in rows(records):
        assert row["inputs"] is None
        text = json.dumps([str(value) for value in row.values()])
        assert not [part for part in ("34.06", "69.96", "uncontrolled_h", "0815") if part in text]
        assert json.loads(row["outputs"])["model"]["version"] == served.version
    assert json.loads(rows(records)[0]["outputs"])["response"] == answered["response"]


def test_records_can_be_switched_off(records: Records, served: Served) -> None:
    with TestClient(create_app(Settings(records="off"), served)) as client:
        answered = client.post("/v1/predict", json=BODY)
        assert answered.status_code == 200
        outcome = {"prediction_id": answered.json()["prediction_id"], "response": True}
        assert client.post("/v1/outcomes", json=outcome).status_code == 404
        assert client.get("/readyz").status_code == 200
    assert rows(records) == []


@pytest.mark.parametrize("patient", ["", "Jane Doe", "a" * 101, "né", 'x"y', "a/b"])
def test_pseudonym_that_is_none_is_refused_and_not_repeated(
    records: Records, served: Served, patient: str
) -> None:
    with serving(records, served) as client:
        headers = {b"X-Patient-Pseudonym": patient.encode()}
        refused = client.post("/v1/predict", json=BODY, headers=headers)
    assert refused.status_code == 400
    assert "1 to 100 letters, digits" in refused.json()["detail"]
    assert not patient or patient not in refused.text
    assert rows(records) == []


def test_outcome_is_attached_to_its_prediction(records: Records, served: Served) -> None:
    with serving(records, served) as client:
        made = client.post("/v1/predict", json=BODY).json()["prediction_id"]
        whole = {
            "prediction_id": made,
            "endpoint": 9,
            "response": True,
            "remission": True,
            "weeks_to_relapse": 12.5,
            "relapsed": False,
            "observed_on": "2026-12-21",
            "plan": "iv_ketamine",
        }
        stored = client.post("/v1/outcomes", json=whole)
        assert (stored.status_code, stored.json()) == (201, {"prediction_id": made, "stored": True})
        again = client.post("/v1/outcomes", json={"prediction_id": made, "response": False})
        assert again.status_code == 201
    del whole["prediction_id"]
    assert contents(records) == [("outcome", whole), ("outcome", {"response": False})]
    assert verify_audit(records.address, records.chain).problems == ()


BAD_OUTCOMES: list[tuple[Any, str, str]] = [
    ({"response": True}, "/prediction_id", "must be the id of a prediction"),
    ({"prediction_id": "canary"}, "/prediction_id", "must be the id of a prediction"),
    ({"prediction_id": "ID", "endpoint": 61}, "/endpoint", "on the MADRS, from 0 to 60"),
    ({"prediction_id": "ID", "response": None}, "/response", "must be true or false"),
    ({"prediction_id": "ID", "response": 1}, "/response", "must be true or false"),
    ({"prediction_id": "ID", "response": True, "plan": "canary"}, "/plan", "must be one of: "),
    ({"prediction_id": "ID", "response": True, "observed_on": "soon"}, "/observed_on", "2026-12-01"),
    ({"prediction_id": "ID", "canary": 1, "response": True}, "", "holds nothing but: prediction_id"),
    ({"prediction_id": "ID", "observed_on": "2026-12-21"}, "", "must hold at least one of: endpoint"),
    ([], "", "must be a JSON object"),
]


@pytest.mark.parametrize(("body", "field", "allowed"), BAD_OUTCOMES)
def test_outcome_that_is_none_is_refused_with_what_is_allowed(
    client: TestClient, body: Any, field: str, allowed: str
) -> None:
    made = client.post("/v1/predict", json=BODY).json()["prediction_id"]
    if isinstance(body, dict) and body.get("prediction_id") == "ID":
        body = body | {"prediction_id": made}
    refused = client.post("/v1/outcomes", json=body)
    assert refused.status_code == 422
    [problem] = refused.json()["errors"]
    assert problem["field"] == field
    assert allowed in problem["detail"]
    assert "canary" not in refused.text


def test_unknown_prediction_is_told_by_nothing_but_its_absence(client: TestClient) -> None:
    for unknown in ("00000000-0000-4000-8000-000000000000", "123e4567-e89b-42d3-a456-426614174000"):
        refused = client.post("/v1/outcomes", json={"prediction_id": unknown, "response": True})
        assert refused.status_code == 404
        assert refused.json()["detail"] == "there is no prediction of that id, or its content was erased"
    assert client.post("/v1/outcomes", content=b"{", headers={"Content-Type": "application/json"}).json()[
        "detail"
    ] == ("the body is not JSON")


@contextmanager
def locked(records: Records) -> Iterator[None]:
    """Somebody else holds the records' lock."""
    if records.address.startswith("sqlite"):
        other = sqlite3.connect(records.address.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
    else:
        with psycopg.connect(records.address) as holder:
            holder.execute("LOCK TABLE audit_head IN ACCESS EXCLUSIVE MODE")
            yield
            holder.rollback()


@contextmanager
def lost(records: Records, server: Callable[[], Server]) -> Iterator[None]:
    """The file is gone, or the server."""
    if records.address.startswith("sqlite"):
        file = Path(records.address.removeprefix("sqlite:///"))
        file.rename(file.with_suffix(".away"))
        yield
        file.with_suffix(".away").rename(file)
    else:
        server().stop()
        yield
        server().start()


@contextmanager
def full(records: Records) -> Iterator[None]:
    """No file may grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = Path(records.address.removeprefix("sqlite:///") + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("trouble", ["locked", "lost", "full"])
def test_nothing_is_answered_that_is_not_recorded(
    records: Records, served: Served, trouble: str, request: pytest.FixtureRequest
) -> None:
    if trouble == "full" and not records.address.startswith("sqlite"):
        pytest.skip("the limit of this process does not reach the server's files")
    states: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "locked": lambda: locked(records),
        "lost": lambda: lost(records, lambda: request.getfixturevalue("server")),
        "full": lambda: full(records),
    }
    with serving(records, served) as client:
        before = client.post("/v1/predict", json=BODY)
        assert before.status_code == 200
        with states[trouble]():
            refused = client.post("/v1/predict", json=BODY)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert "nothing is answered that is not recorded" in refused.json()["detail"]
            assert "probability" not in refused.text
            outcome = {"prediction_id": before.json()["prediction_id"], "response": True}
            assert client.post("/v1/outcomes", json=outcome).status_code == 503
            assert client.get("/readyz").status_code == 503
            time.sleep(1.5)  # it has tried again by now, and found it no better
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        deadline = time.monotonic() + 10
        while client.get("/readyz").status_code != 200:  # it finds out by itself that they are back
            assert time.monotonic() < deadline
            time.sleep(0.05)
        after = client.post("/v1/predict", json=BODY)
        assert after.status_code == 200
    # Exactly what was answered is on record, each once: nothing lost, nothing twice.
    assert [row["id"] for row in rows(records)] == [a.json()["prediction_id"] for a in (before, after)]
    assert verify_audit(records.address, records.chain).problems == ()


def test_removed_file_is_never_silently_begun_anew(served: Served, tmp_path: Path) -> None:
    records = Records(f"sqlite:///{tmp_path / 'r.sqlite'}", tmp_path / "r.key")
    prepare_records(records.address, records.key)
    with serving(records, served) as client:
        assert client.post("/v1/predict", json=BODY).status_code == 200
        for path in tmp_path.glob("r.sqlite*"):
            path.unlink()
        # SQLite itself would go on writing to the files that nobody can find any more.
        assert [client.post("/v1/predict", json=BODY).status_code for _ in range(3)] == [503, 503, 503]
    assert not (tmp_path / "r.sqlite").exists()


def test_old_content_is_erased_by_the_service_itself(records: Records, served: Served) -> None:
    old = prediction(made_at=MADE_AT.replace(year=2020))
    store = records.store()
    store.write([old])
    with serving(records, served, records_days=365) as client:
        young = client.post("/v1/predict", json=BODY).json()["prediction_id"]
        deadline = time.monotonic() + 10
        while (found := store.find(old.prediction_id)) is None or found.inputs is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        kept = store.find(young)
    store.close()
    assert kept is not None
    assert kept.inputs is not None
    assert verify_audit(records.address, records.chain).problems == ()


def test_mistake_in_one_entry_does_not_end_the_recording(records: Records) -> None:
    # Half of a surrogate pair: text in Python and in no encoding. It stands for whatever nobody thought of.
    strange, usual = prediction(caller="\ud800"), prediction()

    async def store_both() -> None:
        recorder = Recorder(records.address, records.chain, True, 0, make_logger("error"))
        recorder.start()
        with pytest.raises(RecordsUnavailable, match="Error"):
            await recorder.store(strange)
        problems = [recorder.problem]
        await recorder.store(usual)
        assert [problem is None for problem in (*problems, recorder.problem)] == [False, True]
        await recorder.stop()
        with pytest.raises(RecordsUnavailable, match="the service starts or stops"):
            await recorder.store(usual)

    asyncio.run(store_both())
    assert [row["id"] for row in rows(records)] == [usual.prediction_id]


def test_requests_that_arrive_together_share_a_transaction(records: Records) -> None:
    made = [prediction() for _ in range(200)]
    commits: list[Connection] = []

    def note(connection: Connection) -> None:
        commits.append(connection)

    async def store_all() -> None:
        recorder = Recorder(records.address, records.chain, True, 0, make_logger("error"))
        recorder.start()
        await recorder.store(prediction())  # opens the connection
        with locked(records):  # all wait for the same lock
            waiting = [asyncio.ensure_future(recorder.store(entry)) for entry in made]
            await asyncio.sleep(0.2)
            assert not any(one.done() for one in waiting)
        event.listen(Engine, "commit", note)
        await asyncio.gather(*waiting)
        event.remove(Engine, "commit", note)
        await recorder.stop()

    asyncio.run(store_all())
    assert len(rows(records)) == 201
    assert 1 <= len(commits) <= 2  # of the first that got to write, and of all that came meanwhile
    assert verify_audit(records.address, records.chain).problems == ()

"""A newer version takes over, or is refused, in an application of this process."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.loading import load_served
from serving.runtime_folder import Published, RuntimeFolder
from serving.settings import Settings
from serving.swapping import Source
from tests.serving.versions import (
    REASONS,
    Flaw,
    Keys,
    first_care,
    other_care,
    save_version,
    second_care,
)

BODY = {"patient": {"age": 46, "sex": "female", "madrs_baseline": 34}, "plan": "iv_ketamine"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def runtime(tmp_path: Path) -> RuntimeFolder:
    (tmp_path / "runtime").mkdir()
    return RuntimeFolder(tmp_path / "runtime")


@contextmanager
def serving_first(runtime: RuntimeFolder, keys: Keys, retry_seconds: int = 0) -> Iterator[TestClient]:
    first = save_version(first_care(), runtime.path / "first", keys, "1")
    runtime.keep(first)
    source = Source(runtime, first, keys.trusted, retry_seconds)
    with TestClient(create_app(Settings(), load_served(first, keys.trusted), source)) as client:
        yield client


def wait_for(client: TestClient, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ready: dict[str, Any] = client.get("/readyz").json()
        if is_so(ready):
            return ready
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {ready}")


def test_newer_version_takes_over_with_its_own_schema(runtime: RuntimeFolder, keys: Keys) -> None:
    with serving_first(runtime, keys) as client:
        before = client.post("/v1/predict", json=BODY).json()
        assert (before["model"]["version"], client.get("/v1/schema").json()["title"]) == ("1", "Patient")
        second = save_version(second_care(), runtime.path / "second", keys, "2")
        runtime.publish(Published(second))
        wait_for(client, lambda ready: ready["version"] == "2")
        after = client.post("/v1/predict", json=BODY).json()
        assert after["model"]["version"] == "2"
        assert after["response"] != before["response"]
        assert runtime.good() == second
        other = save_version(other_care(), runtime.path / "other", keys, "3")
        runtime.publish(Published(other))
        wait_for(client, lambda ready: ready["version"] == "3")
        # Its cohort has neither this plan nor these predictors: requests are read as its own file says.
        assert client.post("/v1/predict", json=BODY).status_code == 422
        properties = client.get("/v1/schema").json()["properties"]
        assert list(properties) == [p.name for p in other_care().cohort_file.baseline_predictors]
        described = client.get("/openapi.json").json()["components"]["schemas"]["Patient"]["properties"]
        assert described == properties
        assert client.get("/v1/model").json()["digest"] == other.digest


@pytest.mark.parametrize("flaw", REASONS)
def test_bad_version_is_refused_with_its_reason_and_the_old_one_stays(
    runtime: RuntimeFolder, keys: Keys, flaw: Flaw, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving_first(runtime, keys) as client:
        bad = save_version(second_care(), runtime.path / "second", keys, "2", flaw)
        runtime.publish(Published(bad))
        ready = wait_for(client, lambda ready: ready["refused"] is not None)
        assert (ready["status"], ready["version"], ready["refused"]["version"]) == ("ready", "1", "2")
        assert REASONS[flaw] in ready["refused"]["reason"]
        assert client.post("/v1/predict", json=BODY).json()["model"]["version"] == "1"
        good = runtime.good()
        assert good is not None
        assert good.version == "1"
        # The alias is moved back: nothing is refused any more.
        runtime.publish(Published(good))
        assert wait_for(client, lambda ready: ready["refused"] is None)["version"] == "1"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [line] = [line for line in lines if line["event"] == "refused"]
    assert (line["version"], line["level"], REASONS[flaw] in line["reason"]) == ("2", "error", True)


def test_refused_version_is_taken_once_its_key_is_trusted(runtime: RuntimeFolder, tmp_path: Path) -> None:
    keys = Keys.make(tmp_path / "keys")
    with serving_first(runtime, keys, retry_seconds=1) as client:
        second = save_version(second_care(), runtime.path / "second", keys, "2", "untrusted")
        runtime.publish(Published(second))
        wait_for(client, lambda ready: ready["refused"] is not None)
        copy(keys.unknown / "validation.pub", keys.trusted / "newcomer.pub")
        assert wait_for(client, lambda ready: ready["version"] == "2")["refused"] is None


def test_served_version_that_fails_a_later_validation_is_said(runtime: RuntimeFolder, keys: Keys) -> None:
    with serving_first(runtime, keys) as client:
        failed = save_version(first_care(), runtime.path / "again", keys, "1", "failed")
        runtime.publish(Published(failed))
        ready = wait_for(client, lambda ready: ready["refused"] is not None)
        assert (ready["version"], ready["refused"]["version"]) == ("1", "1")


def test_version_whose_key_is_no_longer_trusted_stops_answering(
    runtime: RuntimeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Keys.make(tmp_path / "keys")
    public = keys.trusted / "validation.pub"
    with serving_first(runtime, keys) as client:
        assert client.post("/v1/predict", json=BODY).status_code == 200
        public.rename(tmp_path / "kept.pub")
        gone = wait_for(client, lambda ready: ready["status"] == 503)
        assert "which is not among the 0 trusted keys" in gone["detail"]
        refused = client.post("/v1/predict", json=BODY)
        assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
        assert refused.json()["detail"].endswith("may not be served: GET /readyz says why")
        assert client.get("/").status_code == 503
        assert [client.get(path).status_code for path in ("/healthz", "/metrics")] == [200, 200]
        # Another version by a key that is trusted takes over.
        copy(keys.unknown / "validation.pub", keys.trusted / "newcomer.pub")
        second = save_version(second_care(), runtime.path / "second", keys, "2", "untrusted")
        runtime.publish(Published(second))
        wait_for(client, lambda ready: ready.get("version") == "2")
        assert client.post("/v1/predict", json=BODY).json()["model"]["version"] == "2"
        # What is no key could be the one that was meant to be taken away.
        (keys.trusted / "junk.pub").write_bytes(b"\xff no key")
        junk = wait_for(client, lambda ready: ready["status"] == 503)
        assert "junk.pub is not a public key in PEM" in junk["detail"]
        (keys.trusted / "junk.pub").unlink()
        wait_for(client, lambda ready: ready["status"] == "ready")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    events = [
        (line["event"], line["version"]) for line in lines if line["event"] in ("withdrawn", "restored")
    ]
    assert events == [("withdrawn", "1"), ("restored", "2"), ("withdrawn", "2"), ("restored", "2")]


def test_worker_without_a_version_says_so_and_begins_once_it_may(
    runtime: RuntimeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.swapping._AGAIN", 0.5)
    keys = Keys.make(tmp_path / "keys")
    first = save_version(first_care(), runtime.path / "first", keys, "1", "untrusted")
    source = Source(runtime, first, keys.trusted, 0)
    with TestClient(create_app(Settings(), None, source, "its key is not trusted")) as client:
        assert client.get("/healthz").json() == {"status": "up"}
        assert client.get("/readyz").json()["detail"].endswith("may not be served: its key is not trusted")
        assert [client.get(path).status_code for path in ("/", "/metrics", "/v1/model")] == [503] * 3
        copy(keys.unknown / "validation.pub", keys.trusted / "newcomer.pub")
        wait_for(client, lambda ready: ready.get("version") == "1")
        assert client.post("/v1/predict", json=BODY).status_code == 200


def test_registry_that_cannot_be_asked_is_said(runtime: RuntimeFolder, keys: Keys) -> None:
    with serving_first(runtime, keys) as client:
        first = runtime.good()
        assert first is not None
        runtime.publish(Published(first, "the tracking store does not answer"))
        wait_for(client, lambda ready: ready["registry"] == "the tracking store does not answer")
        runtime.publish(Published(first))
        wait_for(client, lambda ready: ready["registry"] is None)


def test_files_of_versions_that_nobody_needs_are_removed(runtime: RuntimeFolder, keys: Keys) -> None:
    kept = save_version(first_care(), runtime.path / "version-1-x" / "data", keys, "1")
    save_version(second_care(), runtime.path / "version-2-y" / "data", keys, "2")
    runtime.keep(kept)
    runtime.forget_others([runtime.good(), None])
    assert sorted(entry.name for entry in runtime.path.iterdir()) == ["good.json", "version-1-x"]


def test_an_event_is_told_once(runtime: RuntimeFolder) -> None:
    assert [runtime.claim("1", "2"), runtime.claim("1", "2"), runtime.claim("12", "")] == [True, False, True]

"""Real services, several workers, killed in the middle: what was acknowledged is on record, once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from serving.records.chain import read_chain
from serving.records.store import Store
from serving.records.verifying import verify_audit
from tests.serving.conftest import Service, keys_of, serving_environment
from tests.serving.versions import CHAMPION, Keys, Registry, first_care, second_care

BODY = json.dumps({"patient": {"age": 46, "sex": "female"}, "plan": "iv_ketamine", "drivers": False}).encode()


class Load:
    """Clients that ask as fast as they are answered, and remember what was acknowledged."""

    def __init__(self, service: Service, clients: int) -> None:
        self.service = service
        self.acknowledged: list[str] = []
        self.others: list[int] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._stopping.is_set():
            try:
                status, answer = self.service.ask("/v1/predict", BODY)
            except (OSError, HTTPException, ValueError):
                time.sleep(0.02)  # the connection died with the worker
                continue
            if status == 200:
                self.acknowledged.append(answer["prediction_id"])
            else:
                self.others.append(status)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, (len(self.acknowledged), self.others[:5])
            time.sleep(0.02)


def stored_ids(folder: Path) -> list[str]:
    store = Store(
        f"sqlite:///{folder / '.records/records.sqlite'}", read_chain(folder / ".records/records.key")
    )
    found = [stored.prediction_id for stored in store.newest(1_000_000)]
    store.close()
    return found


def workers_of(service: Service) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(service.process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    ]


def test_what_was_acknowledged_outlives_kill_9(
    start: Callable[..., Service], folder: Path, tmp_path: Path
) -> None:
    arguments = ("--model", str(folder), "--workers", "2")
    environment = {"TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys_of(folder))}
    service = start(*arguments, **environment)
    load = Load(service, 6)
    load.wait_for(60)
    workers_of(service)[0].kill()
    load.wait_for(160)
    workers = workers_of(service)
    os.kill(service.process.pid, signal.SIGKILL)
    for worker in workers:
        worker.kill()
    load.stop()
    service.process.wait()
    assert load.others == []

    again = start(*arguments, **environment)
    status, answer = again.ask("/v1/predict", BODY)
    assert status == 200
    assert again.stop() == 0
    stored = stored_ids(tmp_path)
    assert len(stored) == len(set(stored))
    assert set(load.acknowledged) | {answer["prediction_id"]} <= set(stored)
    # A few more may be there: recorded, and killed before they could be answered.
    assert len(stored) - len(load.acknowledged) <= 1 + 6 * 2
    records = f"sqlite:///{tmp_path / '.records/records.sqlite'}"
    found = verify_audit(records, read_chain(tmp_path / ".records/records.key"))
    assert (found.lines, found.problems) == (len(stored), ())


def test_records_that_cannot_be_opened_are_said_at_start(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    environment = serving_environment(
        TREATMENT_RESPONSE_TRUSTED_KEYS=str(keys_of(folder)),
        TREATMENT_RESPONSE_RECORDS="sqlite:///file/records.sqlite",
    )
    command = [sys.executable, "-m", "serving", "run", "--port", "0", "--model", str(folder)]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "error: the records" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", [["replay", "x"], ["verify-audit"], ["erase", "--patient", "p"]])
def test_command_without_records_is_a_message(command: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "serving", *command],
        env=serving_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "error: the records' key .records/records.key cannot be read" in ended.stderr
    assert list(tmp_path.iterdir()) == []  # looking for records makes none


def test_predictions_on_both_sides_of_a_swap_are_replayed_from_the_registry(
    start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path / "registry", Keys.make(tmp_path / "keys"))
    registry.folder.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.uri)
    for model in (first_care(), second_care()):
        registry.add(model)
    registry.move("1")
    service = start("--model", CHAMPION, **registry.environment())
    load = Load(service, 2)
    load.wait_for(500)
    registry.move("2")
    deadline = time.monotonic() + 30
    while service.ask("/readyz")[1]["version"] != "2":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    load.wait_for(len(load.acknowledged) + 500)
    load.stop()
    assert service.stop() == 0
    assert load.others == []
    assert sorted(stored_ids(tmp_path)) == sorted(load.acknowledged)
    replayed = subprocess.run(
        [sys.executable, "-m", "serving", "replay", "--newest", "1000000"],
        env=serving_environment(**registry.environment()),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stderr
    count = len(load.acknowledged)
    assert count >= 1000
    expected = f"{count} of {count} predictions, over 2 versions, agree to the last digit\n"
    assert replayed.stdout == expected

"""The service as an operator starts it: a process of its own, on loopback."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace

from models.storage import load_model, save_model
from tests.models.records import sign_folder
from tests.models.small_care import unsure
from tests.serving.conftest import Service, keys_of, serving_environment

Start = Callable[..., Service]
SECRETS = ["Jones-4711", "61.23456", "unknown_Jones"]


def run_to_its_end(cwd: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "serving", "run", "--port", "0", *arguments],
        cwd=cwd,
        env=serving_environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.returncode, run.stderr


def test_no_collector_of_traces_hears_of_a_request(
    client: TestClient, request_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Listening(trace.TracerProvider):
        def get_tracer(self, instrumenting_module_name: str, *_: Any, **__: Any) -> trace.Tracer:
            asked.append(instrumenting_module_name)
            return trace.NoOpTracer()

    provider = Listening()
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    assert client.post("/v1/predict", json=request_body).status_code == 200
    assert asked == []
    TestClient(FastAPI()).get("/")
    assert asked == ["fastapi"]  # which any other application would tell of every request


def test_service_answers_until_it_is_told_to_stop_and_logs_no_patient_value(
    start: Start, folder: Path, request_body: dict[str, Any]
) -> None:
    service = start("--model", str(folder), TREATMENT_RESPONSE_TRUSTED_KEYS=str(keys_of(folder)))
    status, answer = service.ask("/v1/predict", json.dumps(request_body).encode())
    assert (status, answer["plan"]) == (200, "iv_ketamine")
    bad: list[bytes] = [
        json.dumps({"patient": {"age": SECRETS[1], SECRETS[2]: 1}, "plan": SECRETS[0]}).encode(),
        f'{{"patient": {{"age": {SECRETS[1]}'.encode(),
        SECRETS[0].encode() + b"\xff",
    ]
    assert [service.ask("/v1/predict?name=" + SECRETS[0], body)[0] for body in bad] == [422, 400, 400]
    assert service.ask("/v1/patients/" + SECRETS[0])[0] == 404
    assert service.ask("/v1/predict", b" " * 5_000_000)[0] == 413
    # Open requests were finished; the signal is passed on, as process managers expect.
    assert service.stop() in (0, -signal.SIGTERM)
    log = service.log.read_text(encoding="utf-8")
    assert [secret for secret in SECRETS if secret in log] == []
    assert "Finished server process" in log
    lines = [json.loads(line) for line in log.splitlines()]
    asked = [(line["method"], line["route"], line["status"]) for line in lines if line["event"] == "request"]
    assert asked[-6:] == [
        ("POST", "/v1/predict", 200),
        ("POST", "/v1/predict", 422),
        ("POST", "/v1/predict", 400),
        ("POST", "/v1/predict", 400),
        ("GET", "unknown", 404),
        ("POST", "unknown", 413),  # refused before anyone asked where it was going
    ]


def test_workers_give_the_same_answer_within_their_memory(
    start: Start, folder: Path, request_body: dict[str, Any]
) -> None:
    keys = str(keys_of(folder))
    service = start("--model", str(folder), "--workers", "2", TREATMENT_RESPONSE_TRUSTED_KEYS=keys)
    body = json.dumps(request_body).encode()
    answers = [service.ask("/v1/predict", body)[1] | {"prediction_id": ""} for _ in range(20)]
    assert all(answer == answers[0] for answer in answers)
    workers = [
        p for p in psutil.Process(service.process.pid).children() if "spawn_main" in " ".join(p.cmdline())
    ]
    assert len(workers) == 2
    assert all(worker.memory_info().rss < 300e6 for worker in workers)
    assert service.stop() == 0


def test_model_whose_answers_are_not_numbers_is_never_served(folder: Path, tmp_path: Path) -> None:
    # Record, digest and every number in the files are good: only asking it tells.
    save_model(unsure(load_model(folder)), tmp_path / "unsure")
    keys = str(sign_folder(tmp_path / "unsure"))
    code, said = run_to_its_end(
        tmp_path, "--model", str(tmp_path / "unsure"), TREATMENT_RESPONSE_TRUSTED_KEYS=keys
    )
    assert (code, said.count("\n")) == (2, 1)
    assert "version local of unsure gives answers that are not numbers (baseline); fit it again" in said


def test_taken_port_is_said_plainly(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = run_to_its_end(tmp_path, "--model", str(folder), "--port", str(port))
    assert (code, said.count("\n")) == (2, 1)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in said


@pytest.mark.parametrize("damage", ["changed", "missing", "cut", "no manifest"])
def test_damaged_model_is_never_served(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    arrays = copy / "arrays.npz"
    match damage:
        case "changed":
            content = bytearray(arrays.read_bytes())
            content[len(content) // 2] ^= 1
            arrays.write_bytes(content)
            expected = "was changed after it was saved: arrays.npz"
        case "missing":
            arrays.unlink()
            expected = "is not whole: arrays.npz is missing"
        case "cut":
            (copy / "manifest.json").write_text("{", encoding="utf-8")
            expected = "the validation record of the model copy is for other files"
        case _:
            (copy / "manifest.json").unlink()
            expected = "holds no model: manifest.json is missing"
    keys = str(keys_of(folder))
    code, said = run_to_its_end(tmp_path, "--model", str(copy), TREATMENT_RESPONSE_TRUSTED_KEYS=keys)
    assert code == 2
    assert said.startswith("error: ")
    assert expected in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("model", "store", "expected"),
    [
        ("nowhere", "", "nowhere holds no model: manifest.json is missing"),
        ("models:/ketamine-trd@champion", "", "the registry holds no models:/ketamine-trd@champion"),
        ("models:/ketamine-trd", "", "write models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/ketamine-trd@champion", "http://127.0.0.1:9", "the tracking store does not answer"),
    ],
    ids=["missing folder", "no such alias", "no address", "unreachable registry"],
)
def test_model_that_cannot_be_found_is_said_plainly(
    tmp_path: Path, model: str, store: str, expected: str
) -> None:
    environment = {"MLFLOW_TRACKING_URI": store} if store else {}
    code, said = run_to_its_end(tmp_path, "--model", model, **environment)
    assert code == 2
    assert f"error: {expected}" in said or expected in said.splitlines()[-1]
    assert "Traceback" not in said


def test_unsafe_host_is_refused_at_start(tmp_path: Path) -> None:
    code, said = run_to_its_end(tmp_path, "--host", "0.0.0.0")
    assert code == 2
    assert "host must be a loopback address" in said

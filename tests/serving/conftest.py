"""A small fitted model, and the service around it: in this process, and as a real one on loopback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.cohort import Cohort, make_cohort
from features.cohort_file import CohortFile, parse_cohort_file
from features.simulation import simulate
from models.care_model import CareModel
from models.registry import locate
from models.response_model import ResponseModel
from models.storage import save_model
from serving.app import create_app
from serving.loading import Served, load_served
from serving.settings import Settings
from tests.models.records import sign_folder
from training.cross_validation import fit_model
from training.patients import Patients
from training.stopping import measure_stopping


def fit_and_save(cohort: Cohort, folder: Path) -> Path:
    # One thread: on a busy machine, threads that wait for each other make this small fit take minutes.
    with threadpool_limits(1):
        landmarks = {name: fit_at(cohort, name) for name in cohort.file.landmarks}
    save_model(CareModel(landmarks, stopping=measure_stopping(cohort, None)), folder)
    sign_folder(folder)
    return folder


def keys_of(folder: Path) -> Path:
    """The keys that vouch for a folder of `fit_and_save`."""
    return folder.parent / f"{folder.name}-keys"


def serve_folder(folder: Path) -> Served:
    return load_served(locate(str(folder)), keys_of(folder))


def fit_at(cohort: Cohort, landmark: str) -> ResponseModel:
    known = cohort if landmark == "baseline" else cohort.at(landmark)
    return fit_model(Patients.from_cohort(known), 5, only="ridge").model


@pytest.fixture(scope="session")
def shipped() -> CohortFile:
    text = files("features").joinpath("cohorts/ketamine_trd.toml").read_text(encoding="utf-8")
    return parse_cohort_file(text, "ketamine_trd.toml")


@pytest.fixture(scope="session")
def folder(shipped: CohortFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = make_cohort(shipped, simulate(400, 5).table)
    return fit_and_save(cohort, tmp_path_factory.mktemp("models") / "ketamine-trd")


@pytest.fixture(scope="session")
def planless(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model of two predictors and no plans; one predictor has no range, and a name that needs escapes."""
    text = """
name = "planless"
title = "Without plans"
provenance = "observational"
[outcome]
scale = "MADRS"
baseline = "madrs_baseline"
endpoint = "madrs_day_28"
[predictors.madrs_baseline]
kind = "number"
valid = [0, 60]
[predictors.crp]
kind = "number"
[predictors."copy/json~1"]
kind = "binary"
"""
    cohort_file = parse_cohort_file(text, "planless.toml")
    table = simulate(200, 3).table.rename(columns={"ptsd": "copy/json~1"})
    cohort = make_cohort(
        cohort_file, table[["madrs_baseline", "madrs_day_28", "crp", "copy/json~1"]].astype(str)
    )
    return serve_folder(fit_and_save(cohort, tmp_path_factory.mktemp("models") / "planless"))


@pytest.fixture(scope="session")
def served(folder: Path) -> Served:
    return serve_folder(folder)


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(), served)) as running:
        yield running


@pytest.fixture
def request_body() -> dict[str, Any]:
    return {"patient": {"age": 46, "sex": "female", "madrs_baseline": 34}, "plan": "iv_ketamine"}


@dataclass
class Service:
    """A running service.

    Parameters
    ----------
    url : str
    log : Path
        What it writes on stderr.
    process : subprocess.Popen
    """

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def stop(self) -> int:
        """Ask it to stop, as a process manager does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def serving_environment(**more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TREATMENT_RESPONSE_", "MLFLOW_"))}
    return inherited | {"MLFLOW_DISABLE_TELEMETRY": "true"} | more


def port_in(log: Path) -> int | None:
    for line in log.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry["event"] == "serving":
                return int(entry["port"])
    return None


def launch(log: Path, *arguments: str, cwd: Path, **environment: str) -> Service:
    """Start a service on a free port and wait until it is ready; `end` it."""
    command = [sys.executable, "-m", "serving", "run", "--port", "0", *arguments]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, cwd=cwd, env=serving_environment(**environment))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if port := port_in(log):
            service = Service(f"http://127.0.0.1:{port}", log, process)
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                if service.ask("/readyz")[0] == 200:
                    return service
        time.sleep(0.05)
    end(process)
    raise AssertionError(f"did not become ready: {log.read_text(encoding='utf-8')}")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a service, if it has not ended yet."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)  # not SIGKILL at once: it would orphan workers
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services on free ports; whatever still runs at the end of the test is ended."""
    services: list[Service] = []

    def starter(*arguments: str, cwd: Path | None = None, **environment: str) -> Service:
        log = tmp_path / f"service-{len(services)}.log"
        services.append(launch(log, *arguments, cwd=cwd or tmp_path, **environment))
        return services[-1]

    yield starter
    for service in services:
        end(service.process)

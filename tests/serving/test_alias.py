"""The champion moves while a real service runs on a real registry."""

import contextlib
import http.client
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from features.encoding import encode_patient
from models.registry import connect
from serving.loading import load_served
from tests.serving.conftest import Service
from tests.serving.test_service import run_to_its_end
from tests.serving.versions import (
    CHAMPION,
    NAME,
    REASONS,
    Flaw,
    Keys,
    Registry,
    first_care,
    other_care,
    save_version,
    second_care,
    write_beside,
)

pytestmark = pytest.mark.slow

Start = Callable[..., Service]
BODY = json.dumps(
    {"patient": {"age": 46, "sex": "female", "madrs_baseline": 34}, "plan": "iv_ketamine", "drivers": False}
).encode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Versions 1 and 2 are good, 3 is good and of another cohort; then one of each flaw; the last is good."""
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder, Keys.make(folder / "keys"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", registry.uri)
        for model in (first_care(), second_care(), other_care()):
            registry.add(model)
        for flaw in REASONS:
            registry.add(second_care(), flaw)
        registry.add(second_care())
    return registry


@pytest.fixture
def registry(filled: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The same, with version 1 as champion; a service started on it asks every second."""
    for name, value in filled.environment().items():
        monkeypatch.setenv(name, value)
    filled.move("1")
    return filled


def version_of(flaw: Flaw) -> str:
    return str(4 + list(REASONS).index(flaw))


def wait_for(service: Service, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    ready: dict[str, Any] = {}
    while time.monotonic() < deadline:
        # A worker that is killed takes the connections with it that it has accepted.
        with contextlib.suppress(OSError, http.client.HTTPException):
            ready = service.ask("/readyz")[1]
            if is_so(ready):
                return ready
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {ready}; {service.log.read_text(encoding='utf-8')}")


def lines(service: Service, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in service.log.read_text(encoding="utf-8").splitlines()]
    return [line for line in found if line["event"] == event]


def children(service: Service, kind: str) -> list[psutil.Process]:
    """Workers, or the watcher, which is started first."""
    found = psutil.Process(service.process.pid).children()
    started = [p for p in found if "spawn_main" in " ".join(p.cmdline())]
    started.sort(key=lambda p: p.create_time())
    return started[:1] if kind == "watcher" else started[1:]


def runtime_folder(service: Service, temporary: Path) -> Path:
    [found] = temporary.glob("treatment-response-*")
    return found


@pytest.mark.parametrize("flaw", ["missing", "forged"])
def test_service_does_not_start_on_a_bad_folder(tmp_path: Path, flaw: Flaw) -> None:
    keys = Keys.make(tmp_path / "keys")
    located = save_version(first_care(), tmp_path / "model", keys, "local", flaw)
    write_beside(located.folder, located.record)
    environment = {"TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys.trusted)}
    code, said = run_to_its_end(tmp_path, "--model", str(located.folder), **environment)
    assert code == 2
    assert (said.startswith("error: "), said.count("\n")) == (True, 1)
    assert REASONS[flaw] in said


def test_service_does_not_start_on_a_bad_champion(registry: Registry, tmp_path: Path) -> None:
    registry.move(version_of("failed"))
    code, said = run_to_its_end(tmp_path, "--model", CHAMPION, **registry.environment())
    assert (code, said.count("\n")) == (2, 1)
    assert REASONS["failed"] in said
    # Without the keys nothing can be believed.
    code, said = run_to_its_end(tmp_path, "--model", f"models:/{NAME}/1", MLFLOW_TRACKING_URI=registry.uri)
    assert (code, "which is not among the 0 trusted keys in .mlflow/keys" in said) == (2, True)


def test_bad_champions_are_refused_and_good_ones_served(registry: Registry, start: Start) -> None:
    service = start("--model", CHAMPION, **registry.environment())
    before = service.ask("/v1/predict", BODY)[1]["response"]
    for flaw, reason in REASONS.items():
        registry.move(version_of(flaw))
        ready = wait_for(service, lambda ready: (ready["refused"] or {}).get("version") == version_of(flaw))  # noqa: B023
        assert reason in ready["refused"]["reason"]
        answer = service.ask("/v1/predict", BODY)[1]
        assert (answer["model"]["version"], answer["response"]) == ("1", before)
    connect().delete_registered_model_alias(NAME, "champion")
    gone = wait_for(service, lambda ready: ready["registry"] is not None)
    assert (gone["version"], CHAMPION in gone["registry"]) == ("1", True)
    registry.move("2")
    ready = wait_for(service, lambda ready: ready["version"] == "2")
    assert (ready["refused"], ready["registry"]) == (None, None)
    assert service.ask("/v1/predict", BODY)[1]["model"]["version"] == "2"
    registry.move("3")
    wait_for(service, lambda ready: ready["version"] == "3")
    assert service.ask("/v1/predict", BODY)[0] == 422  # its cohort file has no such plan
    assert [line["version"] for line in lines(service, "refused")] == [version_of(flaw) for flaw in REASONS]
    assert [line["version"] for line in lines(service, "swapped")] == ["2", "3"]
    assert len(lines(service, "registry")) == 2
    assert service.stop() == 0


def ask_until(done: Event, service: Service, found: list[tuple[int, str, Any]]) -> None:
    """Ask one request after another over one connection, as a client with keep-alive does."""
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    while not done.is_set():
        connection.request("POST", "/v1/predict", BODY, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        found.append((response.status, answer["model"]["version"], answer["response"]))
    connection.close()


@pytest.fixture
def expected(registry: Registry, tmp_path: Path) -> dict[str, Any]:
    """What each version answers, from its own files and no service."""
    answers = {}
    for version, model in (("1", first_care()), ("2", second_care())):
        located = save_version(model, tmp_path / f"expected-{version}", registry.keys, version)
        scorer = load_served(located, registry.keys.trusted).scorer
        patient = json.loads(BODY)
        row = encode_patient(scorer.cohort_file, patient["patient"], patient["plan"])
        answers[version] = scorer.answer(row, drivers=False).response.probability
    return answers


def test_no_request_fails_or_mixes_versions_while_workers_swap(
    registry: Registry, start: Start, expected: dict[str, Any]
) -> None:
    service = start("--model", CHAMPION, "--workers", "2", **registry.environment())
    done, found = Event(), list[tuple[int, str, Any]]()
    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask_until, done, service, found) for _ in range(6)]
        for i, version in zip(range(4), cycle("21"), strict=False):
            registry.move(version)
            deadline = time.monotonic() + 60
            while len(lines(service, "swapped")) < 2 * (i + 1) and time.monotonic() < deadline:
                time.sleep(0.1)
        done.set()
        for one in asking:
            one.result()
    swaps = [line["version"] for line in lines(service, "swapped")]
    assert swaps == ["2", "2", "1", "1"] * 2
    assert {status for status, _, _ in found} == {200}
    assert {version for _, version, _ in found} == {"1", "2"}
    for version, probability in expected.items():
        # Each answer is that of the version it names, to the last digit, on either worker.
        assert {answer["probability"] for _, named, answer in found if named == version} == {probability}
    assert service.stop() == 0


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_workers_and_watcher_come_back_with_the_last_good_version_and_never_outlive_the_service(
    registry: Registry, start: Start, temporary: Path
) -> None:
    service = start("--model", CHAMPION, "--workers", "2", TMPDIR=str(temporary), **registry.environment())
    good = str(4 + len(REASONS))
    registry.move(good)
    wait_for(service, lambda _: len(lines(service, "swapped")) == 2)
    shutil.rmtree(registry.artefacts[good])  # the service has a copy of its own
    registry.move(version_of("forged"))
    wait_for(service, lambda ready: ready["refused"] is not None)
    workers, [watcher] = children(service, "worker"), children(service, "watcher")
    for process in (*workers, watcher):
        process.kill()
    back = wait_for(service, lambda ready: ready["refused"] is not None)
    assert (back["version"], back["refused"]["version"]) == (good, version_of("forged"))
    wait_for(service, lambda _: len(lines(service, "watcher")) == 1)  # it is started anew
    registry.move("1")
    wait_for(service, lambda ready: ready["version"] == "1")
    assert len(lines(service, "refused")) == 1
    family = psutil.Process(service.process.pid).children(recursive=True)
    assert runtime_folder(service, temporary).stat().st_mode & 0o077 == 0
    service.process.kill()
    service.process.wait()
    _, left = psutil.wait_procs(family, timeout=30)
    assert left == []
    assert list(temporary.glob("treatment-response-*")) == []


def test_workers_stop_answering_when_the_key_is_taken_away_and_do_not_die_of_it(
    registry: Registry, start: Start, tmp_path: Path
) -> None:
    trusted = shutil.copytree(registry.keys.trusted, tmp_path / "trusted")
    environment = registry.environment(TREATMENT_RESPONSE_TRUSTED_KEYS=str(trusted))
    service = start("--model", CHAMPION, "--workers", "2", **environment)
    (trusted / "validation.pub").rename(tmp_path / "kept.pub")
    gone = wait_for(service, lambda _: len(lines(service, "withdrawn")) == 2)
    workers = children(service, "worker")
    workers[0].kill()
    # It comes back, says the same and stays.
    wait_for(service, lambda _: len(lines(service, "withdrawn")) == 3)
    time.sleep(3)
    new = {worker.pid for worker in children(service, "worker")}
    assert (len(new), workers[1].pid in new) == (2, True)
    for _ in range(10):
        status, answer = service.ask("/v1/predict", BODY)
        assert (status, "GET /readyz says why" in answer["detail"]) == (503, True)
        status, gone = service.ask("/readyz")
        assert (status, "is signed by the key" in gone["detail"]) == (503, True)
    assert {worker.pid for worker in children(service, "worker")} == new
    assert "Traceback" not in service.log.read_text(encoding="utf-8")
    (tmp_path / "kept.pub").rename(trusted / "validation.pub")
    wait_for(service, lambda _: len(lines(service, "restored")) == 2)
    assert {service.ask("/v1/predict", BODY)[0] for _ in range(10)} == {200}
    assert service.stop() == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(
    registry: Registry, start: Start, temporary: Path, ending: signal.Signals
) -> None:
    service = start("--model", CHAMPION, TMPDIR=str(temporary), **registry.environment())
    family = psutil.Process(service.process.pid).children(recursive=True)
    assert len(family) >= 1
    runtime_folder(service, temporary)
    service.process.send_signal(ending)
    with contextlib.suppress(subprocess.TimeoutExpired):
        service.process.wait(timeout=30)
    _, left = psutil.wait_procs(family, timeout=30)
    assert left == []
    assert list(temporary.glob("treatment-response-*")) == []
    if ending == signal.SIGTERM:
        assert service.process.returncode == 0

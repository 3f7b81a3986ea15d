"""Keys, records and a moving champion at once, under load and `kill -9`; `make bench` does it longer."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest

from benchmarks.load import Answers, Load, Questions, check_load, make_questions
from benchmarks.moving import Champion
from benchmarks.recorded import compare
from benchmarks.servers import guarded
from benchmarks.workers import busiest_of, workers_of
from serving.records.chain import read_chain
from serving.records.verifying import verify_audit
from tests.serving.conftest import Service
from tests.serving.versions import CHAMPION, Keys, Registry, first_care, second_care

pytestmark = pytest.mark.slow

Start = Callable[..., Service]
CONNECTIONS: Final = 8
GOOD: Final = ("1", "2")
BROKEN: Final = "3"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder, Keys.make(folder / "keys"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", registry.uri)
        assert (registry.add(first_care()), registry.add(second_care())) == GOOD
        assert registry.add(second_care(), "edited file") == BROKEN
    return registry


@pytest.fixture
def registry(filled: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", filled.uri)
    filled.move("1")
    return filled


@pytest.fixture(scope="module")
def questions() -> Questions:
    return make_questions({"1": first_care(), "2": second_care()}, 40, 3)


def port_of(service: Service) -> int:
    return urlsplit(service.url).port or 0


def wait_for(load: Load, more: int) -> None:
    enough, deadline = len(load.answers) + more, time.monotonic() + 60
    while len(load.answers) < enough:
        assert time.monotonic() < deadline, (len(load.answers), load.refused, load.examples)
        time.sleep(0.01)


def test_nothing_fails_while_the_champion_moves_and_nothing_acknowledged_is_lost_by_kill_9(
    registry: Registry, questions: Questions, start: Start, tmp_path: Path
) -> None:
    settings, key = guarded(tmp_path, ["clinician", "ci"])
    records = tmp_path / "records.sqlite"
    arguments = ("--model", CHAMPION, "--workers", "2")
    environment = registry.environment(TMPDIR=str(tmp_path), **settings)
    service = start(*arguments, **environment)
    port = port_of(service)
    with Load(port, key, questions, CONNECTIONS) as moving:
        champion = Champion(registry, moving, port, key)
        champion.move("2")
        champion.move_to_broken(BROKEN, last_good="2")
        wait_for(moving, 50)
        assert moving.is_all_of("2")
        champion.move("1")
    check_load("champion moved", moving)
    assert set(moving.by_version) == set(GOOD)
    # Whoever asked was answered, so that on record is what was answered and nothing else.
    assert compare(records, moving.answers, questions).problems(0) == 0

    with Load(port, key, questions, CONNECTIONS) as killed:
        wait_for(killed, 100)
        worker, clients = busiest_of(service.process.pid, port)
        assert clients
        worker.kill()
        wait_for(killed, 100)
        cut_off = set(killed.unanswered)
        family = psutil.Process(service.process.pid).children(recursive=True)
        assert workers_of(service.process.pid, port)
        for process in (psutil.Process(service.process.pid), *family):
            with suppress(psutil.NoSuchProcess):  # the first that was killed has been waited for
                process.kill()
        service.process.wait()
    assert cut_off <= clients  # those of the other worker went on
    check_load("killed", killed, set(killed.unanswered), may_be_away=True)

    again = start(*arguments, **environment)
    with Load(port_of(again), key, questions, CONNECTIONS) as after:
        wait_for(after, 50)
    check_load("started anew", after)
    assert again.stop() == 0
    answers: Answers = moving.answers | killed.answers | after.answers
    found = compare(records, answers, questions)
    assert found.problems(unanswered=len(killed.unanswered)) == 0, found
    audit = verify_audit(f"sqlite:///{records}", read_chain(tmp_path / "records.key"))
    assert (audit.lines, audit.problems) == (found.stored, ())


def test_what_such_a_load_claims_can_fail(
    registry: Registry, questions: Questions, start: Start, tmp_path: Path
) -> None:
    settings, key = guarded(tmp_path, ["clinician"])
    service = start("--model", "models:/ketamine-trd/1", **registry.environment(**settings))
    first, second = (questions.expected[version] for version in GOOD)
    crossed = replace(questions, expected={"1": second, "2": first})
    with Load(port_of(service), key, crossed, 2) as load:
        wait_for(load, 10)
    assert load.wrong == len(load.answers)
    with pytest.raises(AssertionError, match=f"{load.wrong} wrong"):
        check_load("crossed", load)
    with Load(port_of(service), "trk_unknown", questions, 1) as refused:
        while not refused.refused:
            time.sleep(0.01)
    with pytest.raises(AssertionError, match=r"0 answered, 0 wrong, refused \{401: "):
        check_load("refused", refused)
    records = tmp_path / "records.sqlite"
    told, count = load.answers, len(load.answers)
    assert compare(records, told, questions).problems(0) == 0
    assert compare(records, told, crossed).different == count
    assert compare(records, told | {"never-recorded": ("1", 0)}, questions).lost == 1
    unknown = compare(records, {}, questions)
    assert (unknown.unacknowledged, unknown.problems(count), unknown.problems(count - 1)) == (count, 0, 1)

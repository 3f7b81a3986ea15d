"""How often a caller may ask, alone and across processes."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.buckets import Buckets
from serving.access.key_file import KeyFile
from tests.serving.access.conftest import Serve, bearer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_burst_is_allowed_and_then_one_at_a_time(clock: Clock) -> None:
    buckets = Buckets(None, clock)
    assert [buckets.take("a", 60, 3) for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("b", 60, 3) == 0  # another caller's allowance is its own
    clock.now += 1
    assert [buckets.take("a", 60, 3) for _ in range(2)] == [0, 1]
    clock.now += 60
    assert [buckets.take("a", 60, 3) for _ in range(4)] == [0, 0, 0, 1]


def test_refusal_says_how_long_to_wait_and_then_it_is_so(clock: Clock) -> None:
    buckets = Buckets(None, clock)
    assert [buckets.take("a", 2, 1) for _ in range(2)] == [0, 30]
    clock.now += 29
    assert buckets.take("a", 2, 1) == 1
    clock.now += 1
    assert buckets.take("a", 2, 1) == 0


@given(
    st.integers(1, 1000),
    st.integers(1, 50),
    st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=200),
)
def test_no_stretch_of_time_sees_more_than_the_burst_and_its_share(
    per_minute: int, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets, admitted = Buckets(None, clock), []
    for pause in pauses:
        clock.now += pause
        if buckets.take("a", per_minute, burst) == 0:
            admitted.append(clock.now)
    for first, begin in enumerate(admitted):
        for count, end in enumerate(admitted[first:], start=1):
            assert count <= burst + (end - begin) * per_minute / 60 + 1e-6


def test_more_callers_than_slots_never_stop_the_count(clock: Clock) -> None:
    buckets = Buckets(None, clock)
    assert {buckets.take(f"caller {i}", 60, 1) for i in range(20_000)} == {0}
    clock.now += 1
    assert [buckets.take("new", 60, 1) for _ in range(2)] == [0, 1]


def take_many(path: Path, queue: Any) -> None:
    buckets = Buckets(path)
    queue.put(sum(buckets.take("a", 0.001, 500) == 0 for _ in range(1000)))


def test_processes_share_one_allowance(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=take_many, args=(tmp_path / "counts", queue)) for _ in range(3)]
    for process in processes:
        process.start()
    admitted = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(admitted) == 500


def test_caller_beyond_its_limit_is_told_when_to_come_back(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    client = serve(api_keys=key_file.path, rate_limit=12)
    answers = [client.get("/v1/model", headers=bearer(clinician)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert client.get("/readyz").status_code == 200  # probes are not counted


def test_without_authentication_or_with_zero_nobody_is_limited(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    for client, headers in (
        (serve(rate_limit=1), {}),
        (serve(api_keys=key_file.path, rate_limit=0), bearer(clinician)),
    ):
        assert {client.get("/v1/model", headers=headers).status_code for _ in range(5)} == {200}

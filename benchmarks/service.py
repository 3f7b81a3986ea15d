"""The service under load while its champion moves and its processes are killed: nothing fails or is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from benchmarks.load import Load, Questions, check_load, claim, make_questions
from benchmarks.moving import Champion
from benchmarks.recorded import compare
from benchmarks.servers import Service, free_port, guarded, spread, started
from benchmarks.simulated import cohort
from benchmarks.workers import busiest_of, wait_for_replacement, workers_of
from models.care_model import CareModel
from tests.serving.versions import CHAMPION, Keys, Registry
from training.cross_validation import fit_model
from training.patients import Patients

if TYPE_CHECKING:
    from rich.console import Console

SECONDS: Final = 60
CONNECTIONS: Final = 32
MOVES: Final = 10
WORKERS: Final = 2
_PATIENTS: Final = 2000
_QUESTIONS: Final = 300
_BESIDE: Final = 4.0  # seconds of load on each side of a kill
_REPLAYED: Final = 1000


@dataclass(frozen=True)
class Site:
    """A service to start, and everything around it.

    Parameters
    ----------
    service : Service
    registry : Registry
    records : Path
    key : str
        API key.
    questions : Questions
    good : tuple of str
        Two versions; the first is the champion at the start.
    broken : str
        A version of whose files one byte was changed after it was signed.
    """

    service: Service
    registry: Registry
    records: Path
    key: str
    questions: Questions
    good: tuple[str, str]
    broken: str

    def load(self) -> Load:
        """Clients, to be used as a block."""
        return Load(self.service.port, self.key, self.questions, CONNECTIONS)

    def command(self, *arguments: str) -> str:
        """Run `python -m serving` beside the service, which must agree; its last line."""
        done = subprocess.run(
            [sys.executable, "-m", "serving", *arguments],
            env=os.environ | self.service.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        claim(done.returncode == 0, f"{arguments[0]}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1]


def run(console: Console) -> dict[str, Any]:
    """Load, moves and kills in turn; an error if a request fails, an answer is wrong, or a record is lost."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            measured = _run(_prepare(Path(scratch)))
        finally:
            os.environ.clear()
            os.environ.update(before)
    _print(console, measured)
    return measured


def _prepare(folder: Path) -> Site:
    registry = Registry(folder, Keys.make(folder / "validation"))
    os.environ["MLFLOW_TRACKING_URI"] = registry.uri
    models = [_fit(seed) for seed in (1, 2)]
    good = (registry.add(models[0]), registry.add(models[1]))
    broken = registry.add(models[1], "edited file")
    registry.move(good[0])
    settings, key = guarded(folder, ["clinician", "ci"])
    (folder / "temporary").mkdir()
    port = free_port()
    command = [sys.executable, "-m", "serving", "run", "--model", CHAMPION, "--port", str(port)]
    # A killed server cannot clean up behind itself: what it leaves ends with this folder.
    environment = registry.environment(TMPDIR=str(folder / "temporary")) | settings
    service = Service([*command, "--workers", str(WORKERS)], port, "/readyz", environment)
    questions = make_questions(dict(zip(good, models, strict=True)), _QUESTIONS, 11)
    return Site(service, registry, folder / "records.sqlite", key, questions, good, broken)


def _fit(seed: int) -> CareModel:
    patients = Patients.from_cohort(cohort(_PATIENTS, seed))
    return CareModel({"baseline": fit_model(patients, seed, "ridge").model})


def _run(site: Site) -> dict[str, Any]:
    loads: dict[str, Load] = {}
    with started(site.service) as server:
        loads["champion moved"], moves = _move(site)
        loads["worker killed"], worker = _kill_worker(site, server.pid)
        loads["server killed"] = _kill_server(site, server.pid)
    start = time.perf_counter()
    with started(site.service):
        ready = time.perf_counter() - start
        with site.load() as again:
            time.sleep(_BESIDE)
        check_load("started anew", again)
    loads["started anew"] = again
    answers = {made: told for load in loads.values() for made, told in load.answers.items()}
    unanswered = sum(len(load.unanswered) for load in loads.values())
    claim(
        len(answers) == sum(len(load.answers) for load in loads.values()),
        "an id was given to two predictions",
    )
    recorded = compare(site.records, answers, site.questions)
    claim(recorded.problems(unanswered) == 0, f"{len(answers)} answered, {unanswered} cut off: {recorded}")
    return {
        "loads": {name: _describe(load) for name, load in loads.items()},
        "moves": moves,
        "worker": worker,
        "server_ready_again_seconds": ready,
        "records": asdict(recorded) | {"answered": len(answers), "cut_off": unanswered},
        "said": [site.command("verify-audit"), site.command("replay", "--newest", str(_REPLAYED))],
    }


def _move(site: Site) -> tuple[Load, dict[str, Any]]:
    """Move the champion there and back, in the middle to the broken version, for the whole time."""
    swaps, refusal = list[float](), 0.0
    targets = cycle(reversed(site.good))
    last = site.good[0]
    start = time.perf_counter()
    with site.load() as load:
        champion = Champion(site.registry, load, site.service.port, site.key)
        for step in range(MOVES + 1):
            _sleep_until(start + step * SECONDS / (MOVES + 1))
            if step == MOVES // 2:
                refusal = champion.move_to_broken(site.broken, last)
            else:
                last = next(targets)
                swaps.append(champion.move(last))
        _sleep_until(start + SECONDS)
        seconds = time.perf_counter() - start
    check_load("champion moved", load)
    claim(load.by_version.keys() == set(site.good), f"answers by version: {load.by_version}")
    # Nobody was cut off: what is on record is what was answered, and nothing else.
    recorded = compare(site.records, load.answers, site.questions)
    claim(recorded.problems(0) == 0, f"{len(load.answers)} answered: {recorded}")
    site.command("verify-audit")
    return load, {"seconds": seconds, "swap_seconds": spread(swaps), "refusal_seconds": refusal}


def _kill_worker(site: Site, server: int) -> tuple[Load, dict[str, Any]]:
    """Kill the worker with the most clients: they are cut off, others are not, and it is replaced."""
    port = site.service.port
    with site.load() as load:
        time.sleep(_BESIDE)
        before = {worker.pid for worker in workers_of(server, port)}
        claim(len(before) == WORKERS, f"{len(before)} workers")
        worker, clients = busiest_of(server, port)
        worker.kill()
        replaced = wait_for_replacement(server, port, before)
        time.sleep(_BESIDE)
    check_load("worker killed", load, clients)
    figures = {"clients": len(clients), "cut_off": len(load.unanswered), "replaced_seconds": replaced}
    return load, figures


def _kill_server(site: Site, server: int) -> Load:
    """Kill the server with its workers and watcher, in the middle of the load."""
    with site.load() as load:
        time.sleep(_BESIDE)
        answered = len(load.answers)
        os.killpg(server, signal.SIGKILL)
        time.sleep(1.0)
    claim(answered > 0, "the server was killed before it had answered anybody")
    check_load("server killed", load, set(load.unanswered), may_be_away=True)
    claim(len(load.unanswered) > 0, "nobody was cut off: the server was not killed in the middle")
    return load


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def _describe(load: Load) -> dict[str, Any]:
    return {
        "requests": len(load.answers) + load.refused.total() + len(load.unanswered),
        "seconds": load.seconds,
        "answered_by_version": load.by_version,
        "wrong": load.wrong,
        "refused": load.refused.total(),
        "cut_off": len(load.unanswered),
    }


def _print(console: Console, measured: dict[str, Any]) -> None:
    table = Table(title=f"{CONNECTIONS} connections, {WORKERS} workers, API key, records in SQLite")
    for column in ("", "seconds", "answered", "a second", "by version", "wrong", "refused", "cut off"):
        table.add_column(column, justify="right" if column else "left")
    for name, load in measured["loads"].items():
        answered = sum(load["answered_by_version"].values())
        versions = ", ".join(f"{version}: {n:,}" for version, n in load["answered_by_version"].items())
        rest = (str(load[part]) for part in ("wrong", "refused", "cut_off"))
        rate = f"{answered / load['seconds']:,.0f}"
        table.add_row(name, f"{load['seconds']:.0f}", f"{answered:,}", rate, versions, *rest)
    console.print(table)
    moves, worker, records = measured["moves"], measured["worker"], measured["records"]
    swap = moves["swap_seconds"]
    console.print(
        f"{MOVES} moves, from the move to the last connection: {swap['median']:.1f} s "
        f"({swap['min']:.1f} to {swap['max']:.1f}); the broken version was refused after "
        f"{moves['refusal_seconds']:.1f} s"
    )
    console.print(
        f"worker killed: {worker['cut_off']} of its {worker['clients']} clients cut off and nobody else, "
        f"replaced after {worker['replaced_seconds']:.1f} s; "
        f"server killed: ready again {measured['server_ready_again_seconds']:.1f} s after its start"
    )
    console.print(
        f"{records['answered']:,} answered, {records['stored']:,} on record: {records['lost']} lost, "
        f"{records['repeated']} repeated, {records['different']} different, "
        f"{records['unacknowledged']} of the {records['cut_off']} that were cut off"
    )
    for line in measured["said"]:
        console.print(line)

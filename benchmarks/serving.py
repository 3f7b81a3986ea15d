"""Requests a second of the service, beside a route that only validates and beside MLflow's own server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil
from rich.table import Table

from benchmarks.servers import Service, as_environment, free_port, guarded, spread, started
from benchmarks.simulated import cohort, cohort_file
from features.cohort import make_cohort
from features.errors import UserError
from features.simulation import simulate
from models.care_model import CareModel
from models.plan_scorer import compare_plans
from models.storage import load_model, save_model
from tests.models.records import sign_folder, sign_version
from training.cross_validation import fit_model
from training.fit import fit_cohort
from training.patients import Patients
from training.tracking import log_fit, promote, ready_store

if TYPE_CHECKING:
    from rich.console import Console

ROUNDS: Final = 5
SECONDS: Final = 3
STARTS: Final = 3
CONNECTIONS: Final = 8
MANY: Final = ", 32 connections"
AIMS: Final = {
    ("drivers off", "no-op"): 0.5,
    ("drivers on", "no-op"): 0.25,
    ("drivers off", "mlflow models serve"): 40.0,
    (f"drivers off, keys and records{MANY}", "no-op"): 0.3,
    ("plans", "no-op"): 0.1,
}
_PATIENTS: Final = 2000  # the speed of an answer does not depend on it, but rare plans need support
_CANDIDATES: Final = 300  # simulated patients among whom one is looked for that has numbers on every plan


@dataclass(frozen=True)
class Load:
    """A kind of request: to whom, where, its body, the key of who asks, and how many ask at once."""

    service: Service
    path: str
    body: bytes
    key: str = ""
    connections: int = CONNECTIONS

    @property
    def headers(self) -> dict[str, str]:
        """Of each request."""
        headers = {"Content-Type": "application/json"}
        return headers | ({"Authorization": f"Bearer {self.key}"} if self.key else {})


@dataclass(frozen=True)
class Models:
    """Folders of the models that are served, and how servers find and believe them."""

    ridge: Path
    trees: Path
    environment: dict[str, str]


def run(console: Console) -> dict[str, Any]:
    """Requests a second in rounds, time until ready, and memory of a worker."""
    if shutil.which("wrk") is None:
        raise UserError("the load comes from wrk, which is not installed: apt-get install -y wrk")
    with tempfile.TemporaryDirectory() as scratch:
        models = _prepare(Path(scratch))
        alias = f"models:/{cohort_file().name}@champion"
        starts = {
            f"ready, {name}": [_seconds_until_ready(_ours(uri, models)) for _ in range(STARTS)]
            for name, uri in (("folder", str(models.ridge)), ("alias", alias))
        }
        rates, resident = _measure(_loads(models, alias), Path(scratch))
    ratios = {
        f"{ours}, of {base}": [a / b for a, b in zip(rates[ours], rates[_alike(base, ours)], strict=True)]
        for ours in rates
        for base in ("no-op", "mlflow models serve")
        if ours.startswith(("drivers", "plans"))
    }
    _print(console, rates, ratios, starts, resident)
    return {
        "requests_per_second": {name: median(values) for name, values in rates.items()},
        "ratio": {name: spread(values) for name, values in ratios.items()},
        "ready_seconds": {name: spread(values) for name, values in starts.items()},
        "resident_mb": resident,
    }


def _alike(base: str, ours: str) -> str:
    """The no-op route as many asked at once."""
    return f"{base}{MANY}" if base == "no-op" and ours.endswith(MANY) else base


def _prepare(folder: Path) -> Models:
    """Register a ridge model in a store of its own; save its folder and, for information, one of trees."""
    keys = folder / "keys"
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys),
    }
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        experiment = ready_store(cohort_file().name)
        fit = fit_cohort(cohort(_PATIENTS, 1), 1, "ridge")
        version = log_fit(fit, experiment, "benchmark")[0]
        # What is measured is the service's speed: the record only lets the version be loaded.
        sign_version(f"models:/{cohort_file().name}/{version}", keys)
        promote(cohort_file().name, version)
    finally:
        os.environ.clear()
        os.environ.update(before)
    save_model(fit.model, folder / "ridge")
    bare = fit_model(Patients.from_cohort(cohort(_PATIENTS, 1)), 1, "xgboost").model
    save_model(CareModel({"baseline": bare}), folder / "trees")
    for name in ("ridge", "trees"):
        sign_folder(folder / name, keys)
    return Models(folder / "ridge", folder / "trees", environment)


def _ours(uri: str, models: Models, environment: dict[str, str] | None = None) -> Service:
    """Our service as it starts by itself, but for its records, which are off unless they are asked for."""
    port = free_port()
    command = [sys.executable, "-m", "serving", "run", "--model", uri, "--port", str(port)]
    chosen = as_environment({"records": "off"}) | (environment or {})
    return Service(command, port, "/readyz", models.environment | chosen)


def _guarded(models: Models) -> tuple[Service, str]:
    """Our service with API keys, limits of rate and records in a file; and a key for it."""
    environment, key = guarded(models.ridge.parent, ["clinician"])
    return _ours(str(models.ridge), models, environment), key


def _loads(models: Models, alias: str) -> dict[str, Load]:
    patient, plan = _patient(models.ridge)
    bodies = {
        name: json.dumps({"patient": patient, "plan": plan, "drivers": drivers}).encode()
        for name, drivers in (("drivers off", False), ("drivers on", True))
    }
    row = {**patient, "plan": plan}
    table = {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    port = free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.noop:create_app"]
    noop = Service(
        [*uvicorn, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--port", str(port)],
        port,
        "/openapi.json",
    )
    port = free_port()
    mlflow = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "--model-uri", alias]
    theirs = Service(
        [*mlflow, "--env-manager", "local", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)],
        port,
        "/ping",
        # So that the server finds the Python, and the packages, of this environment.
        models.environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    safety = {"patient": patient, "plan": plan, "drivers": False, "safety": {"psychosis": False}}
    with_records, own_key = _guarded(models)
    services = {
        "": (_ours(str(models.ridge), models), ""),
        ", log level warning": (
            _ours(str(models.ridge), models, as_environment({"log_level": "warning"})),
            "",
        ),
        ", keys and records": (with_records, own_key),
        ", xgboost": (_ours(str(models.trees), models), ""),
    }
    quiet = bodies["drivers off"]
    loads = {
        "no-op": Load(noop, "/v1/predict", quiet),
        f"no-op{MANY}": Load(noop, "/v1/predict", quiet, connections=32),
    }
    for suffix, (service, key) in services.items():
        loads |= {f"{name}{suffix}": Load(service, "/v1/predict", body, key) for name, body in bodies.items()}
    ours = services[""][0]
    loads |= {
        f"drivers off, keys and records{MANY}": Load(
            with_records, "/v1/predict", quiet, own_key, connections=32
        ),
        "drivers off, with safety": Load(ours, "/v1/predict", json.dumps(safety).encode()),
        "plans": Load(ours, "/v1/plans", json.dumps({"patient": patient}).encode()),
    }
    return loads | {"mlflow models serve": Load(theirs, "/invocations", json.dumps(table).encode())}


def _patient(folder: Path) -> tuple[dict[str, Any], str]:
    """A simulated patient with every baseline predictor given, and a number on as many plans as can be."""
    model, complete = load_model(folder), simulate(_CANDIDATES, 7).complete
    rows = make_cohort(cohort_file(), complete).rows
    offered = np.ones((len(rows), len(cohort_file().plan_levels)), dtype=bool)
    made = complete.iloc[int(compare_plans(model, rows, offered).shown.sum(axis=1).argmax())]
    values = {p.name: made[p.name] for p in cohort_file().baseline_predictors}
    # The logged model's signature knows numbers of one kind only.
    patient = {name: v if isinstance(v, str) else float(v) for name, v in values.items()}
    for predictor in cohort_file().baseline_predictors:
        if predictor.kind == "ordinal":
            patient[predictor.name] = f"{values[predictor.name]:.0f}"
    return patient, str(made["plan"])


def _measure(loads: dict[str, Load], folder: Path) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Load the services in turn, all of them running, and read the memory of ours afterwards."""
    rates: dict[str, list[float]] = {name: [] for name in loads}
    services = {id(load.service): load.service for load in loads.values()}
    with ExitStack() as stack:
        running = {key: stack.enter_context(started(service)) for key, service in services.items()}
        _check(loads)
        for i, load in enumerate(loads.values()):
            script = folder / f"{i}.lua"
            script.write_text(_lua(load))
            _wrk(load, script, 1)  # warm
        for _ in range(ROUNDS):
            for i, (name, load) in enumerate(loads.items()):
                rates[name].append(_wrk(load, folder / f"{i}.lua", SECONDS))
        resident = {
            name: psutil.Process(running[id(load.service)].pid).memory_info().rss / 2**20
            for name, load in loads.items()
            if name.startswith("drivers on")
        }
    return rates, resident


def _check(loads: dict[str, Load]) -> None:
    """All services answer, and ours what MLflow's does."""
    answers = {name: json.loads(_send(load)) for name, load in loads.items()}
    numbers = [plan["durability"] is not None for plan in answers["plans"]["plans"]]
    if not all(numbers):
        raise ValueError(
            f"only {sum(numbers)} plans have numbers and curves: not the question that was meant"
        )
    ours = answers["drivers on"]["response"]["probability"]
    theirs = answers["mlflow models serve"]["predictions"][0]["response_probability"]
    if abs(ours - theirs) > 1e-6 or answers["drivers on"]["inputs"]["missing"]:
        raise ValueError(f"not the same question or not the same answer: {ours}, {theirs}")


def _send(load: Load) -> bytes:
    request = urllib.request.Request(load.service.address(load.path), load.body, load.headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def _lua(load: Load) -> str:
    headers = [f'wrk.headers["{name}"] = "{value}"' for name, value in load.headers.items()]
    return "\n".join(['wrk.method = "POST"', f"wrk.body = [==[{load.body.decode()}]==]", *headers, ""])


def _wrk(load: Load, script: Path, seconds: int) -> float:
    """Requests a second; one that is not answered 200 is an error."""
    options = ["--threads", "1", "--connections", str(load.connections), "--duration", f"{seconds}s"]
    command = ["wrk", *options, "--script", str(script), load.service.address(load.path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if found is None or "Non-2xx" in text or "Socket errors" in text:
        raise ValueError(text)
    return float(found[1])


def _seconds_until_ready(service: Service) -> float:
    start = time.perf_counter()
    with started(service):
        return time.perf_counter() - start


def _print(
    console: Console,
    rates: dict[str, list[float]],
    ratios: dict[str, list[float]],
    starts: dict[str, list[float]],
    resident: dict[str, float],
) -> None:
    table = Table(
        title=f"one worker each, {CONNECTIONS} connections or as it says; "
        f"median (range) of {ROUNDS} rounds of {SECONDS} s"
    )
    for column in ("", "requests/s", "of no-op", "of mlflow", "resident MB"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in rates.items():
        parts = [ratios.get(f"{name}, of {base}") for base in ("no-op", "mlflow models serve")]
        memory = resident.get(name)
        table.add_row(
            name,
            f"{median(values):,.0f}",
            *(f"{median(p):.2f} ({min(p):.2f} to {max(p):.2f})" if p else "" for p in parts),
            f"{memory:.0f}" if memory else "",
        )
    console.print(table)
    for name, seconds in starts.items():
        console.print(f"{name}: {median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}); aim 3")
    for (ours, base), aim in AIMS.items():
        console.print(f"aim {ours} of {base}: at least {aim}; {median(ratios[f'{ours}, of {base}']):.2f}")

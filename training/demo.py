"""The whole path in one command: simulate, fit, validate, promote, report, serve, ask, print the answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from features.cohort import load_cohort
from features.cohort_file import load_cohort_file
from features.errors import RecordError, UserError
from features.simulation import simulate
from models.registry import connect, locate, tracking_uri
from training.demo_plans import print_plans
from training.files import write_table
from training.gates.promotion import check_promotion, run_promote
from training.gates.run import run_validate
from training.report.run import run_report
from training.run import fit_key, run_fit
from training.tracking import FIT_KEY_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXAMPLE", "print_answer", "run_demo"]

_SEED: Final = 2
_FOLDER: Final = Path("demo")
_WAIT: Final = 60.0  # seconds that the service may take to become ready
_SHOWN: Final = 6  # drivers printed

EXAMPLE: Final[Mapping[str, Any]] = {
    "patient": {
        "age": 46,
        "sex": "female",
        "madrs_baseline": 34,
        "phq9_baseline": 19,
        "failed_trials": 3,
        "episode_months": 18,
        "onset_age": 29,
        "inpatient": False,
        "anxiety_disorder": True,
        "ptsd": False,
        "benzodiazepine_dose": 12,
        "diabetes": True,
        "hypertension": True,
        "heart_disease": False,
        "suicidal_ideation": False,
        "past_suicide_attempt": False,
        "family_history_aud": True,
        "sleep": "insomnia",
        "ect_failure": False,
        "bipolar": False,
        "concurrent_antidepressant": True,
        "psychotherapy": True,
        "bmi": 31.5,
    },
    "plan": "iv_ketamine",
}
"""A patient as a clinic would know her: some predictors are not recorded."""


def run_demo(patients: int) -> None:
    """Run every step, leaving out a fit that an earlier run has done.

    Parameters
    ----------
    patients : int
        Simulated patients to train on.

    Raises
    ------
    UserError
        If the service does not start.
    """
    console = Console(width=None if sys.stdout.isatty() else 110)
    _FOLDER.mkdir(exist_ok=True)
    table = _FOLDER / f"cohort_{patients}.csv"
    console.rule("1. Simulate", align="left")
    made = simulate(patients, _SEED)
    write_table(made.table, table)
    write_table(made.truth, _FOLDER / f"truth_{patients}.csv")
    console.print(f"{patients} simulated patients: {table}")
    with as_file(files("features") / "cohorts" / "ketamine_trd.toml") as cohort_path:
        file = load_cohort_file(cohort_path)
        console.rule("2. Fit", align="left")
        version = _earlier(file.name, fit_key(load_cohort(file, str(table)), _SEED, None))
        if version is None:
            version = run_fit(cohort_path, str(table), seed=_SEED, out=_FOLDER / "fit")
        else:
            console.print(f"Version {version} was fitted on these very patients; see {_FOLDER / 'fit'}.")
        model = f"models:/{file.name}/{version}"
        console.rule("3. Validate and promote", align="left")
        if _is_accepted(model):
            console.print(f"Version {version} has passed its gates; see {_FOLDER / 'validation'}.")
        elif not run_validate(model, cohort_path, str(table), out=_FOLDER / "validation"):
            raise UserError(f"version {version} did not pass its gates: it is not promoted and not served")
    run_promote(model)
    console.print(f"Version {version} is @champion.")
    written = run_report(model, _FOLDER / "report")
    console.print(f"Report: {written.report}; model card: {written.card}")
    console.rule("4. Serve and ask", align="left")
    with _service(model) as address:
        print_answer(_ask(f"{address}/v1/predict", EXAMPLE), console)
        console.rule("5. Compare all plans", align="left")
        print_plans(_ask(f"{address}/v1/plans", {"patient": EXAMPLE["patient"]}), console)
    console.rule("Where to look", align="left")
    console.print(f"The report: open [bold]{written.report.absolute()}[/bold] in a browser (docs/report.md).")
    console.print(
        "The same service, to try yourself: [bold]make serve[/bold], then POST to /v1/predict or /v1/plans "
        "(docs/api.md)."
    )
    console.print("The run with its figures: [bold]make mlflow[/bold], then open http://127.0.0.1:5000")


def print_answer(answer: Mapping[str, Any], console: Console) -> None:
    """Print a service's answer as a person would want to read it.

    Parameters
    ----------
    answer : mapping
        What `POST /v1/predict` answers.
    console : Console
    """
    lines = [_say(answer[name], name) for name in ("response", "remission")]
    lines.append(f"Verdict: [bold]{answer['verdict']}[/bold]")
    lines += [f"[yellow]{notice}[/yellow]" for notice in answer["notices"]]
    model = answer["model"]
    title = (
        f"{answer['plan']}, predicted by {model['name']} version {model['version']} ({model['provenance']})"
    )
    console.print(Panel("\n".join(lines), title=title, title_align="left"))
    table = Table(title="What moves it, against the average patient", title_justify="left", box=None)
    table.add_column("predictor")
    table.add_column("value")
    table.add_column("points", justify="right")
    table.add_column("")
    for driver in answer["drivers"][:_SHOWN]:
        points = 100 * driver["effect"]
        bar = ("+" if points > 0 else "-") * max(1, round(2 * abs(points)))
        table.add_row(driver["label"], _tell(driver["value"]), f"{points:+.1f}", bar)
    console.print(table)
    rest = sum(driver["effect"] for driver in answer["drivers"][_SHOWN:])
    if len(answer["drivers"]) > _SHOWN:
        console.print(f"and {len(answer['drivers']) - _SHOWN} more, together {100 * rest:+.1f} points")
    missing = answer["inputs"]["missing"]
    console.print(f"Not recorded ({len(missing)}): {', '.join(missing) or 'nothing'}")
    for unusual in answer["inputs"]["unusual"]:
        low, high = unusual["seen"]
        console.print(f"Unusual: {unusual['name']} {unusual['value']:g} (98 % had {low:g} to {high:g})")


def _say(likelihood: Mapping[str, Any], outcome: str) -> str:
    low, high = (round(100 * end) for end in likelihood["interval"])
    about = round(100 * likelihood["probability"])
    return (
        f"{outcome.capitalize()}: about [bold]{about} of 100[/bold] patients like this "
        f"({100 * likelihood['level']:.0f} % interval: {low} to {high})"
    )


def _tell(value: float | str | bool | None) -> str:
    """Say a predictor's value in words."""
    if value is None:
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"


def _is_accepted(model: str) -> bool:
    """Whether this version may become champion without being validated again."""
    try:
        check_promotion(locate(model))
    except RecordError:
        return False
    return True


def _earlier(name: str, key: str) -> str | None:
    """Version that the same fit has registered before, if any."""
    versions = connect().search_model_versions(f"name = '{name}'")
    found = [str(v.version) for v in versions if v.tags.get(FIT_KEY_TAG) == key]
    return max(found, key=int, default=None)


@contextmanager
def _service(model: str) -> Iterator[str]:
    """Run the service on a free port of this machine, and stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving", "run", "--model", model, "--port", str(port)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri()}
    log = _FOLDER / "service.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(server, f"{address}/readyz", log)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _WAIT
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # nosec B310  # our own loopback address
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise UserError(f"the service did not become ready; its log is {log}:\n{log.read_text()[-2000:]}")


def _ask(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310  # our own loopback address
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # nosec B310
        result: dict[str, Any] = json.load(answer)
    return result

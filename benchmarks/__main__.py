"""Run benchmarks and write `benchmarks/results.json`: `python -m benchmarks [KEY …]`."""

from __future__ import annotations

import importlib
import json
import os
import platform
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from features.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = ("accuracy", "coverage", "calibration", "plans", "gates", "serving", "service", "batch", "fit")
RESULTS = Path(__file__).parent / "results.json"


def main(keys: Annotated[list[str] | None, typer.Argument(help=", ".join(KEYS))] = None) -> None:
    """Run the named benchmarks, or all; results of the others are kept."""
    unknown = sorted(set(keys or ()) - set(KEYS))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(KEYS)}")
    warnings.filterwarnings("ignore")  # rivals warn of their own settings
    console = Console(width=130)
    for key in keys or KEYS:
        console.rule(key, align="left")
        run: Callable[[Console], dict[str, Any]] = importlib.import_module(f"benchmarks.{key}").run
        try:
            measured = run(console)
        except UserError as exc:
            typer.echo(f"error: {exc}", err=True)
            raise typer.Exit(2) from exc
        results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[key] = measured
        results["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    console.print(f"Written: {RESULTS.name}")


if __name__ == "__main__":
    typer.run(main)

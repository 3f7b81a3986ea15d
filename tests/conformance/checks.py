"""Where the checks against the standards are, and how they are run: they are no part of the repository."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

CHECKS = Path(__file__).parents[2].parent / "shared" / "checks"

EXAMPLES = int(os.environ.get("CONFORMANCE_EXAMPLES", "0"))
"""How many requests `make conformance` has made up for each operation; 0 in the plain, quick suite."""

WHOLE = EXAMPLES > 0
"""Whether everything is checked, as `make conformance` does."""


def run_check(
    name: str, *arguments: str, needs: tuple[str, ...] = (), cwd: Path | None = None, **environment: str
) -> tuple[int, str]:
    """Run one as its users do, and give its exit code and what it says."""
    script = find_check(name)
    need(*needs)
    command = [sys.executable] if script.suffix == ".py" else ["bash"]
    return run([*command, str(script), *arguments], cwd, **environment)


def run(command: list[str], cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1800 if WHOLE else 300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def find_check(name: str) -> Path:
    script = CHECKS / name
    if not script.is_file():
        do_without(f"the check {name} is not beside this repository")
    return script


def need(*modules: str) -> None:
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        do_without(f"a check needs {', '.join(absent)}")


def do_without(reason: str) -> NoReturn:
    """Leave a test out; `make conformance` vouches for a service, and must not do so unchecked."""
    if WHOLE:
        pytest.fail(f"nothing was checked: {reason}")
    pytest.skip(reason)

"""Where the checks against the standards are: not part of the repository; without them tests are skipped."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[3].parent / "shared" / "checks"


def run_check(name: str, *arguments: str, needs: tuple[str, ...]) -> str:
    """Run one as its users do, and give what it says; every failure it finds fails the test."""
    script = BESIDE / name
    if not script.is_file():
        pytest.skip("check not present")
    absent = [module for module in needs if importlib.util.find_spec(module) is None]
    if absent:
        pytest.skip(f"check needs {', '.join(absent)}")
    run = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=110, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout

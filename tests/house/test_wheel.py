"""The built wheel, not the source tree, is what anybody installs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.repository import PACKAGES, ROOT, project_files


def run_outside(folder: Path, wheel: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in `folder`, where the packages can only come from the unpacked wheel."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree and unpacked."""
    dist = tmp_path_factory.mktemp("dist")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    build = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    (built,) = dist.glob("treatment_response-*-py3-none-any.whl")
    unpacked = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_wheel_holds_each_file_of_the_four_packages_and_nothing_else(wheel: Path) -> None:
    sources = {path.relative_to(ROOT) for path in project_files()}
    expected = {path for path in sources if path.parts[0] in PACKAGES}
    packed = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    assert {path for path in packed if not path.parts[0].endswith(".dist-info")} == expected
    # Data files are the ones that get lost.
    assert any(path.suffix == ".toml" for path in expected)


def test_packages_come_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    code = "import sys; print(*(__import__(package).__file__ for package in sys.argv[1:]))"
    run = run_outside(tmp_path, wheel, "-c", code, *PACKAGES)
    assert run.stdout.split() == [str(wheel / package / "__init__.py") for package in PACKAGES], run.stderr


@pytest.mark.parametrize("package", ["training", "serving"])
def test_command_line_of_the_wheel_explains_itself(wheel: Path, tmp_path: Path, package: str) -> None:
    run = run_outside(tmp_path, wheel, "-m", package, "--help")
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout


def test_wheel_simulates_a_cohort_outside_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    arguments = ["simulate", "--patients", "50", "--seed", "1", "--out", "x.csv"]
    run = run_outside(tmp_path, wheel, "-m", "training", *arguments)
    assert run.returncode == 0, run.stderr
    # A header and 50 patients; nothing else is left behind.
    assert len((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()) == 51
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]

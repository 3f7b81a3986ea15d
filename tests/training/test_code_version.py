"""Which code is running is told by the package's version and the commit."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from training.code_version import code_version

NAME = "training/code_version.py"
PLAIN = version("treatment-response")


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    for package in ("features", "models", "training", "serving"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / NAME).write_text("1", encoding="utf-8")
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_checkout_says_its_commit_and_whether_files_were_changed(checkout: Path) -> None:
    assert code_version.__wrapped__(checkout) == PLAIN  # the files are no part of it
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "first")
    commit = git(checkout, "rev-parse", "HEAD")[:12]
    (checkout / "notes.txt").touch()  # is no code
    assert code_version.__wrapped__(checkout) == f"{PLAIN}+g{commit}"
    (checkout / "models" / "new.py").touch()
    assert code_version.__wrapped__(checkout) == f"{PLAIN}+g{commit}.modified"


def test_without_a_checkout_or_git_the_package_has_its_version(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code_version.__wrapped__(Path("/")) == PLAIN
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "first")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version.__wrapped__(checkout) == PLAIN

"""Which code is running: the package's version and, in a checkout, the commit."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["code_version"]

_PACKAGES: Final = ("features", "models", "training", "serving")
_ROOT: Final = Path(__file__).resolve().parents[1]


@cache
def code_version(root: Path = _ROOT) -> str:
    """Say which code is running, as PEP 440 writes it.

    Parameters
    ----------
    root : Path
        Folder of the packages.

    Returns
    -------
    str
        `0.1.0`; in a git checkout `0.1.0+g` and 12 digits of the commit, with `.modified` if files of the
        packages differ from it.
    """
    version = importlib.metadata.version("treatment-response")
    # That a repository is around the files is not enough: an environment may lie in somebody's checkout.
    if _ask_git(root, "ls-files", "--error-unmatch", "training/code_version.py") is None:
        return version
    commit = _ask_git(root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return version
    changed = _ask_git(root, "status", "--porcelain", "--", *_PACKAGES)
    return f"{version}+g{commit}" + ("" if changed == "" else ".modified")


def _ask_git(root: Path, *arguments: str) -> str | None:
    """Ask git; None without git, or if it refuses."""
    program = shutil.which("git")
    if program is None:
        return None
    try:
        asked = subprocess.run(
            [program, "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()

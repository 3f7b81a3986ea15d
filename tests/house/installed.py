"""Whether the environment is the locked one: every package of its version, every file as it was packed.

An audit that needs no address: what is installed was checked against its hash when it came, and this finds
what has changed since. `python -m tests.house.installed` prints what differs, and then ends with 1.
"""

import base64
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from tests.house.repository import ROOT, normalised

OURS = "treatment-response"
BROUGHT_BY_PYTHON = {"pip", "setuptools"}
"""What `python -m venv` puts into an environment."""


def locked_versions(lock: Path) -> dict[str, str]:
    """The versions of a lock that apply to this system and Python, by package."""
    found: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            pin = Requirement(line.rstrip("\\ "))
            if pin.marker is None or pin.marker.evaluate():
                found[normalised(pin.name)] = str(pin.specifier).removeprefix("==")
    return found


def differences(installed: dict[str, Distribution], locked: dict[str, str]) -> Iterator[str]:
    """What differs from the lock, in words."""
    for name, version in sorted(locked.items()):
        if name not in installed:
            yield f"{name} {version} is locked and not installed"
        elif installed[name].version != version:
            yield f"{name} {installed[name].version} is installed; {version} is locked"
    for name in sorted(set(installed) - set(locked) - BROUGHT_BY_PYTHON - {OURS}):
        yield f"{name} {installed[name].version} is installed and not locked"


def changed_files(distribution: Distribution) -> Iterator[str]:
    """Files of a package that are not as they were packed, or are gone."""
    for file in distribution.files or ():
        if file.hash is None:  # compiled at installation
            continue
        path = Path(str(file.locate()))
        if not path.is_file():
            yield f"{distribution.name}: {file} is gone"
            continue
        digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            yield f"{distribution.name}: {file} was changed"


def main() -> int:
    """Print what differs."""
    installed = {normalised(found.name): found for found in distributions()}
    said = list(differences(installed, locked_versions(ROOT / "requirements" / "dev.txt")))
    said += [line for found in installed.values() for line in changed_files(found)]
    print("\n".join(said) or f"{len(installed)} packages are as they were locked and packed")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())

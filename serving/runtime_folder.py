"""The private folder of a running service: what its watcher found, and what its workers serve.

Files of versions, and two small ones: `published.json`, written by the watcher, is the newest that the
registry names; `good.json`, written by whoever has loaded it, is the last that was good. Each is replaced
whole, so that a reader sees the old one or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.record import SignedRecord
from models.registry import Located

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Published", "RuntimeFolder"]

_PUBLISHED: Final = "published.json"
_GOOD: Final = "good.json"


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry said last.

    Parameters
    ----------
    located : Located
        Nothing of it is known to be good yet.
    problem : str or None
        Why the registry could not be asked since.
    """

    located: Located
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RuntimeFolder:
    """A folder that only the service's own user may enter.

    Parameters
    ----------
    path : Path
    """

    path: Path

    def publish(self, published: Published) -> None:
        """Tell the workers what the registry says."""
        self._replace(_PUBLISHED, {"located": _pack(published.located), "problem": published.problem})

    def published(self) -> Published | None:
        """What the registry said last; None where nobody watches it."""
        stored = self._read(_PUBLISHED)
        return None if stored is None else Published(_unpack(stored["located"]), stored["problem"])

    def stamp(self) -> int | None:
        """Something that differs as soon as the registry said something new; cheap to ask for."""
        try:
            found = (self.path / _PUBLISHED).stat()
        except FileNotFoundError:
            return None
        return hash((found.st_mtime_ns, found.st_ino))

    def keep(self, located: Located) -> None:
        """Note a version that was loaded and has answered: what a worker falls back on."""
        self._replace(_GOOD, _pack(located))

    def good(self) -> Located | None:
        """The last version that was good."""
        stored = self._read(_GOOD)
        return None if stored is None else _unpack(stored)

    def claim(self, *event: str) -> bool:
        """Whether this is the first process to tell of an event: a log needs one line, not one a worker.

        Parameters
        ----------
        *event : str
            What makes the event another one.

        Returns
        -------
        bool
        """
        path = self.path / f"told-{sha256(chr(0).join(event).encode()).hexdigest()[:32]}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def forget_others(self, kept: Collection[Located | None]) -> None:
        """Remove the files of versions that nobody will load any more.

        Parameters
        ----------
        kept : collection of Located or None
        """
        folders = {located.folder for located in kept if located is not None}
        for entry in self.path.iterdir():
            if entry.is_dir() and not any(folder.is_relative_to(entry) for folder in folders):
                shutil.rmtree(entry, ignore_errors=True)

    def _replace(self, name: str, content: dict[str, Any]) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        Path(temporary).replace(self.path / name)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            text = (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        stored: dict[str, Any] = json.loads(text)
        return stored


def _pack(located: Located) -> dict[str, Any]:
    return asdict(located) | {"folder": str(located.folder)}


def _unpack(stored: dict[str, Any]) -> Located:
    record = stored["record"]
    return Located(
        **stored
        | {"folder": Path(stored["folder"]), "record": None if record is None else SignedRecord(**record)}
    )

"""The file of API keys: hashes, never keys, in one small JSON file that is replaced whole."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from serving.access.caller import ROLES, Caller, scopes_of
from serving.access.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ApiKey", "KeyFile"]

_FORM: Final = 1


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key.

    Parameters
    ----------
    id : str
        Public part; it names the key in the records and the list.
    name : str
        Whose it is.
    sha256 : str
        Of the whole key. A plain hash is enough: a key is 256 random bits, which no dictionary holds.
    roles, scopes : tuple of str
    created, expires : int
        Seconds since 1970.
    revoked : int or None
        When it was revoked.
    """

    id: str
    name: str
    sha256: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    created: int
    expires: int
    revoked: int | None = None

    @property
    def caller(self) -> Caller:
        """Who asks with this key."""
        return Caller(f"key:{self.id}", frozenset(self.roles), frozenset(self.scopes))

    def problem(self, now: float) -> str | None:
        """Why it is not accepted, or None.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        """
        if self.revoked is not None:
            return "the API key has been revoked"
        return "the API key has expired" if now >= self.expires else None


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of API keys.

    Parameters
    ----------
    path : Path
    """

    path: Path

    def read(self) -> Mapping[str, ApiKey]:
        """Read the keys.

        Returns
        -------
        mapping of str to ApiKey
            By id; empty if there is no file.

        Raises
        ------
        AccessError
            If it cannot be read, or is no such file.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as exc:
            raise AccessError(f"{self.path}: the file of API keys cannot be read") from exc
        try:
            return {entry["id"]: _key(entry) for entry in _entries(json.loads(text))}
        except (ValueError, TypeError, KeyError) as exc:
            raise AccessError(
                f"{self.path}: this is no file of API keys; `python -m serving keys add` makes one"
            ) from exc

    def stamp(self) -> tuple[int, int] | None:
        """Something that differs as soon as the file was replaced; None without a file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    @contextmanager
    def edit(self) -> Iterator[dict[str, ApiKey]]:
        """Change the keys; two commands at once take turns, and a reader sees the old file or the new one.

        Yields
        ------
        dict of str to ApiKey
            Written when the block ends without an error.

        Raises
        ------
        AccessError
            If the file cannot be read or written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(f"{self.path.name}.lock").open("w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = dict(self.read())
                yield keys
                self._replace(keys)
        except OSError as exc:
            raise AccessError(f"{self.path}: cannot be written: {exc.strerror}") from exc

    def _replace(self, keys: Mapping[str, ApiKey]) -> None:
        content = {"form": _FORM, "keys": [asdict(key) for key in keys.values()]}
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:  # for its owner only, as mkstemp makes it
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(self.path)


def _entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    if content["form"] != _FORM:
        raise ValueError("another form")
    entries: list[dict[str, Any]] = content["keys"]
    return entries


def _key(entry: dict[str, Any]) -> ApiKey:
    key = ApiKey(**entry | {"roles": tuple(entry["roles"]), "scopes": tuple(entry["scopes"])})
    numbers = (key.created, key.expires, 0 if key.revoked is None else key.revoked)
    if not set(key.roles) <= set(ROLES) or not set(key.scopes) <= scopes_of(key.roles):
        raise ValueError("roles or scopes that do not exist")
    if not all(isinstance(number, int) for number in numbers) or len(bytes.fromhex(key.sha256)) != 32:
        raise ValueError("times or hashes that are none")
    return key

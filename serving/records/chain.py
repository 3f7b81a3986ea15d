"""The audit trail's arithmetic: keyed hashes, each over the line and the hash before it."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from secrets import token_bytes
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from features.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["START", "Chain", "RecordsError", "make_chain", "read_chain"]

START: Final = "0" * 64
"""Hash before the first line."""

_BYTES: Final = 32


class RecordsError(UserError):
    """Records that cannot be opened, or do not hold what is asked for."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Hashes that only the holder of the key can make.

    Keyed, because whoever can write to the database could make plain ones anew behind a change; and
    because the plain hash of a short text, such as a record number, gives it away by trying.

    Parameters
    ----------
    key : bytes
    """

    key: bytes

    def pseudonym(self, patient: str) -> str:
        """Hash what a caller calls a patient."""
        return self._hash("patient", [patient])

    def row(self, values: Sequence[str | int | None]) -> str:
        """Hash the values of a row.

        Parameters
        ----------
        values : sequence
            Of all columns, in their order.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        return self._hash("row", values)

    def link(self, before: str, line: Sequence[str | int | None]) -> str:
        """Hash a line of the audit trail together with the hash of the line before.

        Parameters
        ----------
        before : str
            `START` for the first line.
        line : sequence
            Its values but the hash, in the order of the columns.

        Returns
        -------
        str
        """
        return self._hash("line", [before, *line])

    def seal(self, lines: int, last: str) -> str:
        """Hash how long the trail is and how it ends: lines cannot be cut off unseen."""
        return self._hash("head", [lines, last])

    def _hash(self, use: str, values: Sequence[str | int | None]) -> str:
        return hmac.digest(self.key, to_json([use, *values]), "sha256").hex()


def make_chain(path: Path) -> Chain:
    """Read the key, made at first use.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Chain

    Raises
    ------
    RecordsError
        If it cannot be written or read.
    """
    if path.is_file():
        return read_chain(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written whole beside and linked: of two services that start together, both read the first one's.
        beside = path.with_name(f".{path.name}-{os.getpid()}")
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token_bytes(_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    except OSError as exc:
        raise RecordsError(f"the records' key {path} cannot be made: {exc.strerror}") from exc
    return read_chain(path)


def read_chain(path: Path) -> Chain:
    """Read the key.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Chain

    Raises
    ------
    RecordsError
        If there is none, or it is no key.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as exc:
        raise RecordsError(f"the records' key {path} cannot be read: {exc.strerror}") from exc
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise RecordsError(f"{path} is no key of records: 64 hexadecimal digits are expected")
    return Chain(key)

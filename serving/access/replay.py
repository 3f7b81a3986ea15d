"""What may be used once only: tokens that were presented, sessions that were ended. Shared by the workers."""

from __future__ import annotations

import sqlite3
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UsedTokens"]

_TABLE: Final = "CREATE TABLE IF NOT EXISTS used (name BLOB PRIMARY KEY, expires REAL) WITHOUT ROWID"


class UsedTokens:
    """Remembers each until it would have expired anyway; only hashes are kept.

    Parameters
    ----------
    path : Path or None
        File that the workers share; None remembers for this process alone.
    """

    def __init__(self, path: Path | None) -> None:
        # `check_same_thread`: routes that run in a thread may ask; the lock of SQLite itself keeps order.
        self._base = sqlite3.connect(
            path or ":memory:", isolation_level=None, timeout=5, check_same_thread=False
        )
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute(
            "PRAGMA synchronous = OFF"
        )  # it ends with the service: nothing to save from a crash
        self._base.execute(_TABLE)

    def first_use(self, issuer: str, name: str, expires: float) -> bool:
        """Note a use, and say whether it is the first.

        Parameters
        ----------
        issuer, name : str
            Together they are unique, such as `iss` and `jti` of a token.
        expires : float
            Seconds since 1970 after which it need not be remembered.

        Returns
        -------
        bool
        """
        self._base.execute("DELETE FROM used WHERE expires < ?", (time.time(),))
        added = self._base.execute(
            "INSERT OR IGNORE INTO used VALUES (?, ?)", (_digest(issuer, name), expires)
        )
        return added.rowcount == 1

    def is_used(self, issuer: str, name: str) -> bool:
        """Whether a use was noted."""
        found = self._base.execute("SELECT 1 FROM used WHERE name = ?", (_digest(issuer, name),))
        return found.fetchone() is not None


def _digest(issuer: str, name: str) -> bytes:
    return blake2b(f"{len(issuer)}:{issuer}{name}".encode(), digest_size=16).digest()

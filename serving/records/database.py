"""The database of the records: a SQLite file or a PostgreSQL server, opened so as to fail soon."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from serving.records.chain import RecordsError
from serving.records.entries import RecordsUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["FAILURES", "file_of", "is_disconnect", "make_file", "name_of", "open_engine", "read_url"]

FAILURES: Final = (SQLAlchemyError, sqlite3.Error, OSError)
"""What a database or its disk may raise."""

_WAIT: Final = 3
"""Seconds to wait for a lock or a server before giving up."""


def read_url(records: str) -> URL:
    """Read the address of the records.

    Parameters
    ----------
    records : str
        `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.

    Returns
    -------
    URL

    Raises
    ------
    RecordsError
        If it is neither. The message does not repeat it: it may hold a password.

    Examples
    --------
    >>> read_url("postgresql://clinic@localhost/records").drivername
    'postgresql+psycopg'
    """
    allowed = "records: write sqlite:///FILE, postgresql://USER@HOST/DATABASE, or off"
    try:
        url = make_url(records)
    except ArgumentError:
        raise RecordsError(allowed) from None
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:") and not url.query:
        return url
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise RecordsError(allowed)


def file_of(url: URL) -> Path | None:
    """File of a SQLite database; None for a server."""
    return Path(url.database or "").absolute() if url.drivername == "sqlite" else None


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RecordsError
        If it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise RecordsError(f"the records {path} cannot be made: {exc.strerror}") from exc


def open_engine(url: URL) -> Engine:
    """Make an engine that connects on first use and keeps nothing open behind a closed connection.

    Parameters
    ----------
    url : URL
        From `read_url`.

    Returns
    -------
    Engine
        A SQLite file must be there already: one that was lost is never silently begun anew.
    """
    file = file_of(url)
    if file is not None:
        engine = create_engine(
            "sqlite://",
            creator=lambda: _connect_file(file),
            poolclass=NullPool,
        )
        event.listen(engine, "begin", _begin_at_once)
        return engine
    # Parameters by position, as SQLite's are: `trail.Statements`.
    return create_engine(url, poolclass=NullPool, paramstyle="format", connect_args=_server_options())


def name_of(error: BaseException) -> str:
    """Name what went wrong, for the log; without the message, which may quote a value.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        Such as `OperationalError SQLITE_FULL`, or with PostgreSQL's code.
    """
    if isinstance(error, RecordsUnavailable):
        return str(error)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if code is None and isinstance(cause, OSError):
        code = os.strerror(cause.errno) if cause.errno else None
    return type(cause).__name__ if code is None else f"{type(cause).__name__} {code}"


def is_disconnect(error: BaseException) -> bool:
    """Whether a server has closed the connection, or is gone."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _connect_file(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",  # never made by connecting
        uri=True,
        timeout=_WAIT,
        isolation_level=None,  # transactions are begun by `_begin_at_once`, not by Python's guess
        check_same_thread=False,
    )
    try:
        for pragma in (
            "journal_mode = WAL",  # readers and one writer do not wait for each other
            "synchronous = FULL",  # what was acknowledged also outlives a power cut
            "foreign_keys = ON",
            "secure_delete = ON",  # what is erased is overwritten in the file
        ):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin_at_once(connection: Connection) -> None:
    """Take SQLite's one write lock first: to ask for it in the midst of a transaction may fail at once."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _server_options() -> dict[str, Any]:
    milliseconds = _WAIT * 1000
    return {
        "connect_timeout": _WAIT,
        "tcp_user_timeout": milliseconds,  # a server that is gone without a word
        "keepalives_idle": _WAIT,
        "application_name": "treatment-response",
        "options": f"-c lock_timeout={milliseconds} -c statement_timeout={10 * milliseconds} "
        f"-c idle_in_transaction_session_timeout={10 * milliseconds} -c timezone=UTC",
    }

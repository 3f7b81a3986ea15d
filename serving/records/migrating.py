"""Bring the records' tables to the newest revision, before anything is served."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, inspect, select, text

from serving.records.chain import START, RecordsError, make_chain
from serving.records.database import FAILURES, file_of, make_file, name_of, open_engine, read_url
from serving.records.tables import REVISION, head

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from serving.records.chain import Chain

__all__ = ["check_head", "migrate", "prepare_records", "revision_of"]

_LOCK: Final = 5_213_077_911
"""PostgreSQL's advisory lock of whoever migrates: any number that nobody else uses."""


def prepare_records(records: str, key: Path) -> None:
    """Make or update the records, and see that the key is theirs.

    Parameters
    ----------
    records : str
        Address, as `database.read_url` takes.
    key : Path
        File of the key, made at first use.

    Raises
    ------
    RecordsError
        If they cannot be opened, are of a newer release, or were made with another key.
    """
    url = read_url(records)
    chain = make_chain(key)
    file = file_of(url)
    if file is not None:
        make_file(file)
    engine = open_engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if revision_of(connection) != REVISION:
                migrate(connection)
            if connection.execute(select(head.c.id)).first() is None:
                seal = chain.seal(0, START)
                connection.execute(insert(head).values(id=1, lines=0, hash=START, seal=seal))
            check_head(connection, chain)
    except FAILURES as exc:
        raise RecordsError(f"the records cannot be opened ({name_of(exc)}); check their address") from exc
    finally:
        engine.dispose()


def revision_of(connection: Connection) -> str | None:
    """Which revision the tables have; None if there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(connection: Connection) -> None:
    """Apply the revisions that are missing, within the connection's transaction.

    Parameters
    ----------
    connection : Connection

    Raises
    ------
    RecordsError
        If the tables are of a revision that this release does not know.
    """
    from alembic.config import Config  # only where there is something to do: it takes a third of a second
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    with as_file(files("serving.records") / "migrations") as folder:
        scripts = ScriptDirectory(str(folder))
        steps = EnvironmentContext(Config(), scripts, fn=lambda now, _: scripts._upgrade_revs("head", now))
        try:
            with steps:
                # SQLite's too: all of a revision or nothing of it.
                steps.configure(connection=connection, transactional_ddl=True)
                steps.run_migrations()
        except CommandError as exc:
            raise RecordsError("the records were made by a newer release: serve them with that one") from exc


def check_head(connection: Connection, chain: Chain) -> None:
    """See that the trail's end is sealed with this key.

    Parameters
    ----------
    connection : Connection
    chain : Chain

    Raises
    ------
    RecordsError
        If it is not.
    """
    found = connection.execute(select(head.c.lines, head.c.hash, head.c.seal)).one()
    if found.seal != chain.seal(found.lines, found.hash):
        raise RecordsError(
            "the records were made with another key, or the end of their audit trail was changed; "
            "`python -m serving verify-audit` tells which lines hold"
        )

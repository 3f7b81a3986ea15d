"""See whether the audit trail is whole, and whether the records are still what it tells of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from serving.records.chain import START, RecordsError
from serving.records.database import FAILURES, name_of, open_engine, read_url
from serving.records.migrating import revision_of
from serving.records.tables import REVISION, attachments, audit, head, predictions
from serving.records.trail import row_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row, Table

    from serving.records.chain import Chain

__all__ = ["Verified", "verify_audit"]

_AT_ONCE: Final = 1_000
_NOTED: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Parameters
    ----------
    lines : int
        Of the audit trail.
    hash : str
        Of its last line.
    problems : tuple of str
        What was changed, removed or added, one sentence each; empty if nothing was.
    """

    lines: int
    hash: str
    problems: tuple[str, ...]

    @property
    def head(self) -> str:
        """The end of the trail, to be noted elsewhere and compared later."""
        return f"{self.lines}:{self.hash}"


def verify_audit(records: str, chain: Chain, noted: str | None = None) -> Verified:
    """Verify every line of the trail and every row that it tells of.

    Parameters
    ----------
    records : str
        Address, as `database.read_url` takes.
    chain : Chain
        With the records' own key.
    noted : str, optional
        A head that was noted earlier: the trail must still contain it. Only this finds a database that
        was put back, as a whole, to an earlier state.

    Returns
    -------
    Verified

    Raises
    ------
    RecordsError
        If the records cannot be read, or `noted` is no head.

    Notes
    -----
    It reads one state of the database, and holds up nobody who writes.
    """
    wanted = _read_noted(noted)
    engine = open_engine(read_url(records))
    try:
        options = _one_state(engine.dialect.name)
        with engine.connect().execution_options(**options) as connection, connection.begin():
            if revision_of(connection) != REVISION:
                raise RecordsError("there are no records here, or they are of another release")
            return _Verification(connection, chain, wanted).run()
    except FAILURES as exc:
        raise RecordsError(f"the records cannot be read ({name_of(exc)}); check their address") from exc
    finally:
        engine.dispose()


@dataclass(slots=True)
class _Verification:
    """One pass over the trail, then one over each table."""

    connection: Connection
    chain: Chain
    noted: tuple[int, str] | None
    problems: list[str] = field(default_factory=list)
    emptied: dict[int, str] = field(default_factory=dict)
    """Hash of each row that was erased, as it was left, by its line."""

    def run(self) -> Verified:
        lines, last = self._verify_lines()
        self._verify_head(lines, last)
        for table, created in ((predictions, ("prediction",)), (attachments, ("outcome", "feedback"))):
            self._verify_rows(table, created)
        return Verified(lines, last, tuple(self.problems))

    def _verify_lines(self) -> tuple[int, str]:
        number, before, is_noted = 0, START, self.noted is None or self.noted == (0, START)
        for row in self._all(audit):
            line, found = list(row)[:-1], row.hash
            if row.line != number + 1:
                self.problems.append(f"audit lines {number + 1} to {row.line - 1} were removed")
            elif self.chain.link(before, line) != found:
                self.problems.append(f"audit line {row.line} was changed, or is not the next one")
            if row.event == "erased":
                self.emptied[row.of_line] = row.row_hash
            number, before = row.line, found
            is_noted = is_noted or (number, before) == self.noted
        if not is_noted:
            self.problems.append("the audit trail does not contain the head that was noted")
        return number, before

    def _verify_head(self, lines: int, last: str) -> None:
        found = self.connection.execute(select(head.c.lines, head.c.hash, head.c.seal)).first()
        if found is None or found.seal != self.chain.seal(found.lines, found.hash):
            self.problems.append("the seal on the end of the audit trail is not of this key, or was changed")
        elif (found.lines, found.hash) != (lines, last):
            self.problems.append(
                f"the audit trail ends at line {lines}, and was sealed at line {found.lines}"
            )

    def _verify_rows(self, table: Table, created: tuple[str, ...]) -> None:
        lines = select(audit.c.line, audit.c.row_hash).where(audit.c.event.in_(created))
        expected = lines.subquery()
        joined = select(expected.c.row_hash, table).outerjoin_from(
            expected, table, expected.c.line == table.c.line
        )
        seen = 0
        for row in self._stream(joined.add_columns(expected.c.line.label("told")).order_by(expected.c.line)):
            values = row._mapping
            if values[table.c.line] is None:
                self.problems.append(f"{table.name}: the row of audit line {row.told} was removed")
                continue
            seen += 1
            wanted = self.emptied.get(row.told, row.row_hash)
            by_name = {column.name: values[column] for column in table.columns}
            if self.chain.row(row_values(table, by_name)) != wanted:
                self.problems.append(f"{table.name}: the row of audit line {row.told} was changed")
        stored = self.connection.execute(select(func.count()).select_from(table)).scalar_one()
        if stored != seen:
            self.problems.append(f"{table.name}: {stored - seen} rows that the audit trail does not tell of")

    def _all(self, table: Table) -> Iterator[Row[Any]]:
        return self._stream(select(table).order_by(table.c.line))

    def _stream(self, query: Any) -> Iterator[Row[Any]]:
        yield from self.connection.execution_options(yield_per=_AT_ONCE).execute(query)


def _read_noted(noted: str | None) -> tuple[int, str] | None:
    if noted is None:
        return None
    found = _NOTED.fullmatch(noted)
    if found is None:
        raise RecordsError("a head is written LINES:HASH, as an earlier verify-audit has printed it")
    return int(found[1]), found[2]


def _one_state(dialect: str) -> dict[str, Any]:
    # SQLite's readers see one state anyway; PostgreSQL's must ask for it.
    return {"reading": True} if dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}

"""Append to the audit trail, within the transaction of what it tells of."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from serving.records.tables import attachments, audit, head, predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import BindParameter, Connection, Dialect, Table

    from serving.records.chain import Chain

__all__ = ["LAST", "Statements", "Trail", "as_time", "row_values"]

LAST: Final = select(head.c.lines, head.c.hash).with_for_update()
"""The end of the trail; on PostgreSQL it also lets only one transaction append at a time, as SQLite does."""

_NAMES: Final = {
    table.name: tuple(column.name for column in table.columns) for table in (predictions, attachments, audit)
}
_VALUES: Final = {name: itemgetter(*columns) for name, columns in _NAMES.items()}


class Statements:
    """What is executed for each batch, as the text of one dialect: compiling costs more than running.

    Parameters
    ----------
    dialect : Dialect
        With parameters by position, which cost half of what named ones do.
    """

    def __init__(self, dialect: Dialect) -> None:
        move = update(head).values({name: bindparam(name) for name in ("lines", "hash", "seal")})
        self.last = str(LAST.compile(dialect=dialect))
        self.move = str(move.compile(dialect=dialect))
        self._dialect = dialect
        self._inserts: dict[tuple[str, int], str] = {}

    def insert(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, many with each statement: between any two, this thread has to wait for its turn.

        Parameters
        ----------
        connection : Connection
        table : Table
        rows : sequence of mapping
            With a value for each column.
        """
        done = 0
        while done < len(rows):
            count = 1 << (len(rows) - done).bit_length() - 1  # powers of two: few statements to remember
            part = rows[done : done + count]
            values = tuple(chain.from_iterable(map(_VALUES[table.name], part)))
            connection.exec_driver_sql(self._insert(table, count), values)
            done += count

    def _insert(self, table: Table, count: int) -> str:
        text = self._inserts.get((table.name, count))
        if text is None:
            rows: list[dict[str, BindParameter[Any]]] = [
                {name: bindparam(f"{name}_{i}") for name in _NAMES[table.name]} for i in range(count)
            ]
            text = str(insert(table).values(rows).compile(dialect=self._dialect))
            self._inserts[table.name, count] = text
        return text


def as_time(moment: datetime) -> str:
    """Write a moment as the records do.

    Examples
    --------
    >>> as_time(datetime(2026, 11, 23, 6, 5, tzinfo=UTC))
    '2026-11-23T06:05:00.000000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # in place of +00:00


def row_values(table: Table, values: Mapping[str, Any]) -> list[Any]:
    """Give what a row's hash is made of: the table's name, then its columns in their order."""
    return [table.name, *_VALUES[table.name](values)]


class Trail:
    """The end of the trail, held by one transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction; it waits here until no other appends.
    chain : Chain
    statements : Statements
        Of the connection's dialect.
    """

    def __init__(self, connection: Connection, chain: Chain, statements: Statements) -> None:
        self._connection = connection
        self._chain = chain
        self._statements = statements
        self._lines, self._hash = connection.exec_driver_sql(statements.last).one()
        self._new: list[dict[str, Any]] = []

    @property
    def next_line(self) -> int:
        """Number of the next line; the first is 1."""
        return int(self._lines) + 1

    def append(self, event: str, table: Table, values: Mapping[str, Any], caller: str, at: str) -> None:
        """Add a line that tells of a row.

        Parameters
        ----------
        event : str
            prediction, outcome, feedback or erased.
        table : Table
        values : mapping
            The row as it is after the event.
        caller : str
        at : str
            From `as_time`.
        """
        row = {
            "line": self.next_line,
            "at": at,
            "event": event,
            "prediction_id": values["id" if table is predictions else "prediction_id"],
            "of_line": values["line"],
            "caller": caller,
            "row_hash": self._chain.row(row_values(table, values)),
        }
        self._hash = row["hash"] = self._chain.link(self._hash, list(row.values()))
        self._lines += 1
        self._new.append(row)

    def write(self) -> None:
        """Write the new lines and the new end."""
        if self._new:
            self._statements.insert(self._connection, audit, self._new)
            end = (self._lines, self._hash, self._chain.seal(self._lines, self._hash))
            self._connection.exec_driver_sql(self._statements.move, end)
            self._new = []

"""Write and read the records: each batch is one transaction, together with its lines of the audit trail."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import bindparam, select, update

from serving.records.chain import RecordsError
from serving.records.database import FAILURES, file_of, is_disconnect, name_of, open_engine, read_url
from serving.records.entries import Attachment, Prediction, RecordsUnavailable
from serving.records.migrating import check_head, revision_of
from serving.records.tables import REVISION, attachments, head, predictions
from serving.records.trail import Statements, Trail, as_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Row, Table

    from serving.records.chain import Chain

__all__ = ["Store", "StoredPrediction"]

Result = TypeVar("Result")

_ERASED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """A prediction that was read back.

    Parameters
    ----------
    prediction_id, made_at, kind, model, version, digest : str
    inputs, outputs : str or None
        JSON; None if not kept, or erased.
    """

    prediction_id: str
    made_at: str
    kind: str
    model: str
    version: str
    digest: str
    inputs: str | None
    outputs: str | None


class Store:
    """One connection to the records, for one thread; opened on first use, and anew after a failure.

    Every method raises `RecordsUnavailable` if the database is away, locked, full or no longer the one
    that was opened.

    Parameters
    ----------
    records : str
        Address, as `database.read_url` takes.
    chain : Chain
    """

    def __init__(self, records: str, chain: Chain) -> None:
        url = read_url(records)
        file = file_of(url)
        # SQLite goes on writing to a file, or a write-ahead log, that was removed.
        self._files = () if file is None else (file, file.with_name(f"{file.name}-wal"))
        self._engine = open_engine(url)
        self._statements = Statements(self._engine.dialect)
        self._chain = chain
        self._connection: Connection | None = None
        self._is_checked = False
        self._opened: list[tuple[int, int]] = []

    def write(self, batch: Sequence[Prediction | Attachment]) -> list[bool]:
        """Store predictions and attachments in one transaction.

        Parameters
        ----------
        batch : sequence of Prediction or Attachment

        Returns
        -------
        list of bool
            For each, whether it was stored: an attachment of no known prediction is not.
        """
        return self._transact(lambda connection: self._write(connection, batch))

    def probe(self) -> None:
        """See whether the records can be written to, by writing their end as it is."""
        self._transact(lambda connection: connection.execute(update(head).values(id=head.c.id)))

    def erase_patient(self, patient: str, caller: str) -> int:
        """Erase the content of all records of a patient.

        Parameters
        ----------
        patient : str
            What callers called the patient.
        caller : str
            Who erases, for the audit trail.

        Returns
        -------
        int
            Number of predictions whose content was erased.
        """
        return self._erase(predictions.c.pseudonym == self._chain.pseudonym(patient), caller)

    def erase_before(self, moment: datetime, caller: str) -> int:
        """Erase the content of all predictions made before a moment, and of what came back to them."""
        return self._erase(predictions.c.made_at < as_time(moment), caller)

    def find(self, prediction_id: str) -> StoredPrediction | None:
        """Read a prediction."""
        found = self._read(predictions.c.id == prediction_id, 1)
        return found[0] if found else None

    def newest(self, count: int) -> list[StoredPrediction]:
        """Read the newest predictions whose inputs are kept, the newest first."""
        return self._read(predictions.c.inputs.is_not(None), count)

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        connection, self._connection, self._is_checked = self._connection, None, False
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _write(self, connection: Connection, batch: Sequence[Prediction | Attachment]) -> list[bool]:
        trail = Trail(connection, self._chain, self._statements)
        known = _known(connection, batch)
        stored = [entry.prediction_id in known for entry in batch]
        new: dict[Table, list[dict[str, Any]]] = {predictions: [], attachments: []}
        for entry in (entry for entry, is_stored in zip(batch, stored, strict=True) if is_stored):
            if isinstance(entry, Prediction):
                values = _prediction_row(entry, trail.next_line)
                trail.append("prediction", predictions, values, entry.caller, values["made_at"])
                new[predictions].append(values)
            else:
                values = _attachment_row(entry, trail.next_line)
                trail.append(entry.kind, attachments, values, entry.caller, values["received_at"])
                new[attachments].append(values)
        for table, rows in new.items():
            self._statements.insert(connection, table, rows)
        trail.write()
        return stored

    def _read(self, condition: ColumnElement[bool], count: int) -> list[StoredPrediction]:
        c = predictions.c
        columns = (c.id, c.made_at, c.kind, c.model, c.version, c.digest, c.inputs, c.outputs)
        query = select(*columns).where(condition).order_by(c.line.desc()).limit(count)
        return self._transact(
            lambda connection: [StoredPrediction(*row) for row in connection.execute(query)]
        )

    def _erase(self, condition: ColumnElement[bool], caller: str) -> int:
        erased = 0
        # In parts: predictions are recorded in between.
        while count := self._transact(lambda connection: self._erase_some(connection, condition, caller)):
            erased += count
        if erased and self._files:
            self._empty_log()
        return erased

    def _empty_log(self) -> None:
        """Cut SQLite's write-ahead log, which still holds what was erased; a reader in between delays it."""
        try:
            if self._connection is not None:
                raw = self._connection.connection.driver_connection
                if raw is not None:
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        except FAILURES as exc:
            self._forget()
            raise RecordsUnavailable(name_of(exc)) from exc

    def _erase_some(self, connection: Connection, condition: ColumnElement[bool], caller: str) -> int:
        trail = Trail(connection, self._chain, self._statements)
        chosen = select(predictions).where(condition, predictions.c.erased_at.is_(None))
        rows = connection.execute(chosen.order_by(predictions.c.line).limit(_ERASED_AT_ONCE)).all()
        of_them = select(attachments).where(attachments.c.prediction_id.in_([row.id for row in rows]))
        _empty(connection, trail, predictions, rows, ("inputs", "outputs", "pseudonym"), caller)
        _empty(connection, trail, attachments, connection.execute(of_them).all(), ("content",), caller)
        trail.write()
        return len(rows)

    def _transact(self, work: Callable[[Connection], Result]) -> Result:
        is_fresh = self._connection is None
        is_done = False
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                self._check_once(self._connection)
                result = work(self._connection)
                self._check_files(self._files[:1])
                is_done = True
            self._check_files(self._files)  # once more: they may have gone while they were written to
        except (*FAILURES, RecordsUnavailable) as exc:
            self._forget()
            if not is_fresh and not is_done and is_disconnect(exc):
                return self._transact(work)  # the server was started anew since; nothing has been written
            raise RecordsUnavailable(name_of(exc)) from exc
        return result

    def _check_once(self, connection: Connection) -> None:
        if self._is_checked:
            return
        if revision_of(connection) != REVISION:
            raise RecordsUnavailable("its tables are not of this release")
        try:
            check_head(connection, self._chain)
        except RecordsError as exc:
            raise RecordsUnavailable(str(exc)) from exc
        self._opened = _identity(self._files)
        self._is_checked = True

    def _check_files(self, files: Sequence[Path]) -> None:
        if files and self._opened[: len(files)] != _identity(files):
            raise RecordsUnavailable("the file was moved or removed")

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # closed, whatever state it is in
        with suppress(*FAILURES):
            self.close()


def _known(connection: Connection, batch: Sequence[Prediction | Attachment]) -> set[str]:
    """Predictions that are in the batch, or stored and not erased."""
    known = {entry.prediction_id for entry in batch if isinstance(entry, Prediction)}
    asked = {entry.prediction_id for entry in batch if isinstance(entry, Attachment)} - known
    if asked:
        query = select(predictions.c.id).where(predictions.c.id.in_(asked), predictions.c.erased_at.is_(None))
        known |= set(connection.execute(query).scalars())
    return known


def _prediction_row(entry: Prediction, line: int) -> dict[str, Any]:
    return {
        "id": entry.prediction_id,
        "line": line,
        "made_at": as_time(entry.made_at),
        "caller": entry.caller,
        "surface": entry.surface,
        "kind": entry.kind,
        "model": entry.model,
        "version": entry.version,
        "digest": entry.digest,
        "inputs": entry.inputs,
        "outputs": entry.outputs,
        "pseudonym": entry.pseudonym,
        "erased_at": None,
    }


def _attachment_row(entry: Attachment, line: int) -> dict[str, Any]:
    return {
        "line": line,
        "prediction_id": entry.prediction_id,
        "kind": entry.kind,
        "received_at": as_time(entry.received_at),
        "caller": entry.caller,
        "content": entry.content,
        "erased_at": None,
    }


def _empty(
    connection: Connection,
    trail: Trail,
    table: Table,
    rows: Sequence[Row[Any]],
    content: tuple[str, ...],
    caller: str,
) -> None:
    """Empty the columns that tell of a patient; that there was a row, and its hash, stay."""
    if not rows:
        return
    now = as_time(datetime.now(UTC))
    emptied = dict.fromkeys(content) | {"erased_at": now}
    for row in rows:
        trail.append("erased", table, row._asdict() | emptied, caller, now)
    change = update(table).where(table.c.line == bindparam("of_line")).values(emptied)
    connection.execute(change, [{"of_line": row.line} for row in rows])


def _identity(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Which files are at these paths."""
    found = [path.stat() for path in files]
    return [(status.st_dev, status.st_ino) for status in found]

"""The tables of the records, as SQLAlchemy Core knows them; `migrations` makes them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

__all__ = ["METADATA", "REVISION", "attachments", "audit", "head", "predictions"]

REVISION: Final = "0001"
"""Newest revision of the tables, which the service writes."""

METADATA: Final = MetaData()
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
_TIME: Final = String(27)  # ISO 8601 in UTC with microseconds: sorts as text
_HASH: Final = String(64)

predictions: Final = Table(
    "predictions",
    METADATA,
    Column("line", _NUMBER, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("made_at", _TIME, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("surface", String(8), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("model", String(200), nullable=False),
    Column("version", String(50), nullable=False),
    Column("digest", _HASH, nullable=False),
    Column("inputs", Text),
    Column("outputs", Text),
    Column("pseudonym", _HASH),
    Column("erased_at", _TIME),
    Index("predictions_of_patient", "pseudonym"),
    Index("predictions_by_time", "made_at"),
)
"""`line` is that of the audit trail which tells of the row."""

attachments: Final = Table(
    "attachments",
    METADATA,
    Column("line", _NUMBER, primary_key=True, autoincrement=False),
    Column("prediction_id", String(36), ForeignKey("predictions.id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),
    Column("received_at", _TIME, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("content", Text),
    Column("erased_at", _TIME),
)

audit: Final = Table(
    "audit",
    METADATA,
    Column("line", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", _TIME, nullable=False),
    Column("event", String(12), nullable=False),
    Column("prediction_id", String(36), nullable=False),
    Column("of_line", _NUMBER, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("row_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
)
"""Append-only: triggers refuse a change. `of_line` is the line of the row that `row_hash` is of."""

head: Final = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lines", _NUMBER, nullable=False),
    Column("hash", _HASH, nullable=False),
    Column("seal", _HASH, nullable=False),
)
"""One row: how many lines there are, the hash of the last, and a keyed hash of both."""

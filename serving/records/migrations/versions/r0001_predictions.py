"""Predictions, what came back to them, and the audit trail.

There is no way back: a revision never drops what was recorded.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

_REFUSAL: Final = "the audit trail is append-only"


def upgrade() -> None:
    """Make the tables, and the triggers that keep the audit trail append-only."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "predictions",
        sa.Column("line", number, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("made_at", sa.String(27), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("surface", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("version", sa.String(50), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("inputs", sa.Text),
        sa.Column("outputs", sa.Text),
        sa.Column("pseudonym", sa.String(64)),
        sa.Column("erased_at", sa.String(27)),
    )
    op.create_index("predictions_of_patient", "predictions", ["pseudonym"])
    op.create_index("predictions_by_time", "predictions", ["made_at"])
    op.create_table(
        "attachments",
        sa.Column("line", number, primary_key=True, autoincrement=False),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.id"), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("received_at", sa.String(27), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("content", sa.Text),
        sa.Column("erased_at", sa.String(27)),
    )
    op.create_index("ix_attachments_prediction_id", "attachments", ["prediction_id"])
    op.create_table(
        "audit",
        sa.Column("line", number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("event", sa.String(12), nullable=False),
        sa.Column("prediction_id", sa.String(36), nullable=False),
        sa.Column("of_line", number, nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lines", number, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )

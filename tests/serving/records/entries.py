"""Predictions and what comes back to them, for tests of the store."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from serving.records.entries import Attachment, Prediction

MADE_AT = datetime(2026, 11, 23, 6, 5, 4, 321, UTC)


def prediction(**changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "prediction_id": str(uuid4()),
        "made_at": MADE_AT,
        "caller": "clinic",
        "surface": "api",
        "kind": "predict",
        "model": "ketamine-trd",
        "version": "3",
        "digest": "d" * 64,
        "inputs": '{"patient":{"age":46.0,"sex":"female"},"note":"ümlaut and \\u0000"}',
        "outputs": '{"response":{"probability":0.1234567890123456789}}',
        "pseudonym": None,
    }
    return Prediction(**values | changes)


def outcome_of(entry: Prediction, content: str = '{"endpoint":7.0}') -> Attachment:
    return Attachment(entry.prediction_id, "outcome", MADE_AT, "clinic", content)

"""What an operator can set of the records."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["RecordsSettings"]


class RecordsSettings(BaseSettings):
    """Settings of the records; part of the service's."""

    records: str = Field(
        "sqlite:///.records/records.sqlite",
        min_length=1,
        repr=False,  # may hold a password
        description="Where every prediction is stored before it is answered: sqlite:///FILE, "
        "postgresql://USER@HOST/DATABASE, or off.",
    )
    records_key: Path = Field(
        Path(".records/records.key"),
        description="File of the key of the audit trail and of pseudonyms; made at first use.",
    )
    records_inputs: bool = Field(
        True, description="Whether inputs are stored too; without them no prediction can be replayed."
    )
    records_days: int = Field(
        0, ge=0, le=36_500, description="Days after which the content of a record is erased; 0 never."
    )

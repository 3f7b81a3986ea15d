"""What an operator can set of the page."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["PageSettings"]


class PageSettings(BaseSettings):
    """Settings of the page."""

    reports: Path | None = Field(
        None,
        description="Folder of reports, one a version: NAME/VERSION/report.html; the page links to that of "
        "the version which answers.",
    )

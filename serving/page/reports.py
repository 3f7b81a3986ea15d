"""The report of the version that answers, from the operator's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from serving.loading import Served

__all__ = ["REPORT_POLICY", "find_report"]

REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""A report is one file with its style inside and no script."""


def find_report(reports: Path | None, served: Served) -> Path | None:
    """Find the report of a version.

    Parameters
    ----------
    reports : Path or None
        As set by the operator.
    served : Served
        Its name and version, which no request can choose, are the folders.

    Returns
    -------
    Path or None
        None if it is not there: no report of another version stands in for it.
    """
    if reports is None:
        return None
    path = reports / served.name / served.version / "report.html"
    return path if path.is_file() else None

"""What a person is told of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from training.diagnostics.run import is_acknowledged

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console

    from training.diagnostics.findings import Finding

__all__ = ["print_findings"]


def print_findings(findings: Collection[Finding], acknowledged: Collection[str], console: Console) -> None:
    """Print a line for each finding: a severe one that was acknowledged says so.

    Parameters
    ----------
    findings : collection of Finding
    acknowledged : collection of str
    console : Console
    """
    for finding in findings:
        known = finding.severe and is_acknowledged(finding, acknowledged)
        mark = " Severe, acknowledged." if known else ""
        text = f"{finding.check} ({finding.where}): {finding.evidence} {finding.advice}{mark}"
        console.print(f"[yellow]![/yellow] {escape(text)}", highlight=False)

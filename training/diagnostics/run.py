"""All diagnostics of a cohort, and whether a fit may start."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from features.errors import UserError
from training.diagnostics import (
    after_landmark,
    duplicates,
    identifiers,
    implausible,
    missingness,
    separates,
    sites,
)
from training.diagnostics.after_landmark import find_after_landmark
from training.diagnostics.columns import columns_of
from training.diagnostics.duplicates import find_duplicates
from training.diagnostics.identifiers import find_identifiers, find_telling_ids
from training.diagnostics.missingness import find_missing_with_endpoint, find_telling_gaps
from training.diagnostics.separates import find_separating
from training.diagnostics.separation import make_trial
from training.diagnostics.sites import find_constant_by_group, find_shifts

if TYPE_CHECKING:
    from collections.abc import Collection

    from features.cohort import Cohort
    from training.diagnostics.findings import Finding

__all__ = ["CHECKS", "check_findings", "check_names", "diagnose", "is_acknowledged"]

CHECKS: Final = (
    separates.CHECK,
    after_landmark.CHECK,
    missingness.MISSING_WITH,
    missingness.TELLS,
    duplicates.CHECK,
    identifiers.IDENTIFIER,
    identifiers.ID_TELLS,
    identifiers.REPEATED,
    identifiers.ROW_ORDER,
    sites.SHIFT,
    sites.CONSTANT,
    implausible.CHECK,
)
"""Names of all diagnostics; `docs/diagnostics.md` explains each."""


def diagnose(cohort: Cohort) -> tuple[Finding, ...]:
    """Look for leaks and faults of design in a cohort.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    tuple of Finding
        Severe ones first. What a cohort is too small to tell is not looked for; nothing is learned that a
        model would use.
    """
    columns, trial = columns_of(cohort), make_trial(cohort)
    found: list[Finding] = []
    if trial is not None:
        found += find_separating(columns, trial)
    found += find_after_landmark(columns, cohort)
    found += find_missing_with_endpoint(columns, cohort)
    found += find_telling_gaps(columns, cohort)
    found += find_duplicates(columns, cohort)
    found += find_identifiers(columns, cohort, trial)
    found += find_telling_ids(cohort, trial)
    found += find_shifts(columns, cohort)
    found += find_constant_by_group(columns, cohort)
    return tuple(sorted(found, key=lambda finding: not finding.severe))


def check_names(acknowledged: Collection[str]) -> None:
    """Refuse to acknowledge what no diagnostic is called, such as a misspelt name.

    Parameters
    ----------
    acknowledged : collection of str
        `CHECK` or `CHECK:WHERE`.

    Raises
    ------
    UserError
        If a name is not known.
    """
    for name in acknowledged:
        if name.split(":", maxsplit=1)[0] not in CHECKS:
            raise UserError(
                f"--acknowledge {name} is not known; allowed: {', '.join(CHECKS)}, or NAME:COLUMN"
            )


def check_findings(findings: Collection[Finding], acknowledged: Collection[str]) -> None:
    """Stop if something severe was found that nobody has acknowledged.

    Parameters
    ----------
    findings : collection of Finding
    acknowledged : collection of str
        `CHECK` for every finding of a diagnostic, or `CHECK:WHERE` for that of one column.

    Raises
    ------
    UserError
        Naming each severe finding that is not acknowledged, with its evidence and advice, and a name that is
        not known.
    """
    check_names(acknowledged)
    stopping = [f for f in findings if f.severe and not is_acknowledged(f, acknowledged)]
    if not stopping:
        return
    lines = [f"  - {f.check} ({f.where}): {f.evidence} {f.advice}" for f in stopping]
    options = " ".join(f"--acknowledge {shlex.quote(f'{f.check}:{f.where}')}" for f in stopping)
    count = "1 severe finding" if len(stopping) == 1 else f"{len(stopping)} severe findings"
    raise UserError(
        f"{count}; nothing was registered:\n" + "\n".join(lines) + "\nCorrect the table or the cohort file. "
        f"What you have looked into and stand by, acknowledge by name (it is recorded): {options}"
    )


def is_acknowledged(finding: Finding, acknowledged: Collection[str]) -> bool:
    """Whether a finding was acknowledged, alone or with all of its diagnostic."""
    return finding.check in acknowledged or f"{finding.check}:{finding.where}" in acknowledged

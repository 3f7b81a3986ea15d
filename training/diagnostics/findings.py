"""A fault that a diagnostic found, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    Parameters
    ----------
    check : str
        Name of the diagnostic: `separates_outcome`, `after_landmark`, `duplicates`, …; by it a finding is
        acknowledged.
    severe : bool
        Stops `fit` unless acknowledged by name.
    where : str
        Columns or groups concerned; never a patient's value.
    evidence : str
        One sentence with figures.
    advice : str
        One sentence: what to do.
    """

    check: str
    severe: bool
    where: str
    evidence: str
    advice: str

"""Answers to the checklists that the run itself holds, each one sentence or a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from training.report.facts_methods import METHODS
from training.report.facts_patients import PATIENTS
from training.report.facts_results import RESULTS

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["FACTS", "Fact"]

Fact = Callable[["Material"], str | None] | str
"""What the run says, None where it says nothing; a text holds for every model of this program."""

FACTS: Final[Mapping[str, Fact]] = {**PATIENTS, **METHODS, **RESULTS}
"""Every fact by the name that the checklists' data files use."""

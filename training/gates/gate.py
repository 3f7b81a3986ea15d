"""What a gate is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CHECKS", "DATA", "ENDS", "POPULATIONS", "Bound", "Data", "End", "Gate", "Gates", "Population"]

Bound = Literal["at_least", "at_most"]
End = Literal["lower", "estimate", "upper"]
Population = Literal["all", "subgroups", "landmarks", "new_unit", "champion", "check"]
Data = Literal["any", "same", "other"]

ENDS: Final = ("lower", "estimate", "upper")
POPULATIONS: Final = ("all", "subgroups", "landmarks", "new_unit", "champion", "check")
DATA: Final = ("any", "same", "other")
CHECKS: Final = ("reproduced", "logged_answers", "schema", "digest")
"""Facts that are so or not (`training.validation.results.Validation.checks`)."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One criterion a version must pass before it may become champion.

    Parameters
    ----------
    name : str
    metric : str
        A figure, or for `population` "check" the name of a check.
    population : {"all", "subgroups", "landmarks", "new_unit", "champion", "check"}
        For whom the figure is judged.
    bound : {"at_least", "at_most"}
    value : float
        Of the bound.
    judged_on : {"lower", "estimate", "upper"}
        End of the 95 % interval that must keep the bound.
    outcomes : tuple of str
    minimum_events : int
        Of the rarer class; below it there is too little data to say.
    too_little_passes, absent_passes : bool
        Whether it is enough that the figure cannot be said to fail, or was not measured at all.
    data : {"any", "same", "other"}
        Whether the gate is asked of an internal validation, an external one or both.
    why : str
        Reason and source.
    """

    name: str
    metric: str
    population: Population
    bound: Bound = "at_least"
    value: float = 1.0
    judged_on: End = "estimate"
    outcomes: tuple[str, ...] = ()
    minimum_events: int = 0
    too_little_passes: bool = False
    absent_passes: bool = False
    data: Data = "any"
    why: str = ""

    def keeps(self, number: float) -> bool:
        """Whether a number keeps the bound; an undefined one does not."""
        return number >= self.value if self.bound == "at_least" else number <= self.value

    def describe(self) -> str:
        """Say the bound in words.

        Examples
        --------
        >>> Gate("skill", "brier_skill", "all", "at_least", 0.0, "lower").describe()
        'lower end at least 0'
        """
        if self.population == "check":
            return "holds"
        end = "estimate" if self.judged_on == "estimate" else f"{self.judged_on} end"
        return f"{end} {self.bound.replace('_', ' ')} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Gates:
    """All gates of a file.

    Parameters
    ----------
    origin : str
        Name of the file, for messages.
    digest : str
        SHA-256 of its text, hexadecimal.
    gates : tuple of Gate
    """

    origin: str
    digest: str
    gates: tuple[Gate, ...]

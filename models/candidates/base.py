"""What a candidate is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from models.inputs import TrainingSet
    from models.scores import Score

__all__ = ["Candidate", "Params", "Trial"]

Params = Mapping[str, float]
"""Hyperparameters by name."""


class Trial(Protocol):
    """The part of an Optuna trial that search spaces use."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Draw a real hyperparameter."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Draw a whole hyperparameter."""


class Candidate(Protocol):
    """A learning algorithm with its search space.

    Attributes
    ----------
    name : str
    trials : int
        How many settings the search may try; 0 if there is nothing to set.
    default : Params
        The setting tried first.
    minimum_events : int
        Patients needed in the rarer class before the candidate is tried at all.
    """

    name: str
    trials: int
    default: ClassVar[Params]
    minimum_events: int

    def suggest(self, trial: Trial) -> Params:
        """Draw one setting from the search space."""

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:
        """Learn from training patients; same seed, same result."""

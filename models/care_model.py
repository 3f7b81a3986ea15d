"""Everything that one fit learned of a cohort's care: what is saved, registered and served together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from features.cohort_file_model import BASELINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from models.durability import DurabilityModel
    from models.learned_from import LearnedFrom
    from models.plan_model import PlanModel
    from models.response_model import ResponseModel
    from models.stopping import StoppingRule

__all__ = ["CareModel", "Part"]


class Part(Protocol):
    """A part of a care model that knows how to be written as plain values and arrays."""

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give values that JSON can write, and arrays of numbers."""

    @classmethod
    def unpack(cls, text: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Make the same part of what `pack` gave."""


@dataclass(frozen=True)
class CareModel:
    """The models of a cohort.

    Parameters
    ----------
    landmarks : mapping of str to ResponseModel
        By landmark, in the order of the course; "baseline" is the first. Those of later landmarks have the
        cohort file that `CohortFile.at` gives.
    plans : PlanModel or None
    durability : DurabilityModel or None
    stopping : StoppingRule or None
    learned_from : LearnedFrom or None
        None of a model that no cohort was fitted for (`training.fit` always tells it).
    """

    landmarks: Mapping[str, ResponseModel]
    plans: PlanModel | None = None
    durability: DurabilityModel | None = None
    stopping: StoppingRule | None = None
    learned_from: LearnedFrom | None = None

    @property
    def baseline(self) -> ResponseModel:
        """The model that predicts before treatment."""
        return self.landmarks[BASELINE]

    @property
    def cohort_file(self) -> CohortFile:
        """The whole cohort file, as it was written."""
        return self.baseline.cohort_file

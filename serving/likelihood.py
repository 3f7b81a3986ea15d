"""A probability as the service writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from models.scorer import Likelihood

__all__ = ["ProbabilityWithInterval", "describe_likelihood"]


class ProbabilityWithInterval(BaseModel):
    """A probability and how sure the model is of it."""

    probability: float = Field(ge=0, le=1)
    interval: tuple[float, float] = Field(description="Lower and upper end, at the stated level.")
    level: float = Field(description="Share of patients whose true probability lies in their interval.")


def describe_likelihood(likelihood: Likelihood, level: float) -> dict[str, Any]:
    """Write a probability as `ProbabilityWithInterval` describes it.

    Parameters
    ----------
    likelihood : Likelihood
    level : float

    Returns
    -------
    dict
    """
    return {
        "probability": likelihood.probability,
        "interval": (likelihood.low, likelihood.high),
        "level": level,
    }

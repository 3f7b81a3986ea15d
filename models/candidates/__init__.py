"""Candidates: learning algorithms with their search spaces, the simplest first."""

from __future__ import annotations

from models.candidates.base import Candidate, Params, Trial
from models.candidates.linear import ElasticNet, Prevalence, Ridge
from models.candidates.trees import Boosting, RandomForest

__all__ = ["AVERAGE", "CANDIDATES", "Candidate", "Params", "Trial"]

CANDIDATES: tuple[Candidate, ...] = (Prevalence(), Ridge(), ElasticNet(), RandomForest(), Boosting())
"""In order of simplicity: between candidates that predict equally well the first one wins."""

AVERAGE = "average"
"""Mean on the logit scale of every candidate but the floor; the least simple of all."""

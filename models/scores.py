"""Fitted candidates: each gives a logit, and the additive contributions that make it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import xgboost as xgb
from scipy.special import expit
from scipy.special import logit as to_logit

from features.tree_columns import tree_column_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.encoder import Encoder
    from models.inputs import Inputs

__all__ = ["AverageScore", "LinearScore", "Score", "TreeScore", "clip_probability"]

_FLOOR = 1e-3  # a forest's leaf may hold one class only; no patient is certain


class Score(Protocol):
    """A fitted candidate: what it says of patients, in logits."""

    @property
    def reference(self) -> float:
        """Logit of the average patient, from which contributions are counted."""

    def logit(self, inputs: Inputs) -> NDArray[np.float64]:
        """Logit of the outcome, shape (n,)."""

    def contributions(self, inputs: Inputs) -> NDArray[np.float64]:
        """Logits added by each column of an encoded row, shape (n, m); they sum to logit - reference."""


@dataclass(frozen=True)
class LinearScore:
    """A logistic regression, with the weights that hold on each plan.

    Parameters
    ----------
    weights : ndarray of shape (n_plans or 1, 1 + n_base)
        Intercept and weights of the base columns, a row for each plan.
    reference : float
        Mean intercept over the training rows' plans.
    """

    weights: NDArray[np.float64]
    reference: float

    def logit(self, inputs: Inputs) -> NDArray[np.float64]:
        """Logit of the outcome, shape (n,)."""
        result = np.empty(len(inputs))
        for plan, rows in inputs.by_plan:
            result[rows] = inputs.with_intercept[rows] @ self.weights[plan]
        return result

    def contributions(self, inputs: Inputs) -> NDArray[np.float64]:
        """Exact contributions: weight times scaled value, summed over a predictor's columns."""
        weights = self.weights[inputs.plans]
        encoder = inputs.encoder
        result: NDArray[np.float64] = (inputs.base * weights[:, 1:]) @ encoder.membership_
        if encoder.n_plans_:
            result[:, -1] = weights[:, 0] - self.reference
        return result


@dataclass(frozen=True)
class TreeScore:
    """Boosted trees or a forest, in XGBoost's own format.

    Parameters
    ----------
    booster : xgboost.Booster
    forest : bool
        True if the margin is a probability (a forest grown on squared error), not a logit.
    """

    booster: xgb.Booster
    forest: bool
    reference: float

    def logit(self, inputs: Inputs) -> NDArray[np.float64]:
        """Logit of the outcome, shape (n,)."""
        margin = self.booster.inplace_predict(inputs.trees, predict_type="margin").astype(np.float64)
        return to_logit(clip_probability(margin)) if self.forest else margin

    def contributions(self, inputs: Inputs) -> NDArray[np.float64]:
        """TreeSHAP (Lundberg et al., Nat Mach Intell 2020;2:56-67), summed over a predictor's columns.

        A forest's contributions add up on the probability scale; they are stretched to the logit
        scale by one factor for each patient, so that they keep their proportions and their sum.
        """
        raw = self.booster.predict(xgb.DMatrix(inputs.trees), pred_contribs=True).astype(np.float64)
        result = np.zeros((len(inputs), inputs.rows.shape[1]))
        np.add.at(result.T, tree_column_sources(inputs.encoder.cohort_file), raw[:, :-1].T)
        target = self.logit(inputs) - self.reference
        total = result.sum(axis=1)
        p = expit(self.reference)
        at_reference = 1 / (p * (1 - p)) if self.forest else 1.0  # the limit where contributions cancel
        far = np.abs(total) > 1e-6
        factor = np.divide(target, total, out=np.full_like(total, at_reference), where=far)
        stretched: NDArray[np.float64] = result * factor[:, None]
        return stretched


@dataclass(frozen=True)
class AverageScore:
    """Mean of several candidates on the logit scale.

    Parameters
    ----------
    members : tuple of Score
    """

    members: tuple[Score, ...]

    @property
    def reference(self) -> float:
        """Mean of the members' references."""
        return float(np.mean([member.reference for member in self.members]))

    def logit(self, inputs: Inputs) -> NDArray[np.float64]:
        """Logit of the outcome, shape (n,)."""
        result: NDArray[np.float64] = np.mean([member.logit(inputs) for member in self.members], axis=0)
        return result

    def contributions(self, inputs: Inputs) -> NDArray[np.float64]:
        """Mean of the members' contributions."""
        parts = [member.contributions(inputs) for member in self.members]
        result: NDArray[np.float64] = np.mean(parts, axis=0)
        return result


def clip_probability(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep a probability away from 0 and 1, where its logit is infinite."""
    return np.clip(probability, _FLOOR, 1 - _FLOOR)


def linear_score(
    encoder: Encoder, design_weights: NDArray[np.float64], plan_shares: NDArray[np.float64]
) -> LinearScore:
    """Fold a design's weights into one row of weights for each plan.

    Parameters
    ----------
    encoder : Encoder
        Fitted; says which design columns belong to a plan.
    design_weights : ndarray of shape (n_design,)
    plan_shares : ndarray of shape (n_plans or 1,)
        Share of the training rows on each plan.

    Returns
    -------
    LinearScore
    """
    weights = np.tile(design_weights[: 1 + len(encoder.sources_)], (len(plan_shares), 1))
    for plan in range(encoder.n_plans_):
        own = design_weights[encoder.plan_columns(plan)].sum(axis=0)
        weights[plan, : len(own)] += own
    return LinearScore(weights, float(plan_shares @ weights[:, 0]))

"""Linear candidates: the floor, the ridge posterior's mean, and elastic-net logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import logit

from features.encoder import BLOCKS
from models.candidates.base import Params
from models.scores import LinearScore, Score, linear_score

if TYPE_CHECKING:
    from models.candidates.base import Trial
    from models.inputs import TrainingSet

__all__ = ["ElasticNet", "Prevalence", "Ridge"]

_PLAN_TERMS = [k for k, name in enumerate(BLOCKS) if name.startswith(("plan_", "variant_"))]


class Prevalence:
    """Plan-wise prevalence: the floor that every other candidate must beat."""

    name = "prevalence"
    trials = 0
    default: ClassVar[Params] = {}
    minimum_events = 0

    def suggest(self, trial: Trial) -> Params:  # noqa: ARG002
        """Nothing to set."""
        return {}

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:  # noqa: ARG002
        """Logit of the share with the outcome on each plan, shrunk by two patients to the share of all."""
        plans = train.inputs.plans
        size = len(train.plan_shares)
        overall = (train.y.sum() + 0.5) / (len(train.y) + 1)  # Jeffreys: never 0 or 1
        events = np.bincount(plans, weights=train.y, minlength=size) + 2 * overall
        intercepts = logit(events / (np.bincount(plans, minlength=size) + 2))
        weights = np.zeros((size, 1 + len(train.inputs.encoder.sources_)))
        weights[:, 0] = intercepts
        return LinearScore(weights, float(train.plan_shares @ intercepts))


class Ridge:
    """Mean of the posterior that the interval comes from; its penalties are learned in closed form."""

    name = "ridge"
    trials = 0
    default: ClassVar[Params] = {}
    minimum_events = 0

    def suggest(self, trial: Trial) -> Params:  # noqa: ARG002
        """Nothing to set: the prior scales maximise the marginal likelihood."""
        return {}

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:  # noqa: ARG002
        """Take over the posterior mean."""
        return train.ridge.centre


class ElasticNet:
    """Elastic-net logistic regression (Zou and Hastie, J R Stat Soc B 2005;67:301-320)."""

    name = "elastic_net"
    trials = 5
    default: ClassVar[Params] = {"C": 0.02, "l1_ratio": 0.1, "plan_term_scale": 0.5}
    minimum_events = 20

    def suggest(self, trial: Trial) -> Params:
        """Draw strength, mix, and how much harder plan x predictor terms are penalised."""
        return {
            "C": trial.suggest_float("C", 1e-3, 0.3, log=True),
            "l1_ratio": trial.suggest_float("l1_ratio", 0.0, 1.0),
            "plan_term_scale": trial.suggest_float("plan_term_scale", 0.0, 1.0),
        }

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:
        """Fit by SAGA; a column scaled down by k is penalised as if k times as costly."""
        from sklearn.linear_model import LogisticRegression  # half a second that a service need not wait

        encoder = train.inputs.encoder
        scale = np.where(np.isin(encoder.blocks_, _PLAN_TERMS), params["plan_term_scale"], 1.0)
        model = LogisticRegression(
            C=params["C"],
            l1_ratio=params["l1_ratio"],
            solver="saga",
            max_iter=1000,
            tol=5e-3,
            random_state=seed,
        )
        model.fit(train.design[:, 1:] * scale[1:], train.y)
        weights = np.concatenate([model.intercept_, model.coef_[0] * scale[1:]])
        return linear_score(encoder, weights, train.plan_shares)

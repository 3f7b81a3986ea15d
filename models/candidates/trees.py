"""Tree candidates, both grown by XGBoost: a random forest and gradient boosting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xgboost as xgb
from scipy.special import logit

from models.candidates.base import Params
from models.scores import Score, TreeScore, clip_probability

if TYPE_CHECKING:
    from models.candidates.base import Trial
    from models.inputs import TrainingSet

__all__ = ["Boosting", "RandomForest"]


class RandomForest:
    """Random forest (Breiman, Mach Learn 2001;45:5-32), missing values sent down the better branch.

    One round of parallel trees on squared error, without shrinkage, is a probability forest: for a
    0/1 outcome the squared-error split is the Gini split and a leaf's mean is its share of events.
    """

    name = "random_forest"
    trials = 3
    default: ClassVar[Params] = {"min_leaf": 20, "columns": 0.3}
    minimum_events = 20
    trees = 150

    def suggest(self, trial: Trial) -> Params:
        """Draw leaf size and the share of columns looked at for a split."""
        return {
            "min_leaf": trial.suggest_int("min_leaf", 5, 60, log=True),
            "columns": trial.suggest_float("columns", 0.1, 0.6),
        }

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:
        """Grow the forest; rows are drawn without replacement, 63 % for each tree."""
        settings: dict[str, str | float] = {
            "objective": "reg:squarederror",
            "base_score": float(train.y.mean()),
            "num_parallel_tree": self.trees,
            "eta": 1.0,
            "reg_lambda": 0.0,
            "max_depth": 10,
            "subsample": 0.632,
            "colsample_bynode": params["columns"],
            "min_child_weight": params["min_leaf"],
        }
        return _grow(train, settings, rounds=1, seed=seed, forest=True)


class Boosting:
    """Gradient-boosted trees (Chen and Guestrin, KDD 2016), shallow and slow to learn."""

    name = "xgboost"
    trials = 7
    default: ClassVar[Params] = {
        "max_depth": 2,
        "rounds": 120,
        "min_child_weight": 5.0,
        "columns": 0.5,
        "reg_lambda": 5.0,
    }
    minimum_events = 20

    def suggest(self, trial: Trial) -> Params:
        """Draw depth, number of trees, and penalties."""
        return {
            "max_depth": trial.suggest_int("max_depth", 1, 4),
            "rounds": trial.suggest_int("rounds", 40, 300, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 20.0, log=True),
            "columns": trial.suggest_float("columns", 0.2, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.5, 50.0, log=True),
        }

    def fit(self, train: TrainingSet, params: Params, seed: int) -> Score:
        """Boost on log loss from the prevalence."""
        settings: dict[str, str | float] = {
            "objective": "binary:logistic",
            "base_score": float(train.y.mean()),
            "eta": 0.04,
            "subsample": 0.7,
            "max_depth": int(params["max_depth"]),
            "min_child_weight": params["min_child_weight"],
            "colsample_bytree": params["columns"],
            "reg_lambda": params["reg_lambda"],
        }
        return _grow(train, settings, rounds=int(params["rounds"]), seed=seed, forest=False)


def _grow(
    train: TrainingSet, settings: dict[str, str | float], *, rounds: int, seed: int, forest: bool
) -> TreeScore:
    """Train a booster and take the mean of its margins over the training rows as reference."""
    common = {"tree_method": "hist", "seed": seed, "verbosity": 0}
    matrix = xgb.QuantileDMatrix(train.inputs.trees, train.y)
    booster = xgb.train(settings | common, matrix, num_boost_round=rounds)
    bias = float(booster.predict(xgb.DMatrix(train.inputs.trees[:1]), pred_contribs=True)[0, -1])
    reference = float(logit(clip_probability(np.array(bias)))) if forest else bias
    return TreeScore(booster, forest, reference)

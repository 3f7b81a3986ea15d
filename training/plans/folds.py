"""Plans inside the outer folds: what each model expects of patients that it has not seen, on every plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.comparable import ComparableGroups, fit_comparable_groups
from models.plan_model import FEWEST_COMPARABLE, is_sufficient
from models.plan_outcomes import on_every_plan
from models.propensity import Propensity, fit_constant_propensity, fit_propensity
from training.logistic import clipped_logit
from training.plans.policy import PolicyTree, choose_plans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import Inputs
    from models.response_model import ResponseModel

__all__ = ["expect_on_plans", "fit_groups", "learn_propensity", "predict_plan_fold"]


def expect_on_plans(model: ResponseModel, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of response of each patient on each plan, shape (n, n_plans)."""
    plans = len(model.cohort_file.plan_levels)
    inputs = model.inputs(on_every_plan(rows, plans))
    return model.outcomes["response"].probability(inputs).reshape(len(rows), plans)


def learn_propensity(inputs: Inputs) -> Propensity:
    """Learn who is put on which plan; a randomised cohort's assignment is known.

    Parameters
    ----------
    inputs : Inputs
        Training patients.

    Returns
    -------
    Propensity
    """
    randomised = inputs.encoder.cohort_file.provenance == "randomised"
    return fit_constant_propensity(inputs) if randomised else fit_propensity(inputs)


def fit_groups(rows: NDArray[np.float64], model: ResponseModel) -> ComparableGroups:
    """Part training patients into comparable groups, by choice and by what the model expects of them.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        Encoded patients with a known endpoint.
    model : ResponseModel

    Returns
    -------
    ComparableGroups
    """
    logits = clipped_logit(expect_on_plans(model, rows))
    kinds = [predictor.kind for predictor in model.cohort_file.baseline_predictors]
    numbers = np.array([j for j, kind in enumerate(kinds) if kind == "number"], dtype=np.intp)
    return fit_comparable_groups(rows, logits.shape[1], numbers, logits)


def predict_plan_fold(
    model: ResponseModel, train: Inputs, rows: NDArray[np.float64], patients: NDArray[np.intp]
) -> pd.DataFrame:
    """Predict a fold's test patients on every plan, with all that their choice rests on.

    Parameters
    ----------
    model : ResponseModel
        Fitted on the fold's training patients.
    train : Inputs
        Those patients.
    rows : ndarray of shape (n, m)
        Encoded test patients with a known endpoint.
    patients : ndarray of int, shape (n,)
        Their index in the cohort.

    Returns
    -------
    DataFrame
        `patient`; `expected__PLAN` and `propensity__PLAN` for every plan; index of the plan chosen by the
        `model`, by the `tree` and by the best `single` plan, each learned from the training patients.
    """
    levels = model.cohort_file.plan_levels
    expected = expect_on_plans(model, rows)
    propensity = learn_propensity(train).probabilities(model.inputs(rows))
    comparable = fit_groups(train.rows, model).count(rows)
    on_training = expect_on_plans(model, train.rows)
    often = np.bincount(train.plans, minlength=len(levels)) >= FEWEST_COMPARABLE
    return pd.DataFrame(
        {
            "patient": patients,
            **{f"expected__{plan}": expected[:, j] for j, plan in enumerate(levels)},
            **{f"propensity__{plan}": propensity[:, j] for j, plan in enumerate(levels)},
            "model": choose_plans(expected, is_sufficient(comparable, propensity)),
            "tree": PolicyTree.fit(train.rows, on_training).choose(rows),
            "single": int(np.where(often, on_training.mean(axis=0), -1).argmax()),
        }
    )

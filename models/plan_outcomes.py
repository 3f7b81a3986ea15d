"""What is expected of a patient on every plan, side by side, and how far each plan is from the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, ndtri

from models.response_model import LEVEL, with_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import Inputs
    from models.response_model import ResponseModel

__all__ = ["PlanOutcomes", "compare_outcomes", "on_every_plan", "predict_plans"]

_QUANTILE = float(ndtri((1 + LEVEL) / 2))


@dataclass(frozen=True)
class PlanOutcomes:
    """Predictions for every patient on every plan; the first axis is value, lower end, upper end.

    Parameters
    ----------
    response, remission : ndarray of shape (3, n, n_plans)
        Probabilities.
    difference : ndarray of shape (3, n, n_plans)
        Probability of response on the plan less that on the reference plan; 0 for the reference.
    """

    response: NDArray[np.float64]
    remission: NDArray[np.float64]
    difference: NDArray[np.float64]


def on_every_plan(rows: NDArray[np.float64], n_plans: int) -> NDArray[np.float64]:
    """Repeat encoded rows, once for each plan.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        The plan in the last column is of no account.
    n_plans : int

    Returns
    -------
    ndarray of shape (n * n_plans, m)
        All plans of the first patient, then those of the second.
    """
    repeated = np.repeat(rows, n_plans, axis=0)
    repeated[:, -1] = np.tile(np.arange(n_plans), len(rows))
    return repeated


def predict_plans(model: ResponseModel, rows: NDArray[np.float64]) -> PlanOutcomes:
    """Predict response and remission on every plan, and the difference from the reference plan.

    A difference says what the plan would change for such patients if, given all recorded predictors,
    nothing else that bears on response also bore on the choice of plan (no unmeasured confounding).

    Parameters
    ----------
    model : ResponseModel
        Of a cohort with plans.
    rows : ndarray of shape (n, m)
        Encoded patients; their own plan is of no account.

    Returns
    -------
    PlanOutcomes
    """
    return compare_outcomes(model, model.inputs(on_every_plan(rows, len(model.cohort_file.plan_levels))))


def compare_outcomes(model: ResponseModel, inputs: Inputs) -> PlanOutcomes:
    """Predict as `predict_plans` does, from inputs that are made already.

    Parameters
    ----------
    model : ResponseModel
    inputs : Inputs
        Of `on_every_plan`'s rows.

    Returns
    -------
    PlanOutcomes
    """
    plans = len(model.cohort_file.plan_levels)
    shape = (3, len(inputs) // plans, plans)
    of_response = model.outcomes["response"]
    centre, mean, variance = of_response.logits(inputs)
    response = with_interval(centre, mean, variance).reshape(shape)
    remission = model.outcomes["remission"].predict(inputs).reshape(shape)
    difference = _difference(
        response[0],
        expit(mean).reshape(shape[1:]),
        variance.reshape(shape[1:]),
        of_response.uncertainty.contrast_variance(inputs).reshape(shape[1:]),
        model.encoder.reference_,
    )
    return PlanOutcomes(response, remission, difference)


def _difference(
    p: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    apart: NDArray[np.float64],
    reference: int,
) -> NDArray[np.float64]:
    """Difference of probabilities with its interval, by the delta method.

    From the probabilities (n, n_plans), those of the posterior's mean, and the variances of its logits and
    of their differences from the reference plan's.
    """
    value = p - p[:, [reference]]
    # var(a - b) = var(a) + var(b) - 2 cov(a, b), solved for the covariance of the two logits
    shared = (variance + variance[:, [reference]] - apart) / 2
    slope = p * (1 - p)  # of the probability by its logit
    other = slope[:, [reference]]
    spread = slope**2 * variance + other**2 * variance[:, [reference]] - 2 * slope * other * shared
    # The candidate's difference and the posterior's own may differ: as if either could be right.
    spread = np.maximum(spread, 0) + (value - mean + mean[:, [reference]]) ** 2 / 2
    half = _QUANTILE * np.sqrt(spread)
    half[:, reference] = 0.0
    return np.stack([value, np.maximum(value - half, -1), np.minimum(value + half, 1)])

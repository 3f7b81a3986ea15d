"""Recalibration of a candidate's logits on out-of-fold predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recalibration", "fit_recalibration"]

_PRIOR_SD = 0.15  # of intercept and slope around 0 and 1: few patients move the calibration little


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Logistic recalibration: calibrated logit = intercept + slope * logit.

    Parameters
    ----------
    intercept : float
    slope : float
    """

    intercept: float = 0.0
    slope: float = 1.0

    def apply(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated logits, same shape."""
        return self.intercept + self.slope * logit


def fit_recalibration(
    logit: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.intp]
) -> Recalibration:
    """Estimate intercept and slope on predictions of patients that the candidate has not seen.

    Each fold has an intercept of its own besides the common one: a fold that by chance holds many
    responders was predicted from patients with few, and without it this would pass for a poor slope.

    Parameters
    ----------
    logit : ndarray of shape (n,)
        Out-of-fold logits.
    y : ndarray of shape (n,)
        0 or 1.
    fold : ndarray of shape (n,)
        Fold in which each patient was predicted.

    Returns
    -------
    Recalibration
        Posterior mode under N(0, 0.15^2) for every intercept and N(1, 0.15^2) for the slope.

    References
    ----------
    Cox, Biometrika 1958;45:562-565. Steyerberg et al., Stat Med 2004;23:2567-2586 (shrinkage towards
    the model as it is).
    """
    ones = np.ones((len(logit), 1))
    columns = np.concatenate([ones, logit[:, None], fold[:, None] == np.unique(fold)], axis=1)
    neutral = np.zeros(columns.shape[1])
    neutral[1] = 1.0
    beta = neutral
    for _ in range(50):
        p = expit(columns @ beta)
        gradient = columns.T @ (y - p) - (beta - neutral) / _PRIOR_SD**2
        hessian = (columns.T * (p * (1 - p))) @ columns + np.eye(len(beta)) / _PRIOR_SD**2
        move = np.linalg.solve(hessian, gradient)
        beta = beta + move
        if np.abs(move).max() < 1e-10:
            break
    return Recalibration(float(beta[0]), float(max(beta[1], 0.0)))

"""Posterior of a logistic regression whose blocks of coefficients each have a prior scale of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.linalg.lapack import dtrtri
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.plan_design import PlanDesign

__all__ = ["Posterior", "fit_posterior", "solve_map"]

_SHAPE = 1.0  # of the inverse-gamma hyperprior of a block's prior variance: worth two coefficients
_ERRORS = 3.0  # standard errors above their mode at which intervals take the prior variances
_INTERCEPT_PRECISION = 1 / 5.0**2  # any prevalence from 0.1 to 99.9 % is open before the data
_ROUNDS, _TOLERANCE = 60, 5e-3
_SETTLED = 1e-4  # logits: the next Newton step would be of the size of its square
_STRIDE = (
    2.0  # EM's steps are short where the prior, not the data, decides; twice their length still converges
)
_LARGE = 5_000  # rows above which the prior scales are learned from an even subset


@dataclass(frozen=True)
class Posterior:
    """Gaussian approximation of the posterior of the coefficients.

    Parameters
    ----------
    mean : ndarray of shape (n_columns,)
        Posterior mode, in logits.
    scales : ndarray of shape (n_blocks,)
        Prior standard deviation of each block of coefficients.
    hessian : ndarray of shape (n_columns, n_columns)
        Negative second derivative of the log posterior at the mode.
    precision, wider : ndarray of shape (n_columns,)
        Prior precision of each coefficient: at the mode of the scales, and at the upper end of their errors.
    """

    mean: NDArray[np.float64]
    scales: NDArray[np.float64]
    hessian: NDArray[np.float64]
    precision: NDArray[np.float64]
    wider: NDArray[np.float64]

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the coefficients, scales at their upper end; shape (n_columns, n_columns)."""
        hessian = self.hessian.copy()
        hessian[np.diag_indices_from(hessian)] += self.wider - self.precision
        return _invert(hessian)

    @cached_property
    def learned(self) -> NDArray[np.float64]:
        """Inverse Hessian times the likelihood's part of the Hessian, shape (n_columns, n_columns).

        How far each coefficient is decided by the data, not by the prior. Its trace is an effective number of
        parameters.
        """
        return np.eye(len(self.mean)) - _invert(self.hessian) * self.precision


def fit_posterior(
    design: PlanDesign,
    y: NDArray[np.float64],
    blocks: NDArray[np.intp],
    typical: NDArray[np.float64],
    freedom: NDArray[np.float64],
) -> Posterior:
    """Fit a ridge logistic regression and learn the prior scale of each block from the data.

    A coefficient of block k has a Student prior with f_k degrees of freedom and scale s_k, written as
    N(0, s_k^2 / q) with q drawn for each coefficient, so that a few large effects are not shrunk as
    hard as the many small ones. Scales and q are found by expectation-maximisation on the Laplace
    approximation of the posterior, with an inverse-gamma hyperprior on s_k^2.

    The scales are estimates. The mean is taken at their mode, the covariance at the upper end of what they
    may be, three standard errors of s_k^2 above it (that of an inverse-gamma distribution with as many
    coefficients as the block has); taken at the mode too, intervals would be too narrow.

    Parameters
    ----------
    design : PlanDesign
    y : ndarray of shape (n,)
        0 or 1.
    blocks : ndarray of shape (n_columns,)
        Block of each column, counted from 0; -1 for columns without a block (the intercept).
    typical : ndarray of shape (n_blocks,)
        Scale of each block that the hyperprior holds most likely.
    freedom : ndarray of shape (n_blocks,)
        Degrees of freedom of each block's Student prior: 4 for a few large effects among many small ones,
        fewer where most are nil.

    Returns
    -------
    Posterior

    References
    ----------
    MacKay, Neural Computation 1992;4:448-472 (evidence framework). Gelman et al., Ann Appl Stat
    2008;2:1360-1383 (Student priors for logistic regression, by EM). Kass and Steffey, J Am Stat Assoc
    1989;84:717-726 (variance that estimated hyperparameters leave out).
    """
    step = max(1, len(y) // _LARGE)
    sample, observed = design.take(step), y[::step]
    in_block = blocks >= 0
    block = blocks[in_block]
    sizes = np.bincount(block)
    rate = (_SHAPE + 1) * typical**2  # the mode of an inverse-gamma is rate / (shape + 1)
    variances = typical**2
    precision = np.full(design.shape[1], _INTERCEPT_PRECISION)
    precision[in_block] = 1 / variances[block]
    mean = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):  # one Newton step a round is enough: both converge together
        mean, _, factor = _climb(sample, observed, precision, mean, steps=1)
        root, _ = dtrtri(factor, lower=1)  # the inverse is root' root, of which the diagonal is enough
        square = (mean**2 + (root**2).sum(axis=0))[in_block]
        q = (freedom[block] + 1) / (freedom[block] + square / variances[block])
        updated = (np.bincount(block, weights=q * square) + 2 * rate) / (sizes + 2 * _SHAPE + 2)
        change = np.log(updated / variances)
        settled = np.max(np.abs(change), initial=0.0) < _TOLERANCE
        variances = variances * np.exp(_STRIDE * change)
        precision[in_block] = q / variances[block]
        if settled:
            break
    mean, hessian = solve_map(design, y, precision, mean)
    upper = 1 + _ERRORS / np.sqrt(_SHAPE + sizes / 2)
    wider = precision.copy()
    wider[in_block] /= upper[block]
    return Posterior(mean, np.sqrt(variances), hessian, precision, wider)


def solve_map(
    design: PlanDesign,
    y: NDArray[np.float64],
    precision: NDArray[np.float64],
    start: NDArray[np.float64],
    steps: int = 50,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior mode and curvature for given prior precisions, by Newton's method.

    Parameters
    ----------
    design : PlanDesign
    y : ndarray of shape (n,)
    precision : ndarray of shape (n_columns,)
        Inverse prior variance of each coefficient.
    start : ndarray of shape (n_columns,)
    steps : int
        Newton steps at most.

    Returns
    -------
    mean : ndarray of shape (n_columns,)
    hessian : ndarray of shape (n_columns, n_columns)
        Negative second derivative of the log posterior at the mode.
    """
    mean, hessian, _ = _climb(design, y, precision, start, steps)
    return mean, hessian


def _climb(
    design: PlanDesign,
    y: NDArray[np.float64],
    precision: NDArray[np.float64],
    start: NDArray[np.float64],
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Take Newton steps; the mode, the Hessian before the last step and its lower Cholesky factor."""
    beta = start
    for _ in range(steps):
        p = expit(design.times(beta))
        weight = np.maximum(p * (1 - p), 1e-10)
        hessian = design.gram(weight)
        hessian[np.diag_indices_from(hessian)] += precision
        factor = cholesky(hessian.T, lower=True, check_finite=False)  # its columns are as LAPACK wants them
        gradient = design.transposed_times(y - p) - precision * beta
        move = cho_solve((factor, True), gradient, check_finite=False)
        beta = beta + move / max(1.0, float(np.abs(move).max()) / 2)  # a damped step far from the mode
        if np.abs(move).max() < _SETTLED:
            break
    return beta, hessian, factor


def _invert(positive: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse: NDArray[np.float64] = cho_solve(cho_factor(positive), np.eye(len(positive)))
    return inverse

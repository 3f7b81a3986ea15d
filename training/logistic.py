"""Logistic regressions of the same patients under many weights at once: one for each bootstrap sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import logit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["clipped_logit", "fit_logistic", "sigmoid"]

_WEAK: Final = 1e-9
"""Precision of a prior around 0: too weak for the sixth digit, and keeps separated samples finite."""

_NEAREST: Final = 1e-6
"""To 0 and 1 that a probability is taken to be: 13.8 on the logit scale."""

_STEPS: Final = 60
_LONGEST: Final = 5.0  # on the logit scale; Newton's method overshoots from far away


def fit_logistic(
    columns: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    offset: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Maximum likelihood by Newton's method, for each row of weights.

    Parameters
    ----------
    columns : ndarray of shape (n, k)
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (samples, n)
    offset : ndarray of shape (n,) or float

    Returns
    -------
    ndarray of shape (samples, k)
        Where a sample separates the classes, the coefficients are large instead of infinite.

    Examples
    --------
    >>> fit_logistic(np.ones((4, 1)), np.array([1.0, 1, 1, 0]), np.ones((1, 4))).round(4)  # log(3)
    array([[1.0986]])
    """
    # Most samples are near the solution of the patients as they are: start there.
    start = _newton(columns, y, np.ones((1, len(y))), offset, np.zeros((1, columns.shape[1])))
    return _newton(columns, y, weights, offset, np.repeat(start, len(weights), axis=0))


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of the logit: SciPy's to the last digits, and several times faster on large arrays."""
    result = np.clip(z, -700.0, 700.0)
    np.negative(result, out=result)
    np.exp(result, out=result)
    result += 1.0
    return np.reciprocal(result, out=result)


def clipped_logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logit of probabilities, finite for 0 and 1 too, which are taken for 1e-6 and 1 - 1e-6.

    Examples
    --------
    >>> clipped_logit(np.array([0.0, 0.5, 1.0])).round(2)
    array([-13.82,   0.  ,  13.82])
    """
    result: NDArray[np.float64] = logit(np.clip(p, _NEAREST, 1 - _NEAREST))
    return result


def _newton(
    columns: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    offset: NDArray[np.float64] | float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    size = columns.shape[1]
    first, second = np.triu_indices(size)
    overlap = np.flatnonzero((columns[:, first] * columns[:, second]).any(axis=0))  # folds have none
    first, second = first[overlap], second[overlap]
    products = columns[:, first] * columns[:, second]
    prior = _WEAK * np.eye(size)
    beta = start
    open_ = np.arange(len(weights))  # samples that have not converged
    for _ in range(_STEPS):
        w, b = (weights, beta) if len(open_) == len(weights) else (weights[open_], beta[open_])
        p = sigmoid(b @ columns.T + offset)
        gradient = (w * (y - p)) @ columns - _WEAK * b
        p *= 1 - p
        p *= w
        hessian = np.zeros((len(b), size, size))
        hessian[:, first, second] = hessian[:, second, first] = p @ products
        move = np.linalg.solve(hessian + prior, gradient[..., None])[..., 0]
        longest = np.abs(move).max(axis=1)
        beta[open_] = b + move / np.maximum(1.0, longest / _LONGEST)[:, None]
        open_ = open_[longest > 1e-8]
        if not len(open_):
            break
    return beta

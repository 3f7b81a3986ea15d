"""Restricted cubic splines with three knots: one curved column beside the straight one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cubic_factors", "cubic_terms", "place_knots", "restricted_cubic"]

_KNOTS = (0.10, 0.50, 0.90)  # Harrell, Regression Modeling Strategies (2015), table 2.3, three knots


def place_knots(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place knots at fixed percentiles; where one value (a dose of 0, say) holds too many, of the others.

    Parameters
    ----------
    z : ndarray of shape (n,)
        Without missing values, more than one distinct.

    Returns
    -------
    ndarray of shape (3,)
    """
    knots = np.quantile(z, _KNOTS)
    if min(np.diff(knots)) <= 1e-6:
        levels, counts = np.unique(z, return_counts=True)
        others = z[z != levels[counts.argmax()]]
        knots = np.quantile(others, _KNOTS)
    return knots


def restricted_cubic(z: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-linear term of a restricted cubic spline with three knots (Harrell 2015, eq. 2.25).

    Parameters
    ----------
    z : ndarray of shape (n,)
    knots : ndarray of shape (3,)
        In ascending order.

    Returns
    -------
    ndarray of shape (n,)
        0 below the first knot, linear above the last.
    """
    return cubic_terms(z, knots, cubic_factors(knots))


def cubic_terms(
    z: NDArray[np.float64], knots: NDArray[np.float64], factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over the knots of factor * (z - knot)^3 above the knot.

    Parameters
    ----------
    z : ndarray of shape (..., k)
    knots, factors : ndarray of shape (k, 3)
        Of each of the k curves.

    Returns
    -------
    ndarray of shape (..., k)
    """
    result = np.zeros_like(z)
    for knot, factor in zip(knots.T, factors.T, strict=True):  # an array of all knots would not fit the cache
        above = np.maximum(z - knot, 0.0)
        result += above * above * above * factor
    return result


def cubic_factors(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the three truncated cubes that make the curve linear beyond the outer knots.

    Parameters
    ----------
    knots : ndarray of shape (3,)

    Returns
    -------
    ndarray of shape (3,)
    """
    first, middle, last = knots
    width = last - first
    factors = np.array([1.0, -width / (last - middle), (middle - first) / (last - middle)])
    result: NDArray[np.float64] = factors / width**2
    return result

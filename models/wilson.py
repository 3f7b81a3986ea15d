"""Wilson's interval of a share: holds near 0 and 1, and in few patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Z_95", "wilson_interval"]

Z_95: Final = 1.959963984540054
"""97.5th percentile of the normal distribution: of intervals at 95 %."""


def wilson_interval(
    count: NDArray[np.float64] | float, of: NDArray[np.float64] | float, z: float = Z_95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of the probability behind a share, assuming that patients are independent.

    Parameters
    ----------
    count, of : ndarray of shape (k,), or float
        Of `of` patients, at least 1, `count` have it.
    z : float
        Percentile of the normal distribution that the level asks for.

    Returns
    -------
    low, high : ndarray of shape (k,), or of no dimension
        Between 0 and 1.

    References
    ----------
    Wilson, J Am Stat Assoc 1927;22:209-212.

    Examples
    --------
    >>> low, high = wilson_interval(np.array([0.0, 5]), np.array([40.0, 40]))
    >>> low.round(3), high.round(3)
    (array([0.   , 0.055]), array([0.088, 0.261]))
    """
    share, squared = np.divide(count, of), np.divide(z**2, of)
    centre = (share + squared / 2) / (1 + squared)
    half = z * np.sqrt(share * (1 - share) / of + squared / (4 * of)) / (1 + squared)
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)

"""Random-effects summary of a figure over units, and what a new unit may show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2, t

from training.bootstrap import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST_UNITS", "RandomEffects", "pool"]

FEWEST_UNITS: Final = 3
"""Fewer leave no degree of freedom for a prediction interval."""
_LEVEL: Final = 0.975
_LARGEST: Final = 1e3  # of tau, on any scale that is summarised here


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """Summary over units, on the scale on which the figures were given.

    Parameters
    ----------
    mean : Estimate
        Mean over units with its 95 % confidence interval.
    new_unit : Estimate
        The same mean with the 95 % prediction interval for the true figure of a new unit.
    tau : Estimate
        Standard deviation of the true figures between units, with its 95 % interval.
    """

    mean: Estimate
    new_unit: Estimate
    tau: Estimate


def pool(value: NDArray[np.float64], error: NDArray[np.float64]) -> RandomEffects:
    """Summarise figures of units by a random-effects model: value = mean + N(0, tau^2) + N(0, error^2).

    Tau is estimated by restricted maximum likelihood, its interval by the Q profile. The interval of the
    mean is Hartung and Knapp's with Student's t on k - 1 degrees of freedom, never narrower than the
    ordinary one; the prediction interval, with the same error of the mean, has k - 2.

    Parameters
    ----------
    value : ndarray of shape (k,)
        At least three.
    error : ndarray of shape (k,)
        Standard errors, above 0.

    Returns
    -------
    RandomEffects

    Raises
    ------
    ValueError
        If there are fewer than three units, or a value or error that is not finite or not above 0.

    References
    ----------
    Viechtbauer, J Educ Behav Stat 2005;30:261-293 (REML) and Stat Med 2007;26:37-52 (Q profile). IntHout,
    Ioannidis and Borm, BMC Med Res Methodol 2014;14:25, and Röver, Knapp and Friede, ibid. 2015;15:99 (the
    interval and its lower bound). Riley, Higgins and Deeks, BMJ 2011;342:d549, and Partlett
    and Riley, Stat Med 2017;36:301-317 (prediction interval). Debray et al., BMJ 2017;356:i6460 and Stat
    Methods Med Res 2019;28:2768-2786 (for prediction models).

    Examples
    --------
    >>> str(pool(np.array([0.1, 0.3, 0.35, 0.65]), np.array([0.1, 0.2, 0.1, 0.2])).mean)
    '0.313 (-0.032 to 0.658)'
    """
    count = len(value)
    if count < FEWEST_UNITS:
        raise ValueError(f"a summary over units needs at least {FEWEST_UNITS}, not {count}")
    if not (np.isfinite(value).all() and np.isfinite(error).all() and (error > 0).all()):
        raise ValueError("every unit needs a finite figure and a standard error above 0")
    tau = _reml(value, error)
    weight = 1 / (error**2 + tau**2)
    mean = float(np.average(value, weights=weight))
    plain = float(1 / np.sqrt(weight.sum()))
    stretch = np.sqrt((weight * (value - mean) ** 2).sum() / (count - 1))
    stretched = plain * max(1.0, float(stretch))
    half = float(t.ppf(_LEVEL, count - 1)) * stretched
    reach = float(t.ppf(_LEVEL, count - 2)) * float(np.hypot(tau, stretched))
    low, high = _profile(value, error)
    return RandomEffects(
        Estimate(mean, mean - half, mean + half),
        Estimate(mean, mean - reach, mean + reach),
        Estimate(tau, min(low, tau), max(high, tau)),  # the two methods may disagree by a hair at 0
    )


def _reml(value: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    """Tau of the largest restricted likelihood."""

    def loss(tau: float) -> float:
        weight = 1 / (error**2 + tau**2)
        mean = np.average(value, weights=weight)
        fit = (weight * (value - mean) ** 2).sum()
        return float(fit - np.log(weight).sum() + np.log(weight.sum())) / 2

    top = 10 * max(float(np.std(value)), float(error.max()))
    # The likelihood may have a peak at 0 besides one inside: look along a grid before going uphill.
    grid = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 60) * top])
    best = int(np.argmin([loss(tau) for tau in grid]))
    if best == 0:
        return 0.0
    ends = (grid[best - 1], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-9 * top})
    return float(found.x)


def _profile(value: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of tau: those with which Cochran's Q is no surprise under its chi-squared."""
    freedom = len(value) - 1

    def surplus(tau: float, bound: float) -> float:
        weight = 1 / (error**2 + tau**2)
        mean = np.average(value, weights=weight)
        return float((weight * (value - mean) ** 2).sum() - bound)

    def solve(bound: float) -> float:
        if surplus(0.0, bound) <= 0:  # Q falls as tau grows: too small already
            return 0.0
        return float(brentq(surplus, 0.0, _LARGEST, args=(bound,)))

    return solve(float(chi2.ppf(_LEVEL, freedom))), solve(float(chi2.ppf(1 - _LEVEL, freedom)))

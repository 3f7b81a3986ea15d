"""Percentile intervals of a bootstrap, corrected for bias and for few groups, and for repeats.

Plain percentiles fail in two ways that matter here. With a dozen sites they are too narrow, as a standard
error that divides by n instead of n - 1, with normal instead of t quantiles: the *expanded* percentiles of
Hesterberg (Am Stat 2015;69:371-386) widen them. And they double any bias of a figure: the *bias-corrected*
percentiles of Efron (J Am Stat Assoc 1987;82:171-185) shift them back.

With fewer than ten units the percentiles that are asked for lie at the very end of what can be drawn: the
most extreme sample of k units holds one of them k times, and has the probability k ** -k. There an interval
reaches at least as far as that of a mean of k units does, by Student's t. Two units have none: t with one
degree of freedom says nothing.

Neither is enough for a distance from perfection, such as the integrated calibration index. Chance adds to
its square once in the patients and once more in each sample, and perfect predictions have 0, which no sample
reaches. So the square is shifted by twice what drawing adds to it, and cut off at 0.

A repeated cross-validation estimates the mean over all splits into folds. Its figure still depends on the
few splits that were made, which no drawing of patients shows: the variance between repeats, over their number
(Koehler, Brown and Haneuse, Am Stat 2009;63:155-162), is added to that of the bootstrap. So is what folds add
that learn from each other's patients (`training.overlap`). The sum has the degrees of
freedom of Satterthwaite (Biometrics Bull 1946;2:110-114): more than the dozen groups leave, where overlap is
added, and fewer if two repeats differ much. With six groups or fewer they rise faster than the sum, as they
may with long tails, and what is added would make an interval narrower; it then stays that of the patients
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST_UNITS", "count_units", "find_band", "find_interval"]

_TAIL: Final = 0.025
FEWEST_UNITS: Final = 3
"""Of which an interval can be told."""
_FEW: Final = 10


def count_units(weights: NDArray[np.float64]) -> int:
    """How many units were drawn independently: patients of a group come together in every sample.

    Parameters
    ----------
    weights : ndarray of shape (samples, n)
        Counts of draws, or these times a weight of each patient.

    Returns
    -------
    int
        Columns that are not multiples of each other; those of zeros do not count.
    """
    total = weights.sum(axis=0)
    drawn = weights[:, total > 0] / total[total > 0]
    mixed = np.random.default_rng(0).standard_normal(len(weights)) @ drawn
    return len(np.unique(mixed.round(12)))


def find_interval(
    repeats: NDArray[np.float64],
    samples: NDArray[np.float64],
    units: int,
    *,
    overlap: float = 0.0,
    distance: bool = False,
) -> tuple[float, float]:
    """Find a 95 % interval.

    Parameters
    ----------
    repeats : ndarray of shape (r,)
        The figure in each repeat; their mean is what the interval is about.
    samples : ndarray of shape (samples,)
        The mean figure in each bootstrap sample; those that are NaN are left out.
    units : int
        Patients or groups drawn independently.
    overlap : float
        Standard error that folds add by learning from each other's patients.
    distance : bool
        The figure is a distance from perfection: never below 0, and larger the more chance there is.

    Returns
    -------
    low, high : float
        NaN if the figure is not defined, or there are fewer than three units.
    """
    value = float(repeats.mean())
    defined = samples[~np.isnan(samples)]
    if not len(defined) or np.isnan(value) or units < FEWEST_UNITS:
        return float("nan"), float("nan")
    of_patients = units / (units - 1) * float(defined.var())
    of_splits = float(repeats.var(ddof=1)) / len(repeats) if len(repeats) > 1 else 0.0
    added = of_splits + overlap**2
    # Overlap counts as known, which it is not: that this does no harm is measured (`make bench`, `gates`).
    uncertain = of_patients**2 / (units - 1) + of_splits**2 / max(len(repeats) - 1, 1)
    freedom = (of_patients + added) ** 2 / uncertain if uncertain > 0 else np.inf
    quantile, alone = (float(stdtrit(of, 1 - _TAIL)) for of in (freedom, units - 1))
    ends = np.hypot(
        _ends_of_patients(value, defined, units, quantile, distance=distance), quantile * np.sqrt(added)
    )
    if quantile < alone:
        ends = np.maximum(ends, _ends_of_patients(value, defined, units, alone, distance=distance))
    low, high = value - float(ends[0]), value + float(ends[1])
    return max(low, 0.0) if distance else low, high


def _ends_of_patients(
    value: float, samples: NDArray[np.float64], units: int, quantile: float, *, distance: bool
) -> NDArray[np.float64]:
    """How far below and above the value the ends lie of what drawing patients shows, of shape (2,)."""
    reach = float(np.sqrt(units / (units - 1))) * quantile  # in standard deviations
    tails = np.array([-reach, reach])
    if distance:
        squares = samples**2
        shift = max(float(np.median(squares)) - value**2, 0.0)
        low, high = np.sqrt(np.maximum(np.quantile(squares, ndtr(tails)) - 2 * shift, 0.0))
    else:
        below = ((samples < value).sum() + 0.5 * (samples == value).sum() + 0.5) / (len(samples) + 1)
        low, high = np.quantile(samples, ndtr(2 * float(ndtri(below)) + tails))
    least = reach * float(samples.std()) if units < _FEW else 0.0
    return np.maximum([value - low, high - value], least)


def find_band(
    drawn: NDArray[np.float64], units: int, overlap: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Find the pointwise 95 % band of a curve.

    Parameters
    ----------
    drawn : ndarray of shape (r, 1 + samples, k)
        The k points of the curve in each repeat: first of all patients, then in each bootstrap sample.
    units : int
        Patients or groups drawn independently.
    overlap : ndarray of shape (k,)
        As of `find_interval`.

    Returns
    -------
    values, low, high : tuple of k floats
        Means over the repeats, and the ends of their intervals.
    """
    repeats, samples = drawn[:, 0], drawn[:, 1:].mean(axis=0)
    bands = [
        find_interval(repeats[:, j], samples[:, j], units, overlap=float(overlap[j]))
        for j in range(drawn.shape[2])
    ]
    low, high = (tuple(float(band[end]) for band in bands) for end in (0, 1))
    return tuple(repeats.mean(axis=0).tolist()), low, high

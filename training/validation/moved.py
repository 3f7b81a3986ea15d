"""Intervals that are moved with their figure, and stay where the figure can be."""

from __future__ import annotations

import numpy as np

from training.bootstrap import Estimate
from training.metrics import METRICS

__all__ = ["move"]


def move(metric: str, estimate: Estimate, value: float) -> Estimate:
    """Put a figure in another place, and its interval as far from there as before.

    Parameters
    ----------
    metric : str
    estimate : Estimate
    value : float
        The new place.

    Returns
    -------
    Estimate
        Cut to the range of the figure, which a correction may leave.

    References
    ----------
    The location-shifted interval of Noma, Shinozaki, Iba, Teramukai and Furukawa, Stat Med
    2021;40:5691-5701.

    Examples
    --------
    >>> move("ici", Estimate(0.03, 0.01, 0.06), 0.005)
    Estimate(value=0.005, low=0.0, high=0.035)
    """
    by = value - estimate.value
    low, high = METRICS[metric].within if metric in METRICS else (-np.inf, np.inf)
    ends = (value, estimate.low + by, estimate.high + by)
    return Estimate(*(float(np.clip(end, low, high)) for end in ends))

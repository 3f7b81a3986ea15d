"""Which way a figure is good, and what it can be: a bound the other way round would be kept by bad models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from training.metrics import METRICS

if TYPE_CHECKING:
    from training.gates.gate import Bound

__all__ = ["SENSES", "find_misuse"]


SENSES: Final[dict[str, Bound | None]] = {
    "auroc": "at_least",
    "average_precision": "at_least",
    "brier": "at_most",
    "brier_skill": "at_least",
    "scaled_brier": "at_least",
    "log_loss": "at_most",
    "calibration_intercept": None,
    "calibration_slope": None,
    "ici": "at_most",
    "e50": "at_most",
    "e90": "at_most",
    "o_e": None,
    "net_benefit_gain": "at_least",
    "coverage": "at_least",
}
"""By figure that a gate can judge: the bound of one that is good when it is high, or low; None of one that is
good in the middle."""
_WITHIN: Final = {name: metric.within for name, metric in METRICS.items()} | {
    "net_benefit_gain": (-math.inf, 1.0),
    "coverage": (0.0, 1.0),
}


def find_misuse(metric: str, population: str, bound: Bound, value: float) -> str:
    """Tell what is wrong with a bound.

    Parameters
    ----------
    metric, population : str
    bound : {"at_least", "at_most"}
    value : float

    Returns
    -------
    str
        Empty if nothing is, or the figure is not known.

    Examples
    --------
    >>> find_misuse("auroc", "all", "at_most", 0.7)
    'auroc is good when it is high: write at_least'
    >>> find_misuse("auroc", "all", "at_least", 7.0)
    'auroc is from 0 to 1, and 7 is not'
    """
    if metric not in SENSES:
        return ""
    if SENSES[metric] not in (None, bound):
        return (
            f"{metric} is good when it is {'high' if bound == 'at_most' else 'low'}: write {SENSES[metric]}"
        )
    (low, high), what = _WITHIN[metric], metric
    if population == "champion":  # a difference
        reach = high - low
        low, high, what = -reach, reach, f"a difference of {metric}"
    if low <= value <= high:
        return ""
    said = f"{low:g} or more" if high == math.inf else f"{high:g} or less" if low == -math.inf else ""
    return f"{what} is {said or f'from {low:g} to {high:g}'}, and {value:g} is not"

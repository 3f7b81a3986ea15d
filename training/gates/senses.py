"""Which way a figure is good, and what it can be: a bound the other way round would be kept by bad models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from training.gates.gate import Bound

__all__ = ["SENSES", "Sense", "find_misuse"]


class Sense(NamedTuple):
    """What a figure means.

    Parameters
    ----------
    bound : {"at_least", "at_most"} or None
        The bound of a figure that is good when it is high, or low; None if it is good in the middle.
    low, high : float
        What it can be.
    """

    bound: Bound | None
    low: float
    high: float


SENSES: Final = {
    "auroc": Sense("at_least", 0, 1),
    "average_precision": Sense("at_least", 0, 1),
    "brier": Sense("at_most", 0, 1),
    "brier_skill": Sense("at_least", -math.inf, 1),
    "scaled_brier": Sense("at_least", -math.inf, 1),
    "log_loss": Sense("at_most", 0, math.inf),
    "calibration_intercept": Sense(None, -math.inf, math.inf),
    "calibration_slope": Sense(None, -math.inf, math.inf),
    "ici": Sense("at_most", 0, 1),
    "e50": Sense("at_most", 0, 1),
    "e90": Sense("at_most", 0, 1),
    "o_e": Sense(None, 0, math.inf),
    "net_benefit_gain": Sense("at_least", -math.inf, 1),
    "coverage": Sense("at_least", 0, 1),
}
"""By figure that a gate can judge."""


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
    sense = SENSES.get(metric)
    if sense is None:
        return ""
    if sense.bound not in (None, bound):
        return f"{metric} is good when it is {'high' if bound == 'at_most' else 'low'}: write {sense.bound}"
    low, high, what = sense.low, sense.high, metric
    if population == "champion":  # a difference
        reach = high - low
        low, high, what = -reach, reach, f"a difference of {metric}"
    if low <= value <= high:
        return ""
    said = f"{low:g} or more" if high == math.inf else f"{high:g} or less" if low == -math.inf else ""
    return f"{what} is {said or f'from {low:g} to {high:g}'}, and {value:g} is not"

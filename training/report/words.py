"""How the report says figures: names of metrics, numbers with intervals, counts, shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "METRIC_WORDS",
    "NOT_STATED",
    "Plain",
    "capitalise",
    "is_defined",
    "say",
    "say_number",
    "say_share",
    "shown_name",
]

Plain = Mapping[str, Any]
"""Values as JSON holds them."""

NOT_STATED: Final = "not stated"

METRIC_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "auroc": ("AUROC", "chance that a patient with the outcome is ranked above one without; 0.5 is chance"),
    "average_precision": ("Average precision", "area under precision against recall; prevalence is chance"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
    "brier_skill": ("Brier skill", "share of the Brier score of plan-wise prevalence removed; 0 is no skill"),
    "scaled_brier": ("Scaled Brier score", "share of the Brier score of overall prevalence that is removed"),
    "log_loss": ("Log loss", "mean negative log likelihood, nats; lower is better"),
    "calibration_intercept": ("Calibration in the large", "0 is right; below 0: probabilities too high"),
    "calibration_slope": ("Calibration slope", "1 is right; below 1: probabilities too extreme"),
    "ici": ("Integrated calibration index", "mean distance of the calibration curve from the diagonal"),
    "e50": ("E50", "median distance of the calibration curve from the diagonal"),
    "e90": ("E90", "90th percentile of the distance of the calibration curve from the diagonal"),
    "o_e": ("Observed : expected", "observed over expected number with the outcome; 1 is right"),
    "net_benefit": ("Net benefit", "true positives less false positives at the odds of the threshold"),
    "net_benefit_gain": (
        "Net benefit gained",
        "over the better of treating all and none, at the middle of the clinical range of thresholds",
    ),
    "uno_c": ("Uno's C", "chance that of two patients the one predicted to relapse earlier does"),
    "integrated_brier": ("Integrated Brier score", "censoring-adjusted error over time; lower is better"),
    "integrated_brier_skill": ("Integrated Brier skill", "share removed of the error of one curve for all"),
}
"""By metric: its name, and how to read it."""


def shown_name(metric: str) -> str:
    """Name of a metric as people read it.

    Parameters
    ----------
    metric : str

    Returns
    -------
    str

    Examples
    --------
    >>> shown_name("o_e"), shown_name("something_else")
    ('Observed : expected', 'Something else')
    """
    known = METRIC_WORDS.get(metric)
    return known[0] if known else capitalise(metric.replace("_", " "))


def capitalise(text: str) -> str:
    """Put the first letter in upper case and leave the others as they are."""
    return text[:1].upper() + text[1:]


def is_defined(estimate: Plain | None) -> bool:
    """Whether a figure has a value."""
    return estimate is not None and _finite(estimate.get("value"))


def say(estimate: Plain | None, digits: int = 2, scale: float = 1.0) -> str:
    """Say a figure with its 95 % interval.

    Parameters
    ----------
    estimate : mapping or None
        `value`, `low` and `high`, null where they are not defined.
    digits : int
        After the point.
    scale : float
        Factor; 100 for percentage points.

    Returns
    -------
    str

    Examples
    --------
    >>> say({"value": 0.712, "low": 0.68, "high": 0.744})
    '0.71 (0.68 to 0.74)'
    >>> say({"value": -0.0012, "low": None, "high": None})
    '0.00 (no interval)'
    >>> say(None)
    'not defined'
    """
    if estimate is None or not is_defined(estimate):
        return "not defined"
    value = say_number(estimate["value"] * scale, digits)
    ends = [estimate.get("low"), estimate.get("high")]
    if not all(_finite(end) for end in ends):
        return f"{value} (no interval)"
    low, high = (say_number(float(end) * scale, digits) for end in ends if end is not None)
    return f"{value} ({low} to {high})"


def say_number(value: float | None, digits: int = 2) -> str:
    """Write a number; without the sign of a zero."""
    if value is None or not _finite(value):
        return "not defined"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def say_share(count: int | str | None, of: int) -> str:
    """Write a count with its percentage; counts that are hidden stay hidden.

    Parameters
    ----------
    count : int, str or None
    of : int

    Returns
    -------
    str

    Examples
    --------
    >>> say_share(30, 120), say_share("<5", 120), say_share(None, 120)
    ('30 (25 %)', '<5', 'not shown')
    """
    if count is None:
        return "not shown"
    if isinstance(count, str) or not of:
        return str(count)
    return f"{count} ({100 * count / of:.0f} %)"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

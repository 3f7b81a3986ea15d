"""Probabilities as people read them: counts of 100, always with what they may range over."""

from __future__ import annotations

from typing import Final

__all__ = ["VERDICTS", "level_of_100", "of_100", "points", "range_of_100", "signed_points", "tidy"]

VERDICTS: Final = {
    "likely": ("Response is likely", "The absence of response can be ruled out"),
    "unlikely": ("Response is unlikely", "Response can be ruled out"),
    "uncertain": ("Uncertain", "Neither response nor its absence can be ruled out"),
}
"""Verdicts in words, each with what it says; the level follows."""


def of_100(probability: float) -> str:
    """Say a probability as a natural frequency.

    Parameters
    ----------
    probability : float

    Returns
    -------
    str

    Examples
    --------
    >>> of_100(0.524), of_100(0.002), of_100(0.999)
    ('52', 'fewer than 1', 'more than 99')
    """
    if 0 < probability < 0.005:  # would be rounded to none
        return "fewer than 1"
    if 0.995 <= probability < 1:  # would be rounded to all
        return "more than 99"
    return f"{round(100 * probability)}"


def range_of_100(low: float, high: float) -> str:
    """Say an interval of probabilities.

    Examples
    --------
    >>> range_of_100(0.41, 0.633)
    '41 to 63'
    """
    return f"{round(100 * low)} to {round(100 * high)}"


def level_of_100(level: float) -> str:
    """Say the level of an interval.

    Examples
    --------
    >>> level_of_100(0.9)
    '90 %'
    """
    return f"{100 * level:.3g} %"


def points(effect: float) -> str:
    """Say a size in percentage points, to one decimal below 10.

    Examples
    --------
    >>> points(0.064), points(-0.212)
    ('6.4', '21')
    """
    size = abs(100 * effect)
    return f"{size:.0f}" if size >= 9.95 else f"{size:.1f}"  # so that 9.96 is 10


def signed_points(effect: float) -> str:
    r"""Say a difference in percentage points, with its sign as a word could not be missed in print.

    Examples
    --------
    >>> signed_points(0.064), signed_points(0.0), signed_points(-0.212) == "\N{MINUS SIGN}21"
    ('+6.4', '0', True)
    """
    size = points(effect)
    if float(size) == 0:
        return "0"
    return ("+" if effect > 0 else "\N{MINUS SIGN}") + size


def tidy(value: object) -> str:
    """Write a predictor's value.

    Examples
    --------
    >>> tidy(True), tidy(27.4), tidy(34.0), tidy("not_known")
    ('yes', '27.4', '34', 'not known')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:.10g}"
    return str(value).replace("_", " ")

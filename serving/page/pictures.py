"""What the answer draws, worked out so that templates only place it: icons, bars, curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.page.words import of_100, range_of_100, signed_points, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Curve",
    "DriverBar",
    "Frequency",
    "draw_curves",
    "draw_drivers",
    "draw_frequency",
    "maintenance_text",
]

_SHOWN_DRIVERS: Final = 10
_TOLD_WEEKS: Final = (4, 13, 26, 52)
_TALL: Final = 60
"""Height of the picture of a curve, in units of which a week is one."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """A probability as 100 people.

    Parameters
    ----------
    count : str
        Of 100, in words where it is not a number.
    interval : str
    level : float
    icons : tuple of str
        Of each of the 100: `yes`, `yes-maybe` (inside the interval), `no-maybe` or `no`.
    probability, low, high : float
    """

    count: str
    interval: str
    level: float
    icons: tuple[str, ...]
    probability: float
    low: float
    high: float


def draw_frequency(likelihood: Mapping[str, Any]) -> Frequency:
    """Draw a probability and its interval as 100 people.

    Parameters
    ----------
    likelihood : mapping
        As `ProbabilityWithInterval` describes it.

    Returns
    -------
    Frequency

    Examples
    --------
    >>> drawn = draw_frequency({"probability": 0.52, "interval": (0.41, 0.63), "level": 0.9})
    >>> [drawn.icons.count(kind) for kind in ("yes", "yes-maybe", "no-maybe", "no")]
    [41, 11, 11, 37]
    """
    p, (low, high) = likelihood["probability"], likelihood["interval"]
    ends = [round(100 * end) for end in (low, p, high)]
    at_least, most_likely, at_most = ends[0], ends[1], ends[2]
    kinds = (
        ("yes", min(at_least, most_likely)),
        ("yes-maybe", max(most_likely - at_least, 0)),
        ("no-maybe", max(at_most - most_likely, 0)),
        ("no", 100 - max(at_most, most_likely)),
    )
    icons = tuple(kind for kind, count in kinds for _ in range(count))
    return Frequency(of_100(p), range_of_100(low, high), likelihood["level"], icons, p, low, high)


@dataclass(frozen=True, slots=True)
class DriverBar:
    """What one predictor adds.

    Parameters
    ----------
    label, value, effect : str
    raises : bool
    left, width : float
        Of the bar, on a line from -100 to 100.
    """

    label: str
    value: str
    effect: str
    raises: bool
    left: float
    width: float


def draw_drivers(
    drivers: Sequence[Mapping[str, Any]], units: Mapping[str, str], plans: Mapping[str, str]
) -> tuple[tuple[DriverBar, ...], DriverBar | None]:
    """Draw the largest drivers, and the sum of all others.

    Parameters
    ----------
    drivers : sequence of mapping
        As `PredictionDriver` describes them, the largest first.
    units : mapping of str to str
        Of predictors, by name.
    plans : mapping of str to str
        Texts of plans.

    Returns
    -------
    tuple of DriverBar
    DriverBar or None
        The sum of what is not shown; None if all are.
    """
    shown, rest = drivers[:_SHOWN_DRIVERS], drivers[_SHOWN_DRIVERS:]
    summed = math.fsum(d["effect"] for d in rest)
    largest = max((abs(effect) for effect in (*(d["effect"] for d in shown), summed)), default=0.0) or 1.0

    def bar(label: str, value: str, effect: float) -> DriverBar:
        width = 100 * abs(effect) / largest
        return DriverBar(
            label, value, signed_points(effect), effect > 0, 0.0 if effect > 0 else -width, width
        )

    def said(driver: Mapping[str, Any]) -> str:
        value = driver["value"]
        if value is None:
            return "unknown"
        text = plans.get(value) if isinstance(value, str) else None
        return text or f"{tidy(value)} {units.get(driver['name'], '')}".strip()

    bars = tuple(bar(d["label"], said(d), d["effect"]) for d in shown)
    return bars, bar(f"All {len(rest)} others together", "", summed) if rest else None


@dataclass(frozen=True, slots=True)
class Curve:
    """Relapse-free probability under one maintenance.

    Parameters
    ----------
    title : str
    line, band : str
        Points of SVG shapes, x in weeks and y from 0 (certain) down to 60 (none).
    until : int
        Last week with a figure.
    told : tuple of (int, str, str)
        Week, count of 100, interval.
    """

    title: str
    line: str
    band: str
    until: int
    told: tuple[tuple[int, str, str], ...]


def draw_curves(durability: Mapping[str, Any]) -> Iterator[Curve]:
    """Draw the curves of one plan.

    Parameters
    ----------
    durability : mapping
        As `DurabilityReport` describes it; NaN or None where there is no figure.

    Yields
    ------
    Curve
        Only where there is at least one week with a figure after the first.
    """
    for curve in durability["curves"]:
        known = [
            (week, p, low, high)
            for week, p, low, high in zip(
                durability["weeks"], curve["relapse_free"], curve["low"], curve["high"], strict=True
            )
            if all(end is not None and not math.isnan(end) for end in (p, low, high))
        ]
        if len(known) < 2:  # one point is no curve
            continue
        upper = [(week, high) for week, _, _, high in known]
        lower = [(week, low) for week, _, low, _ in known]
        yield Curve(
            title=maintenance_text(curve["maintenance"]),
            line=_points([(week, p) for week, p, _, _ in known]),
            band=_points(upper + lower[::-1]),
            until=known[-1][0],
            told=tuple(
                (week, of_100(p), range_of_100(low, high))
                for week, p, low, high in known
                if week in _TOLD_WEEKS
            ),
        )


def maintenance_text(level: str | None) -> str:
    """Say a maintenance in words.

    Examples
    --------
    >>> maintenance_text("every_4_weeks"), maintenance_text("none")
    ('Every 4 weeks', 'No maintenance')
    """
    if level is None:
        return "None chosen"
    if level == "none":
        return "No maintenance"
    return level.replace("_", " ").capitalize()


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{_TALL - _TALL * y:.2f}" for x, y in places)

"""Drawing in SVG: a plot with axes, whose colours follow the page's light, dark and print styles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

__all__ = ["Plot", "place_ticks"]

Points = Sequence[tuple[float, float]]


def place_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that part a range into about `count` steps.

    Parameters
    ----------
    low, high : float
    count : int

    Returns
    -------
    list of float
        Within the range, ascending.

    Examples
    --------
    >>> place_ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if span <= 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


@dataclass
class Plot:
    """A plot area with linear axes. Styles are classes of the page's style sheet, no colours of its own.

    Parameters
    ----------
    x, y : (float, float)
        Ranges in the data's units.
    width, height : float
        Of the whole drawing, in its own units.
    left, right, top, bottom : float
        Margins around the plot area.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 720
    height: float = 400
    left: float = 64
    right: float = 16
    top: float = 14
    bottom: float = 50
    parts: list[str] = field(default_factory=list)

    def px(self, x: float) -> float:
        """Horizontal place of a value."""
        low, high = self.x
        return self.left + (x - low) / (high - low) * (self.width - self.left - self.right)

    def py(self, y: float) -> float:
        """Vertical place of a value."""
        low, high = self.y
        return self.height - self.bottom - (y - low) / (high - low) * (self.height - self.top - self.bottom)

    def line(self, points: Points, css: str) -> None:
        """Draw a line through points, kept inside the plot area."""
        path = " ".join(f"{self.px(self._in_x(x)):.1f},{self.py(self._in_y(y)):.1f}" for x, y in points)
        self.parts.append(f'<polyline class="{css}" points="{path}"/>')

    def band(
        self, x: Sequence[float], low: Sequence[float], high: Sequence[float], css: str = "band"
    ) -> None:
        """Fill the area between two lines."""
        there = list(zip(x, high, strict=True))
        back = list(zip(x, low, strict=True))[::-1]
        path = " ".join(
            f"{self.px(self._in_x(a)):.1f},{self.py(self._in_y(b)):.1f}" for a, b in [*there, *back]
        )
        self.parts.append(f'<polygon class="{css}" points="{path}"/>')

    def interval(self, low: float, high: float, at: float, css: str, *, across: bool = True) -> None:
        """Draw an interval with an arrow head where it goes on beyond the axis; along x if `across`."""
        first, last = self.x if across else self.y
        a, b = max(low, first), min(high, last)
        if a > b:
            return
        ends = [(a, at), (b, at)] if across else [(at, a), (at, b)]
        self.line(ends, css)
        for end, cut, sign in ((a, low < first, -1), (b, high > last, 1)):
            if cut and across:
                x, y = self.px(end), self.py(at)
                self.parts.append(
                    f'<path class="head" d="M{x - sign * 7:.1f},{y - 4:.1f} L{x:.1f},{y:.1f} '
                    f'L{x - sign * 7:.1f},{y + 4:.1f}"/>'
                )

    def dot(self, x: float, y: float, css: str = "dot", size: float = 4.5, shape: str = "circle") -> None:
        """Mark a point; left out where it lies outside the plot area."""
        if (self._in_x(x), self._in_y(y)) != (x, y):
            return
        a, b = self.px(x), self.py(y)
        if shape == "circle":
            self.parts.append(f'<circle class="{css}" cx="{a:.1f}" cy="{b:.1f}" r="{size:.1f}"/>')
        elif shape == "square":
            self.parts.append(
                f'<rect class="{css}" x="{a - size:.1f}" y="{b - size:.1f}" '
                f'width="{2 * size:.1f}" height="{2 * size:.1f}"/>'
            )
        else:
            wide = 1.5 * size
            self.parts.append(
                f'<path class="{css}" d="M{a - wide:.1f},{b:.1f} L{a:.1f},{b - size:.1f} '
                f'L{a + wide:.1f},{b:.1f} L{a:.1f},{b + size:.1f} Z"/>'
            )

    def bar(self, x: tuple[float, float], y: tuple[float, float], css: str) -> None:
        """Fill a rectangle given by two values on each axis."""
        a, b = sorted((self.px(self._in_x(x[0])), self.px(self._in_x(x[1]))))
        c, d = sorted((self.py(self._in_y(y[0])), self.py(self._in_y(y[1]))))
        self.parts.append(
            f'<rect class="{css}" x="{a:.1f}" y="{c:.1f}" width="{b - a:.1f}" height="{d - c:.1f}"/>'
        )

    def write(self, a: float, b: float, text: Any, css: str = "label", anchor: str = "start") -> None:
        """Write a text at a place of the drawing itself."""
        self.parts.append(
            f'<text class="{css}" x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def axis_x(
        self, ticks: Iterable[float], label: str, say: Callable[[float], str], *, grid: bool = False
    ) -> None:
        """Draw the horizontal axis with its ticks and label."""
        floor = self.height - self.bottom
        self.parts.append(
            f'<path class="axis" d="M{self.left:.1f},{floor:.1f} H{self.width - self.right:.1f}"/>'
        )
        for tick in ticks:
            a = self.px(tick)
            up = self.top if grid else floor
            self.parts.append(f'<path class="grid" d="M{a:.1f},{floor:.1f} V{up:.1f}"/>')
            self.parts.append(f'<path class="axis" d="M{a:.1f},{floor:.1f} v4"/>')
            self.write(a, floor + 18, say(tick), "tick", "middle")
        middle = (self.left + self.width - self.right) / 2
        self.write(middle, self.height - 10, label, "label", "middle")

    def axis_y(self, ticks: Iterable[float], label: str, say: Callable[[float], str]) -> None:
        """Draw the vertical axis with its ticks, a grid and a label."""
        self.parts.append(
            f'<path class="axis" d="M{self.left:.1f},{self.top:.1f} V{self.height - self.bottom:.1f}"/>'
        )
        for tick in ticks:
            b = self.py(tick)
            self.parts.append(
                f'<path class="grid" d="M{self.left:.1f},{b:.1f} H{self.width - self.right:.1f}"/>'
            )
            self.write(self.left - 8, b + 4, say(tick), "tick", "end")
        middle = (self.top + self.height - self.bottom) / 2
        self.parts.append(
            f'<text class="label" text-anchor="middle" transform="translate(14 {middle:.1f}) rotate(-90)">'
            f"{escape(label)}</text>"
        )

    def legend(self, entries: Sequence[tuple[str, str]], a: float, b: float) -> None:
        """List lines (css class of each) and what they are, one below the other."""
        for i, (css, text) in enumerate(entries):
            y = b + 19 * i
            if css.startswith("band"):
                self.parts.append(f'<rect class="{css}" x="{a:.1f}" y="{y - 6:.1f}" width="24" height="12"/>')
            elif css.startswith("dot"):
                self.parts.append(f'<circle class="{css}" cx="{a + 12:.1f}" cy="{y:.1f}" r="4.5"/>')
            elif css.startswith("fill"):
                self.parts.append(
                    f'<rect class="{css}" x="{a + 6:.1f}" y="{y - 6:.1f}" width="12" height="12"/>'
                )
            else:
                self.parts.append(f'<path class="{css}" d="M{a:.1f},{y:.1f} h24"/>')
            self.write(a + 32, y + 4, text, "tick")

    def finish(self, key: str, title: str, description: str) -> Markup:
        """Give the drawing, with what a reader who cannot see it is told.

        Parameters
        ----------
        key : str
            Unique in the page, a part of the ids.
        title, description : str

        Returns
        -------
        Markup
        """
        head = (
            f'<svg class="plot" role="img" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'aria-labelledby="{escape(key)}-title {escape(key)}-description">'
            f'<title id="{escape(key)}-title">{escape(title)}</title>'
            f'<desc id="{escape(key)}-description">{escape(description)}</desc>'
        )
        return Markup(head + "".join(self.parts) + "</svg>")  # noqa: S704  # nosec B704  # every text is escaped

    def _in_x(self, x: float) -> float:
        return min(max(x, min(self.x)), max(self.x))

    def _in_y(self, y: float) -> float:
        return min(max(y, min(self.y)), max(self.y))

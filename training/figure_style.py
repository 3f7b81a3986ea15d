"""How every figure of a run looks."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ACCENT", "DPI", "GREY", "INK", "SOFT", "make_plain", "set_title"]

# Readable in print and when colours fail.
INK = "#1f2933"
ACCENT = "#0b6e8a"
SOFT = "#9cc9d6"
GREY = "#7b8794"
DPI = 150


def set_title(axes: Axes, title: str, width: int) -> None:
    """Put a title at the left, broken into lines of at most `width` letters."""
    axes.set_title(fill(title, width), loc="left", color=INK, fontsize=11, fontweight="bold")


def make_plain(axes: Axes) -> None:
    """Leave out the frame's upper and right side."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)

"""Figures with one row for each of several things: forest plots, drivers, the flow of patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from training.report.svg import Plot, place_ticks
from training.report.words import Plain, is_defined, say

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Row", "draw_drivers", "draw_flow", "draw_forest"]

_STEP: Final = 26  # height of a row
_LETTER: Final = 6.6  # width of a letter


@dataclass(frozen=True)
class Row:
    """One row of a forest plot.

    Parameters
    ----------
    label : str
    estimate : mapping or None
        `value`, `low`, `high`; None for a row that says something instead, or a heading.
    note : str
        Shown between label and plot: patients and events.
    instead : str
        Shown in place of the figures: why there are none; what is said of a heading.
    kind : {"plain", "summary", "prediction", "heading"}
    """

    label: str
    estimate: Plain | None = None
    note: str = ""
    instead: str = ""
    kind: str = "plain"


def draw_forest(
    key: str,
    rows: Sequence[Row],
    title: str,
    axis: str,
    *,
    guide: float | None = None,
    scale: float = 1.0,
    digits: int = 2,
    columns: tuple[str, str] = ("", "events / patients"),
) -> Markup:
    """Draw figures with their intervals below each other, with what they are counted from.

    Parameters
    ----------
    key : str
    rows : sequence of Row
    title, axis : str
    guide : float, optional
        Value that a line marks: no difference, chance, perfect calibration.
    scale : float
        Factor of every figure, 100 for percentage points.
    digits : int
    columns : (str, str)
        Headings of labels and notes.

    Returns
    -------
    Markup
    """
    low, high = _span(rows, guide, scale)
    heads = [math.ceil(1.2 * len(column)) for column in columns]  # in bold, which is wider
    widest = max([len(row.label) for row in rows] + [10, heads[0]])
    noted = max([len(row.note) for row in rows] + [heads[1] if any(r.note for r in rows) else 0])
    left = 14 + _LETTER * min(widest, 44) + (18 + _LETTER * noted if noted else 10)
    right = 20 + _LETTER * max(
        [len(say(row.estimate, digits, scale)) for row in rows] + [len("95 % interval")]
    )
    height = 34 + _STEP * len(rows) + 52
    plot = Plot(
        (low, high), (len(rows) - 0.5, -0.5), max(720, left + right + 240), height, left, right, 34, 52
    )
    plot.axis_x(place_ticks(low, high), axis, lambda tick: f"{tick:g}", grid=True)
    if guide is not None and low <= guide * scale <= high:
        plot.line([(guide * scale, -0.5), (guide * scale, len(rows) - 0.5)], "guide")
    plot.write(8, 20, columns[0], "head-text")
    if noted:
        plot.write(left - 10, 20, columns[1], "head-text", "end")
    plot.write(plot.width - 8, 20, "95 % interval", "head-text", "end")
    for y, row in enumerate(rows):
        _add_row(plot, y, row, scale, digits)
    said = "; ".join(
        f"{row.label}: {row.instead or say(row.estimate, digits, scale)}"
        for row in rows
        if row.instead or row.estimate
    )
    return plot.finish(key, title, f"{said}.")


def draw_drivers(key: str, drivers: Sequence[Plain], what: str) -> Markup:
    """Draw mean absolute effects as bars, and the effects of low and high values as points.

    Parameters
    ----------
    key : str
    drivers : sequence of mapping
        Of `description.drivers`: `label`, `mean_absolute`, `low`, `q1`, `median`, `q3`, `high`, and the mean
        effects `when_low` and `when_high`.
    what : str

    Returns
    -------
    Markup
    """
    most = 100 * max([max(abs(d["low"]), abs(d["high"]), d["mean_absolute"]) for d in drivers] + [0.001])
    left = 14 + _LETTER * min(max(len(d["label"]) for d in drivers), 48)
    height = 62 + _STEP * len(drivers) + 52
    plot = Plot((-most, most), (len(drivers) - 0.5, -0.5), left + 420, height, left, 72, 62, 52)
    plot.axis_x(
        place_ticks(-most, most, 6),
        f"Effect on the probability of {what}, percentage points",
        "{:+g}".format,
        grid=True,
    )
    plot.line([(0, -0.5), (0, len(drivers) - 0.5)], "guide")
    plot.write(plot.width - 6, 54, "mean |effect|", "head-text", "end")
    for y, driver in enumerate(drivers):
        plot.write(8, plot.py(y) + 4, _cut(driver["label"]), "label")
        plot.interval(100 * driver["low"], 100 * driver["high"], y, "whisker")
        plot.bar((100 * driver["q1"], 100 * driver["q3"]), (y - 0.3, y + 0.3), "fill-soft")
        plot.bar(
            (100 * driver["median"] - most / 300, 100 * driver["median"] + most / 300),
            (y - 0.3, y + 0.3),
            "fill-ink",
        )
        for end, css in (("when_low", "dot-low"), ("when_high", "dot")):
            if driver[end] is not None:
                plot.dot(100 * driver[end], y, css)
        plot.write(plot.width - 6, plot.py(y) + 4, f"{100 * driver['mean_absolute']:.1f}", "tick", "end")
    half = (plot.width - 14) / 2
    plot.legend(
        [("dot-low", "mean effect where the value is low, or no"), ("dot", "where it is high, or yes")],
        14,
        16,
    )
    plot.legend(
        [("fill-soft", "middle half of patients; median"), ("whisker", "central 90 %")], half + 40, 16
    )
    said = "; ".join(f"{d['label']} {100 * d['mean_absolute']:.1f}" for d in drivers)
    return plot.finish(
        key, f"What moves the probability of {what}", f"Mean absolute effect in percentage points: {said}."
    )


def draw_flow(key: str, flow: Plain) -> Markup:
    """Boxes from the rows of the table down to the patients with an endpoint."""
    excluded = [f"{count} with {reason}" for reason, count in flow["excluded"].items()]
    missing = flow["included"] - flow["with_endpoint"]
    plot = Plot((0, 1), (0, 1), width=720, height=250 + 18 * max(len(excluded), 1))
    down = 92 + 18 * max(len(excluded), 1)
    out = flow["rows"] - flow["included"]
    boxes = [
        (20, 14, 300, 46, [f"{flow['rows']} rows in the table"]),
        (400, 62, 300, 30 + 18 * max(len(excluded), 1), [f"{out} excluded", *excluded]),
        (20, down, 300, 46, [f"{flow['included']} included"]),
        (400, down + 50, 300, 46, [f"{missing} without an endpoint"]),
        (20, down + 96, 300, 46, [f"{flow['with_endpoint']} with an endpoint"]),
    ]
    for a, b, wide, high, lines in boxes:
        plot.parts.append(f'<rect class="box" x="{a}" y="{b}" width="{wide}" height="{high}" rx="6"/>')
        for i, line in enumerate(lines):
            plot.write(
                a + 14, b + 28 + 18 * i - (4 if len(lines) > 1 else 0), line, "head-text" if not i else "tick"
            )
    for a, b in ((60, down), (down + 46, down + 96)):
        plot.parts.append(f'<path class="axis" d="M170,{a} V{b}"/>')
    for b in (77, down + 73):
        plot.parts.append(f'<path class="axis" d="M170,{b} H400"/>')
    return plot.finish(
        key,
        "Flow of patients",
        f"{flow['rows']} rows in the table; excluded: {', '.join(excluded) or 'none'}; {flow['included']} "
        f"included, {flow['with_endpoint']} of them with an endpoint and {missing} without.",
    )


def _add_row(plot: Plot, y: int, row: Row, scale: float, digits: int) -> None:
    middle = plot.py(y) + 4
    if row.kind == "heading":
        plot.write(8, middle, _cut(row.label), "head-text")
        plot.write(plot.width - 8, middle, row.instead, "muted", "end")
        return
    strong = row.kind in ("summary", "prediction")
    plot.write(8 if strong else 16, middle, _cut(row.label), "head-text" if strong else "label")
    plot.write(plot.left - 10, middle, row.note, "tick", "end")
    if row.estimate is None or not is_defined(row.estimate):
        plot.write(plot.left + 8, middle, row.instead or "not defined", "muted")
        return
    value = row.estimate["value"] * scale
    ends = [None if row.estimate[k] is None else row.estimate[k] * scale for k in ("low", "high")]
    if ends[0] is not None and ends[1] is not None:
        css = {"summary": "interval-strong", "prediction": "interval-wide"}.get(row.kind, "whisker")
        plot.interval(ends[0], ends[1], y, css)
    if row.kind != "prediction":
        shape = "diamond" if row.kind == "summary" else "square"
        plot.dot(value, y, "dot" if strong else "dot-ink", 7 if strong else 4, shape)
    plot.write(plot.width - 8, middle, say(row.estimate, digits, scale), "tick", "end")


def _span(rows: Sequence[Row], guide: float | None, scale: float) -> tuple[float, float]:
    """Range of the axis: all values and most of the intervals; wider ones get an arrow."""
    shown = [row.estimate for row in rows if row.estimate is not None and is_defined(row.estimate)]
    values = [e["value"] * scale for e in shown] + ([] if guide is None else [guide * scale])
    if not values:
        return 0.0, 1.0
    halves = sorted(
        abs(e[k] * scale - e["value"] * scale) for e in shown for k in ("low", "high") if e[k] is not None
    )
    reach = halves[math.ceil(0.9 * len(halves)) - 1] if halves else 0.0
    low, high = min(values) - 1.05 * reach, max(values) + 1.05 * reach
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cut(label: str) -> str:
    return label if len(label) <= 48 else label[:47] + "…"

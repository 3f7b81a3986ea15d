"""Figures with curves: calibration, net benefit, instability, learning, partial dependence, relapse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Final

from training.report.svg import Plot, place_ticks
from training.report.words import Plain, is_defined, say, shown_name

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = [
    "draw_avoided",
    "draw_calibration",
    "draw_dependence",
    "draw_instability",
    "draw_learning",
    "draw_net_benefit",
    "draw_relapse",
]

_UNIT: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def draw_calibration(key: str, curve: Plain, histogram: Mapping[str, Sequence[int]], what: str) -> Markup:
    """Observed share against predicted probability with its band, above a histogram of the predictions.

    Parameters
    ----------
    key : str
    curve : mapping
        `training.validation.results.Curve` as plain values.
    histogram : mapping of str to sequence of int
        `with` and `without` the outcome, in equal bins of predicted probability.
    what : str
        The outcome, as a noun.

    Returns
    -------
    Markup
    """
    plot = Plot((0, 1), (0, 1), width=560, height=640, right=26, bottom=165)
    plot.axis_y(_UNIT, f"Observed share with {what}", _percent)
    plot.line([(0, 0), (1, 1)], "guide")
    at, value, low, high = _defined(curve)
    plot.band(at, low, high)
    plot.line(list(zip(at, value, strict=True)), "curve")
    plot.legend(
        [("guide", "perfect calibration"), ("curve", "this model"), ("band", "95 % band")], plot.left + 16, 34
    )
    _add_histogram(plot, histogram, what)
    inside = f"{_percent(at[0])} to {_percent(at[-1])}" if at else "nowhere"
    return plot.finish(
        key,
        f"Calibration of the probability of {what}",
        f"The curve is drawn where predictions lie, {inside}. Predicted and observed: "
        + _few(at, value)
        + ". The values are in the table below the figure.",
    )


def _add_histogram(plot: Plot, histogram: Mapping[str, Sequence[int]], what: str) -> None:
    """Bars up for patients with the outcome, down for those without, on the same horizontal axis."""
    first, second = histogram.get("with", ()), histogram.get("without", ())
    most = max([*first, *second, 1])
    strip = Plot((0, 1), (-most, most), width=560, height=640, right=26, top=525, bottom=50)
    for i, (up, down) in enumerate(zip(first, second, strict=True)):
        ends = (i / len(first) + 0.002, (i + 1) / len(first) - 0.002)
        strip.bar(ends, (0, up), "fill-accent")
        strip.bar(ends, (-down, 0), "fill-grey")
    strip.axis_x(_UNIT, "Predicted probability", _percent)
    strip.write(strip.left - 8, strip.py(most) + 10, most, "tick", "end")
    strip.write(strip.left - 8, strip.py(-most) - 2, most, "tick", "end")
    strip.legend([("fill-accent", f"patients with {what}")], 84, 506)
    strip.legend([("fill-grey", "patients without")], 290, 506)
    plot.parts += strip.parts


def draw_net_benefit(key: str, curves: Mapping[str, Plain], thresholds: Sequence[float], what: str) -> Markup:
    """Net benefit of using the model, of treating all and none, over thresholds.

    Parameters
    ----------
    key : str
    curves : mapping of str to mapping
        `model`, `all`, `none`.
    thresholds : (float, float)
        Clinical range, which is shaded.
    what : str

    Returns
    -------
    Markup

    References
    ----------
    Vickers and Elkin, Med Decis Making 2006;26:565-574.
    """
    model, everybody = _defined(curves["model"]), _defined(curves["all"])
    top = max([*model[3], *everybody[1], 0.05])
    floor = -0.15 * top
    span = (min(model[0], default=0.0), max(model[0], default=1.0))
    plot = Plot(span, (floor, 1.08 * top))
    plot.bar((thresholds[0], thresholds[1]), plot.y, "shade")
    plot.axis_x(place_ticks(*span), f"Threshold: act if {what} is at least this likely", _percent)
    plot.axis_y(place_ticks(floor, top), "Net benefit", "{:.2f}".format)
    plot.band(model[0], model[2], model[3])
    plot.line([(x, 0.0) for x in span], "guide")
    plot.line([(x, y) for x, y in zip(everybody[0], everybody[1], strict=True) if y >= floor], "second")
    plot.line(list(zip(model[0], model[1], strict=True)), "curve")
    plot.legend(
        [
            ("curve", "using the model, 95 % band"),
            ("second", "treating all"),
            ("guide", "treating none"),
            ("fill-shade", "clinical range of thresholds"),
        ],
        plot.width - 250,
        28,
    )
    return plot.finish(
        key,
        f"Decision curve for {what}",
        f"Net benefit of the model by threshold: {_few(model[0], model[1])}. "
        f"Treating all: {_few(everybody[0], everybody[1])}. Treating none is 0.",
    )


def draw_avoided(key: str, curve: Plain, thresholds: Sequence[float]) -> Markup:
    """Draw interventions avoided per 100 patients, without a responder missed, by threshold."""
    at, value, low, high = _defined(curve)
    span = (min(at, default=0.0), max(at, default=1.0))
    inside = [
        (a, b)
        for x, a, b in zip(at, low, high, strict=True)
        if thresholds[0] - 0.1 <= x <= thresholds[1] + 0.1
    ]
    ends = (min([a for a, _ in inside] + [0.0]), max([b for _, b in inside] + [1.0]))
    plot = Plot(span, (1.1 * ends[0], 1.1 * ends[1]), height=280)
    plot.bar((thresholds[0], thresholds[1]), plot.y, "shade")
    plot.axis_x(place_ticks(*span), "Threshold", _percent)
    plot.axis_y(place_ticks(*plot.y), "Avoided per 100", "{:.0f}".format)
    plot.band(at, low, high)
    plot.line([(x, 0.0) for x in span], "guide")
    plot.line(list(zip(at, value, strict=True)), "curve")
    return plot.finish(key, "Interventions avoided per 100 patients", f"By threshold: {_few(at, value, 0)}.")


def draw_instability(key: str, found: Plain, what: str) -> Markup:
    """Mean prediction of bootstrap refits, and their central 95 %, against the version's own."""
    at, value, low, high = _defined(found["by_prediction"])
    plot = Plot((0, 1), (0, 1), width=490, height=480, right=26)
    plot.axis_x(_UNIT, f"This version's probability of {what}", _percent)
    plot.axis_y(_UNIT, "Probability after refitting", _percent)
    plot.line([(0, 0), (1, 1)], "guide")
    plot.band(at, low, high)
    plot.line(list(zip(at, value, strict=True)), "curve")
    for x, y in zip(at, value, strict=True):
        plot.dot(x, y)
    plot.legend([("curve", "mean of the refits"), ("band", "central 95 % of the refits")], plot.left + 16, 34)
    widest = max((b - a for a, b in zip(low, high, strict=True)), default=0.0)
    return plot.finish(
        key,
        f"Instability of the probability of {what}",
        f"{found['refits']} refits on bootstrap samples; the central 95 % of their predictions are "
        f"at most {100 * widest:.0f} points wide. This version and mean of refits: {_few(at, value)}.",
    )


def draw_learning(key: str, points: Sequence[Plain], metric: str) -> Markup:
    """Draw a figure against the number of training patients."""
    found = [(p["patients"], p["metrics"][metric]) for p in points if is_defined(p["metrics"].get(metric))]
    ends = [e[k] for _, e in found for k in ("low", "high", "value") if e[k] is not None]
    room = 0.08 * (max(ends) - min(ends) or 1.0)
    most = 1.05 * max(n for n, _ in found)
    plot = Plot((0, most), (min(ends) - room, max(ends) + room), height=320)
    plot.axis_x(place_ticks(0, most), "Patients learned from", "{:.0f}".format)
    plot.axis_y(place_ticks(*plot.y, count=4), shown_name(metric), "{:.3g}".format)
    for patients, estimate in found:
        if estimate["low"] is not None and estimate["high"] is not None:
            plot.interval(estimate["low"], estimate["high"], patients, "whisker", across=False)
    plot.line([(n, e["value"]) for n, e in found], "curve")
    for patients, estimate in found:
        plot.dot(patients, estimate["value"])
    listed = "; ".join(f"{n} patients {say(e, 3)}" for n, e in found)
    return plot.finish(key, f"Learning curve: {shown_name(metric)}", f"With 95 % intervals: {listed}.")


def draw_dependence(key: str, found: Plain, ends: tuple[float, float]) -> Markup:
    """Mean probability if every patient had a value of one predictor, with the middle half of patients.

    Parameters
    ----------
    key : str
    found : mapping
        One entry of `description.partial_dependence`.
    ends : (float, float)
        Range of the vertical axis, the same in all panels of an outcome.

    Returns
    -------
    Markup
    """
    values, mean = found["values"], found["mean"]
    numeric = found["kind"] == "number"
    x = [float(v) for v in values] if numeric else [float(i) for i in range(len(values))]
    room = 0.04 * (x[-1] - x[0] or 1.0) if numeric else 0.5
    words = ["yes" if v is True else "no" if v is False else str(v).replace("_", " ") for v in values]
    crowded = not numeric and max(map(len, words)) > 42 // len(words)
    below = 48 + (44 if crowded else 0)
    right = 30 if crowded else 16
    plot = Plot(
        (x[0] - room, x[-1] + room), ends, width=340, height=202 + below, left=58, right=right, bottom=below
    )
    ticks = place_ticks(x[0], x[-1], 4) if numeric else x
    plot.axis_x(
        ticks,
        found["unit"] or "",
        "{:g}".format if numeric else lambda tick: "" if crowded else words[round(tick)],
    )
    if crowded:
        _write_levels(plot, words)
    plot.axis_y(place_ticks(*ends, count=4), "Mean probability", _percent)
    if numeric:
        plot.band(x, found["low"], found["high"])
        plot.line(list(zip(x, mean, strict=True)), "curve")
    else:
        for a, value, low, high in zip(x, mean, found["low"], found["high"], strict=True):
            plot.interval(low, high, a, "whisker", across=False)
            plot.dot(a, value)
    said = ", ".join(f"{w} {_percent(m)}" for w, m in zip(words, mean, strict=True))
    return plot.finish(key, f"Partial dependence on {found['label']}", f"Mean probability: {said}.")


def draw_relapse(key: str, weeks: Sequence[int], metrics: Mapping[str, Plain]) -> Markup:
    """Predicted and observed share of responders who are still without relapse, by week."""
    plot = Plot((0, 1.08 * max(weeks)), (0, 1), height=320)
    plot.axis_x([0, *weeks], "Weeks since response", "{:.0f}".format)
    plot.axis_y(_UNIT, "Without relapse", _percent)
    said = []
    for week in weeks:
        seen, told = metrics[f"relapse_free_{week}"], metrics[f"predicted_{week}"]
        shift = 0.006 * max(weeks)
        plot.interval(seen["low"], seen["high"], week - shift, "whisker", across=False)
        plot.dot(week - shift, seen["value"], "dot-ink")
        plot.dot(week + shift, told["value"])
        said.append(f"week {week} predicted {_percent(told['value'])}, observed {_percent(seen['value'])}")
    plot.legend(
        [("dot", "predicted, mean"), ("dot-ink", "observed (Kaplan-Meier, 95 % interval)")],
        plot.left + 16,
        30,
    )
    return plot.finish(key, "Responders without relapse", "; ".join(said) + ".")


def _defined(curve: Plain) -> tuple[list[float], list[float], list[float], list[float]]:
    """Points of a curve at which value and band are defined."""
    rows = zip(curve["at"], curve["value"], curve["low"], curve["high"], strict=True)
    kept = [row for row in rows if None not in row]
    at, value, low, high = zip(*kept, strict=True) if kept else ((), (), (), ())
    return list(at), list(value), list(low), list(high)


def _few(at: Sequence[float], value: Sequence[float], digits: int = 2) -> str:
    """Say five points of a curve."""
    chosen = sorted({round(i * (len(at) - 1) / 4) for i in range(5)}) if at else []
    return ", ".join(f"{_percent(at[i])}: {value[i]:.{digits}f}" for i in chosen) or "no point"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _write_levels(plot: Plot, words: Sequence[str]) -> None:
    """Write levels in two lines, every other one lower, so that neighbours do not run into each other."""
    room = max(6, 84 // len(words))
    for i, word in enumerate(words):
        lines = wrap(word, room)
        if len(lines) > 2:
            lines = [lines[0], shorten(" ".join(lines[1:]), room, placeholder="…")]
        for j, line in enumerate(lines):
            height = plot.height - plot.bottom + 18 + 14 * j + (32 if i % 2 else 0)
            plot.write(plot.px(i), height, line, "tick", "middle")

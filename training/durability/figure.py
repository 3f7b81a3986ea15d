"""Figure of relapse-free curves by maintenance, over what was observed."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from models.durability import BAND_LEVEL
from training.durability.metrics import kaplan_meier
from training.figure_style import ACCENT, DPI, GREY, INK, SOFT, make_plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from models.durability import DurabilityModel
    from training.durability.fit import DurabilityReport

__all__ = ["durability_figure"]

_AT_RISK_WEEKS = (0, 13, 26, 39, 52)


def durability_figure(model: DurabilityModel, report: DurabilityReport, title: str) -> Figure:
    """Draw one panel for each maintenance: average curve with band, Kaplan-Meier's beside it.

    The two differ where a maintenance was given to other patients than the rest: the average curve is of
    the same patients in each panel.

    Parameters
    ----------
    model : DurabilityModel
    report : DurabilityReport
        Of that model, with its effects.
    title : str

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the report holds no effects.
    """
    if report.effects is None or report.used is None:
        raise ValueError("there are no average curves to draw")
    count = len(model.levels)
    figure = Figure(figsize=(2.9 * count + 0.6, 4.3), layout="constrained", dpi=DPI)
    panels = np.atleast_1d(figure.subplots(1, count, sharey=True))
    reference = report.effects.curves[0, 0]
    for k, axes in enumerate(panels):
        observed = report.used.take(np.flatnonzero(report.used.maintenance == k))
        seen = model.weeks[~np.isnan(model.hazard[k])]
        days = np.arange(7 * seen[-1] + 1) / 7
        axes.plot(days, kaplan_meier(observed, days), color=INK, linewidth=1, label="observed (Kaplan-Meier)")
        centre, low, high = report.effects.curves[:, k]
        axes.fill_between(
            model.weeks, low, high, color=SOFT, alpha=0.5, linewidth=0, label=f"{BAND_LEVEL:.0%} band"
        )
        axes.plot(model.weeks, centre, color=ACCENT, linewidth=2, label="model, same patients in each panel")
        if k:
            axes.plot(
                model.weeks,
                reference,
                color=GREY,
                linewidth=1,
                linestyle=(0, (4, 3)),
                label=f"model, {_words(model.levels[0])}",
            )
        patients, relapses = report.counts[model.levels[k]]
        axes.set_title(
            f"{_words(model.levels[k]).capitalize()}\n{patients} responders, {relapses} relapses",
            loc="left",
            color=INK,
            fontsize=9,
        )
        weeks = [week for week in _AT_RISK_WEEKS if week <= seen[-1]]
        followed = [int((observed.weeks >= week).sum()) for week in weeks]
        axes.annotate("still followed:", (0, 0.06), fontsize=7, color=GREY)
        for week, still in zip(weeks, followed, strict=True):
            axes.annotate(str(still), (week, 0.02), ha="center" if week else "left", fontsize=7, color=GREY)
        axes.set_xlabel("Weeks since response", color=INK, fontsize=9)
        _plain(axes)
    panels[0].set_ylabel("Probability of no relapse", color=INK, fontsize=9)
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    figure.suptitle(fill(title, 40 * count), x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    return figure


def _words(level: str) -> str:
    return "no maintenance" if level == "none" else level.replace("_", " ")


def _plain(axes: Axes) -> None:
    axes.set_ylim(0, 1)
    axes.set_xlim(-1, 53)
    axes.xaxis.set_major_locator(MultipleLocator(13))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    make_plain(axes)

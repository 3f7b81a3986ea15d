"""Figures of a run: calibration with its histogram, ROC curve, candidates side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.figure_style import ACCENT, DPI, GREY, INK, SOFT, make_plain, set_title
from training.validation.bands import calibration_band

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from training.bootstrap import Estimate
    from training.metrics import Predicted

__all__ = ["calibration_figure", "candidates_figure", "roc_figure"]


def calibration_figure(repeats: list[Predicted], weights: NDArray[np.float64], title: str) -> Figure:
    """Observed against predicted probability with a 95 % band, tenths of patients, and a histogram.

    Curve and band are those of a validation (`training.validation.bands`). The tenths have no intervals of
    their own: those of a share would take patients of one group for independent.

    Parameters
    ----------
    repeats : list of Predicted
        Out-of-fold predictions, one for each repeat.
    weights : ndarray of shape (samples, n)
        Bootstrap weights (`training.bootstrap.draw_weights`).
    title : str

    Returns
    -------
    Figure
    """
    data, curve = repeats[0], calibration_band(repeats, weights)
    figure = Figure(figsize=(6.0, 6.6), layout="constrained", dpi=DPI)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    top.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="Perfect calibration")
    top.fill_between(curve.at, curve.low, curve.high, color=SOFT, alpha=0.5, linewidth=0, label="95 % band")
    top.plot(curve.at, curve.value, color=ACCENT, linewidth=2, label="Flexible calibration curve")
    _tenths(top, data)
    top.set_ylabel("Observed share")
    set_title(top, title, 56)
    top.set_ylim(0, 1)
    top.set_xlim(0, 1)
    top.yaxis.set_major_formatter(PercentFormatter(1.0))
    top.legend(frameon=False, loc="upper left")
    bins = np.linspace(0, 1, 41)
    bottom.hist(data.p[data.y == 1], bins=bins, color=ACCENT, label="with the outcome")
    counts, edges = np.histogram(data.p[data.y == 0], bins=bins)
    bottom.bar(edges[:-1], -counts, np.diff(edges), align="edge", color=GREY, label="without")
    bottom.axhline(0, color="white", linewidth=1)
    bottom.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    bottom.set_ylabel("Patients")
    bottom.set_xlabel("Predicted probability")
    bottom.xaxis.set_major_formatter(PercentFormatter(1.0))
    bottom.legend(frameon=False, fontsize=8, loc="best")  # wherever no patients are
    for axes in (top, bottom):
        make_plain(axes)
    return figure


def roc_figure(repeats: list[Predicted], estimate: Estimate, title: str) -> Figure:
    """Sensitivity against 1 - specificity, one line for each repeat.

    Parameters
    ----------
    repeats : list of Predicted
    estimate : Estimate
        AUROC, for the legend.
    title : str

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(5.4, 5.6), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="Chance")
    for i, data in enumerate(repeats):
        order = np.argsort(-data.p, kind="stable")
        events, others = np.cumsum(data.y[order]), np.cumsum(1 - data.y[order])
        last = np.append(np.diff(data.p[order]) != 0, True)  # ties move together
        x = np.concatenate([[0.0], others[last] / others[-1]])
        y = np.concatenate([[0.0], events[last] / events[-1]])
        axes.plot(x, y, color=ACCENT, linewidth=1.5, alpha=0.8, label=None if i else f"AUROC {estimate}")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("Sensitivity")
    axes.set_aspect("equal")
    set_title(axes, title, 50)
    axes.legend(frameon=False, loc="lower right")
    make_plain(axes)
    return figure


def candidates_figure(gains: Mapping[str, Estimate], used: str, title: str) -> Figure:
    """How much log loss each candidate saves against plan-wise prevalence, with 95 % intervals.

    Parameters
    ----------
    gains : mapping of str to Estimate
        By candidate; above 0 is better than the floor. Intervals are of the paired difference.
    used : str
        Candidate that the final model uses.
    title : str

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(6.4, 0.9 + 0.5 * len(gains)), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for y, (name, gain) in enumerate(reversed(list(gains.items()))):
        colour = ACCENT if name == used else INK
        axes.plot([gain.low, gain.high], [y, y], color=colour, linewidth=2)
        axes.plot(gain.value, y, marker="D" if name == used else "o", color=colour, markersize=7)
    labels = [f"{name} (used)" if name == used else name for name in reversed(list(gains))]
    axes.set_yticks(range(len(gains)), [label.replace("_", " ") for label in labels])
    axes.set_ylim(-0.6, len(gains) - 0.4)
    axes.set_xlabel("Log loss saved against plan-wise prevalence (nats a patient)")
    set_title(axes, title, 58)
    make_plain(axes)
    return figure


def _tenths(axes: Axes, data: Predicted) -> None:
    """Observed share in ten groups of equal size."""
    count = min(10, max(2, len(data.p) // 20))
    groups = np.array_split(np.argsort(data.p, kind="stable"), count)
    x = np.array([data.p[g].mean() for g in groups])
    share = np.array([data.y[g].mean() for g in groups])
    axes.plot(x, share, "o", color=INK, markersize=5, label=f"{count} groups of equal size")

"""Figures of plans: differences from the reference, support, and what choosing brings."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from training.figure_style import ACCENT, DPI, GREY, INK, SOFT, make_plain, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from training.bootstrap import Estimate
    from training.plans.report import PlanReport

__all__ = ["effects_figure", "policy_figure"]

_POLICIES = {
    "usual": "Usual assignment",
    "single": "Best plan for all",
    "tree": "Shallow tree",
    "model": "By patient",
}


def effects_figure(report: PlanReport, reference: str, title: str) -> Figure:
    """Difference of each plan from the reference plan, with what a naive comparison says, and support.

    Parameters
    ----------
    report : PlanReport
    reference : str
    title : str

    Returns
    -------
    Figure
    """
    plans = [plan for plan in report.effects if plan != reference]
    figure = Figure(figsize=(8.4, 1.9 + 0.55 * len(plans)), layout="constrained", dpi=DPI)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1.2))
    figure.suptitle(fill(title, 90), x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    left.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for y, plan in enumerate(reversed(plans)):
        effect = report.effects[plan]
        _interval(left, effect.difference, y)
        left.plot(100 * effect.naive, y, marker="o", markersize=7, markerfacecolor="white", color=GREY)
        right.barh(y, 100 * effect.supported / report.patients, color=SOFT, height=0.5)
        right.text(2, y, f"{effect.patients} on it", va="center", fontsize=8, color=INK)
    left.plot([], [], marker="D", color=ACCENT, linewidth=2, label="doubly robust, 95 % interval")
    left.plot([], [], "o", markerfacecolor="white", color=GREY, label="naive")
    left.set_yticks(range(len(plans)), reversed(plans))
    left.set_xlabel(f"Responders in 100, against {reference}")
    right.set_xlabel("Patients with support, %")
    right.set_xlim(0, 100)
    left.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    make_plain(left)
    make_plain(right)
    return figure


def policy_figure(report: PlanReport, title: str) -> Figure:
    """Response under each policy, and the gain of choosing by patient.

    Parameters
    ----------
    report : PlanReport
    title : str

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(7.2, 3.4), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    for y, name in enumerate(reversed(_POLICIES)):
        _interval(axes, report.values[name], y)
    axes.set_yticks(range(len(_POLICIES)), list(reversed(_POLICIES.values())))
    axes.set_ylim(-0.6, len(_POLICIES) - 0.4)
    said = fill(report.model.choice.sentence(), 80)
    axes.set_xlabel(f"Responders in 100, doubly robust, 95 % interval\n{said}", fontsize=9)
    set_title(axes, title, 60)
    make_plain(axes)
    return figure


def _interval(axes: Axes, estimate: Estimate, y: float) -> None:
    axes.plot([100 * estimate.low, 100 * estimate.high], [y, y], color=ACCENT, linewidth=2)
    axes.plot(100 * estimate.value, y, marker="D", color=ACCENT, markersize=6)

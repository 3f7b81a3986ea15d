"""Sections on the model itself: candidates, drivers, partial dependence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.report.blocks import Figure, Table
from training.report.curves import draw_dependence
from training.report.forest import Row, draw_drivers, draw_forest
from training.report.words import say

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["show_candidates", "show_dependence", "show_drivers"]

_DRIVERS = 15


def show_candidates(m: Material) -> list[Figure]:
    """Draw how much log loss each candidate saves against plan-wise prevalence."""
    figures = []
    for outcome, found in m.metrics["outcomes"].items():
        gains, used = found["log_loss_saved_by_candidate"], found["candidate"]
        folds = found["candidate_in_each_fold"]
        table = Table(
            f"Candidates, {outcome}",
            ["Candidate", "Log loss saved (95 % interval)", "Inner log loss", "Chosen in folds"],
            [
                [
                    name.replace("_", " "),
                    say(gains.get(name), 4),
                    f"{loss:.4f}" if loss is not None else "not defined",
                    f"{folds.count(name)} of {len(folds)}",
                ]
                for name, loss in found["inner_log_loss"].items()
            ],
        )
        caption = (
            "Log loss saved against plan-wise prevalence, out of fold, on the same patients; above 0 is "
            f"better. Used: {used.replace('_', ' ')}."
        )
        if not gains:
            continue
        rows = [
            Row(
                f"{name.replace('_', ' ')}{' (used)' if name == used else ''}",
                gain,
                kind="summary" if name == used else "plain",
            )
            for name, gain in gains.items()
        ]
        drawing = draw_forest(
            f"candidates-{outcome}",
            rows,
            f"Candidates side by side, {outcome}",
            "Log loss saved, nats a patient",
            guide=0.0,
            digits=4,
            columns=("Candidate", ""),
        )
        figures.append(Figure(drawing, f"{outcome.capitalize()}. {caption}", table))
    return figures


def show_drivers(m: Material) -> list[Figure]:
    """Draw what moves the probability most over all patients; nothing for versions without a description."""
    figures = []
    for outcome, drivers in ((m.metrics.get("description") or {}).get("drivers") or {}).items():
        moving = [driver for driver in drivers if driver["mean_absolute"] > 0]
        if not moving:
            continue
        table = Table(
            f"All drivers, {outcome}: effect in percentage points",
            ["Predictor", "Mean |effect|", "Median", "Central 90 %", "Where low or no", "Where high or yes"],
            [
                [
                    d["label"],
                    f"{100 * d['mean_absolute']:.2f}",
                    f"{100 * d['median']:+.2f}",
                    f"{100 * d['low']:+.2f} to {100 * d['high']:+.2f}",
                    *(f"{100 * d[k]:+.2f}" if d[k] is not None else "-" for k in ("when_low", "when_high")),
                ]
                for d in moving
            ],
        )
        figures.append(
            Figure(
                draw_drivers(f"drivers-{outcome}", moving[:_DRIVERS], outcome),
                f"The {min(_DRIVERS, len(moving))} strongest of {len(moving)} predictors that move the "
                f"probability of {outcome}, against the average patient, over at most 500 training patients. "
                "What the model uses, not what causes the outcome.",
                table,
            )
        )
    return figures


def show_dependence(m: Material) -> list[tuple[str, list[Figure]]]:
    """Draw partial dependence on the strongest predictors, one panel each on one common scale."""
    found = (m.metrics.get("description") or {}).get("partial_dependence") or {}
    panels = []
    for outcome, curves in found.items():
        if not curves:
            continue
        low = min(min(c["low"]) for c in curves)
        high = max(max(c["high"]) for c in curves)
        room = 0.05 * (high - low or 0.1)
        ends = (max(0.0, low - room), min(1.0, high + room))
        figures = []
        for place, curve in enumerate(curves):
            rows = [
                [
                    "yes" if v is True else "no" if v is False else f"{v}",
                    f"{100 * mean:.1f} % ({100 * a:.1f} to {100 * b:.1f})",
                ]
                for v, mean, a, b in zip(
                    curve["values"], curve["mean"], curve["low"], curve["high"], strict=True
                )
            ]
            figures.append(
                Figure(
                    draw_dependence(f"dependence-{outcome}-{place}", curve, ends),
                    curve["label"],
                    Table(f"{curve['label']}, {outcome}", ["Value", "Mean (middle half of patients)"], rows),
                    narrow=True,
                )
            )
        panels.append((outcome, figures))
    return panels

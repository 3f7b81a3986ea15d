"""What `fit` prints for a person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.table import Table

from training.bootstrap import Estimate

if TYPE_CHECKING:
    from rich.console import Console

    from models.stopping import Share, StoppingRule
    from training.fit import Fit
    from training.plans.report import PlanReport

__all__ = ["print_fit"]

_SHOWN: Final = {"o_e": "observed : expected"}
"""Figures whose name does not read well."""


def print_fit(fit: Fit, console: Console) -> None:
    """Print patient flow, figures with intervals, candidates, and what to beware of.

    Parameters
    ----------
    fit : Fit
    console : Console
    """
    flow, file = fit.cohort.flow, fit.cohort.file
    excluded = ", ".join(f"{count} with {reason}" for reason, count in flow.excluded.items()) or "none"
    console.print(f"\n[bold]{file.title}[/bold] ({file.provenance})")
    console.print(f"Patients: {flow.rows} rows; excluded: {excluded}; {flow.with_endpoint} with an endpoint.")
    table = Table(title="Out of fold, with 95 % intervals", title_justify="left")
    table.add_column("")
    for name, report in fit.outcomes.items():
        table.add_column(f"{name} ({report.events} of {report.patients})", justify="right")
    for metric in next(iter(fit.outcomes.values())).metrics:
        shown = _SHOWN.get(metric, metric.replace("_", " "))
        table.add_row(shown, *(str(r.metrics[metric]) for r in fit.outcomes.values()))
    for candidate in dict.fromkeys(c for r in fit.outcomes.values() for c in r.gains):
        gains = [report.gains.get(candidate) for report in fit.outcomes.values()]
        used = [fit.validated.final.searches[name].winner == candidate for name in fit.outcomes]
        cells = [
            f"{gain or 'not tried'}{' *' if star else ''}" for gain, star in zip(gains, used, strict=True)
        ]
        table.add_row(f"log loss saved: {candidate.replace('_', ' ')}", *cells)
    table.caption = (
        "log loss saved: against plan-wise prevalence, paired; * the candidate that the model uses"
    )
    console.print(table)
    if fit.landmarks:
        console.print(_landmark_table(fit))
    if fit.plans is not None:
        console.print(_plan_table(fit.plans))
        console.print(fit.plans.model.choice.sentence())
    if fit.stopping is not None:
        console.print(_stopping_line(fit.stopping))
    for warning in fit.warnings:
        console.print(f"[yellow]![/yellow] {warning}")
    if file.provenance == "simulated":
        console.print("[yellow]![/yellow] Simulated patients: these figures say nothing about real ones.")


def _landmark_table(fit: Fit) -> Table:
    """A row for each later landmark and outcome."""
    table = Table(title="From later landmarks, with 95 % intervals", title_justify="left")
    for column in ("", "auroc", "gain over baseline", "log loss saved", "slope"):
        table.add_column(column, justify="right" if column else "left")
    for name, landmark in fit.landmarks.items():
        for outcome, report in landmark.outcomes.items():
            figures = [
                report.metrics["auroc"],
                report.gains["auroc"],
                report.gains["log_loss"],
                report.metrics["calibration_slope"],
            ]
            table.add_row(f"{name}: {outcome}", *(_short(figure) for figure in figures))
    flow = "; ".join(
        f"{name}: {landmark.in_care} in care, {landmark.with_endpoint} with an endpoint, "
        f"{landmark.observed} of them with a value"
        for name, landmark in fit.landmarks.items()
    )
    table.caption = f"gains: paired, against the baseline prediction of the same patients. {flow}"
    return table


def _plan_table(report: PlanReport) -> Table:
    """A row for each plan: its patients, and doubly robust and naive differences from the reference."""
    table = Table(title="Plans against the reference plan, with 95 % intervals", title_justify="left")
    for column in ("", "patients", "response if all on it", "difference", "naive", "slope", "with support"):
        table.add_column(column, justify="right" if column else "left")
    for plan, effect in report.effects.items():
        table.add_row(
            plan,
            str(effect.patients),
            _short(effect.response),
            _short(effect.difference),
            f"{effect.naive:+.2f}",
            _short(effect.calibration),
            f"{effect.supported} of {report.patients}",
        )
    few = "".join(f" Left out: {plan} ({count} patients)." for plan, count in report.left_out.items())
    table.caption = f"slope: of real on predicted differences between patients. {report.assumption}{few}"
    return table


def _short(figure: Estimate) -> str:
    if figure.low == figure.high or math.isnan(figure.value):
        return "-"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _stopping_line(stopping: StoppingRule) -> str:
    model = stopping.model_false_stops
    beside = "" if model is None else f"; {_count(model)} of as many with the lowest predictions"
    return (
        f"Futility rule at {stopping.rule.landmark}: {_count(stopping.false_stops)} of those in whom it "
        f"fires responded all the same{beside}. "
        f"It catches {_count(stopping.caught)} of those without response."
    )


def _count(share: Share) -> str:
    low, high = share.interval
    return f"{share.count} of {share.of} ({100 * low:.0f} to {100 * high:.0f} %)"

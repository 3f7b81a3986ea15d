"""Sections on spread: sites and periods held out, subgroups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from training.report.blocks import Figure, Table
from training.report.forest import Row, draw_forest
from training.report.words import Plain, is_defined, say, shown_name

if TYPE_CHECKING:
    from features.cohort_file import CohortFile

__all__ = ["show_subgroups", "show_units"]

_GUIDES: Final[Mapping[str, float]] = {
    "auroc": 0.5,
    "calibration_intercept": 0.0,
    "calibration_slope": 1.0,
    "o_e": 1.0,
    "brier_skill": 0.0,
    "net_benefit_gain": 0.0,
}
_OF_UNITS: Final = ("auroc", "calibration_intercept", "calibration_slope")
_OF_SUBGROUPS: Final = ("auroc", "calibration_intercept", "net_benefit_gain")


def show_units(outcome: str, found: Plain) -> list[Figure]:
    """Draw, for each design that held units out, their figures with the summary and the prediction interval.

    Parameters
    ----------
    outcome : str
    found : mapping
        One outcome of `validation.json`.

    Returns
    -------
    list of Figure
    """
    figures = []
    for design in found["designs"]:
        for metric in _OF_UNITS:
            if any(is_defined(unit["metrics"].get(metric)) for unit in design["units"]):
                figures.append(_show_units_of(outcome, design, metric))
    return figures


def show_subgroups(outcome: str, found: Plain, file: CohortFile) -> tuple[list[Figure], list[Table]]:
    """Draw subgroups as forest plots, and tabulate every figure with the tests of heterogeneity.

    Parameters
    ----------
    outcome : str
    found : mapping
        One outcome of `validation.json`.
    file : CohortFile

    Returns
    -------
    figures : list of Figure
    tables : list of Table
        One for each predictor that makes subgroups.
    """
    groups = found["subgroups"]
    labels = {p.name: p.label for p in file.predictors}
    figures = [
        _show_subgroups_of(outcome, found, metric, labels)
        for metric in _OF_SUBGROUPS
        if any(is_defined(m["metrics"].get(metric)) for group in groups for m in group["members"])
    ]
    tables = [
        _tabulate_subgroups(outcome, group, labels.get(group["predictor"], group["predictor"]))
        for group in groups
    ]
    return figures, tables


def _show_units_of(outcome: str, design: Plain, metric: str) -> Figure:
    rows = [
        Row(
            unit["name"],
            unit["metrics"].get(metric),
            f"{unit['events']} / {unit['patients']}",
            "" if is_defined(unit["metrics"].get(metric)) else "too few patients",
        )
        for unit in sorted(design["units"], key=lambda unit: _as_counted(str(unit["name"])))
    ]
    if is_defined(design["summary"].get(metric)):
        rows.append(Row("Mean (random effects)", design["summary"][metric], kind="summary"))
    predicted = ""
    if is_defined(design["new_unit"].get(metric)):
        rows.append(Row("A new unit (prediction)", design["new_unit"][metric], kind="prediction"))
        predicted = ", and the 95 % prediction interval for a new unit"
    tau = design["between"].get(metric)
    between = f" Standard deviation between units: {say(tau)}." if tau else ""
    return Figure(
        draw_forest(
            f"{design['key']}-{outcome}-{metric}".replace("_", "-"),
            rows,
            f"{design['title']}, {outcome}: {shown_name(metric)}",
            f"{shown_name(metric)} ({outcome})",
            guide=_GUIDES[metric],
            columns=("Held out", "events / patients"),
        ),
        f"{design['title']}: {shown_name(metric)} in each unit, the random-effects mean with its 95 % "
        f"interval{predicted}.{between}",
    )


def _show_subgroups_of(outcome: str, found: Plain, metric: str, labels: Mapping[str, str]) -> Figure:
    overall = found["designs"][0]["metrics"].get(metric)
    rows = [Row("All patients", overall, kind="summary")] if is_defined(overall) else []
    for group in found["subgroups"]:
        p = group["heterogeneity"].get(metric)
        tested = f"heterogeneity {_say_p(p)}" if p is not None else ""
        label = labels.get(group["predictor"], group["predictor"])
        rows.append(Row(label, instead=tested, kind="heading"))
        rows += [_row(member, metric) for member in group["members"]]
    return Figure(
        draw_forest(
            f"subgroups-{outcome}-{metric}".replace("_", "-"),
            rows,
            f"{shown_name(metric)} by subgroup, {outcome}",
            f"{shown_name(metric)} ({outcome})",
            guide=_GUIDES[metric],
            columns=("Subgroup", "events / patients"),
        ),
        f"{shown_name(metric)} by subgroup; small subgroups are shown as too small, not dropped. With so "
        "many comparisons some p values below 0.05 are to be expected by chance.",
    )


def _row(member: Plain, metric: str) -> Row:
    counts = f"{member['events']} / {member['patients']}"
    instead = "too small" if member["too_small"] else ""
    return Row(member["level"], member["metrics"].get(metric), counts, instead)


def _tabulate_subgroups(outcome: str, group: Plain, label: str) -> Table:
    members = group["members"]
    head = ["Figure (95 % interval)", *(str(member["level"]) for member in members), "Heterogeneity"]
    rows = [["Events / patients", *(f"{m['events']} / {m['patients']}" for m in members), ""]]
    for name in dict.fromkeys(name for member in members for name in member["metrics"]):
        cells = ["too small" if m["too_small"] else say(m["metrics"].get(name), 3) for m in members]
        rows.append([shown_name(name), *cells, _say_p(group["heterogeneity"].get(name))])
    return Table(f"{outcome.capitalize()} by subgroup: {label}", head, rows)


def _say_p(p: float | None) -> str:
    if p is None:
        return "not tested"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _as_counted(name: str) -> list[str | int]:
    """Sort key by which site 9 comes before site 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]

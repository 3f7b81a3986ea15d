"""Sections on performance: designs side by side, calibration, net benefit, and how stable it all is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from training.report.blocks import Figure, Table, tabulate_curve, tabulate_metrics
from training.report.curves import (
    draw_avoided,
    draw_calibration,
    draw_instability,
    draw_learning,
    draw_net_benefit,
)
from training.report.words import Plain, is_defined, say, say_number, shown_name

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["Performance", "show_fit_only", "show_performance"]

_SIDE_BY_SIDE: Final = (
    "auroc",
    "brier",
    "brier_skill",
    "calibration_intercept",
    "calibration_slope",
    "ici",
    "o_e",
    "net_benefit_gain",
)


@dataclass(frozen=True)
class Performance:
    """What is shown of one outcome's validation.

    Parameters
    ----------
    outcome, how : str
        `how` is the judged design's sentence.
    designs : Table
    hows : list of (str, str)
        Title of each design, and how it was done.
    metrics : Table
        Of the judged design.
    calibration, net_benefit, avoided : Figure
    missing : Table or None
    missing_note : str
    instability, learning : Figure or None
    champion : Table or None
    coverage : str
    """

    outcome: str
    how: str
    designs: Table
    hows: list[tuple[str, str]]
    metrics: Table
    calibration: Figure
    net_benefit: Figure
    avoided: Figure | None
    missing: Table | None
    missing_note: str
    instability: Figure | None
    learning: list[Figure]
    champion: Table | None
    coverage: str


def show_fit_only(m: Material) -> list[Table]:
    """Show the figures of the cross-validation at fit, which is all that an unvalidated version has."""
    return [
        tabulate_metrics(
            found["metrics"],
            f"{name.capitalize()}: {m.metrics['validation']['design']}, {found['patients']} patients, "
            f"{found['events']} with {name}",
        )
        for name, found in m.metrics["outcomes"].items()
    ]


def show_performance(validation: Plain) -> list[Performance]:
    """Show the validation of every outcome.

    Parameters
    ----------
    validation : mapping
        `validation.json`.

    Returns
    -------
    list of Performance
    """
    return [_show(name, found) for name, found in validation["outcomes"].items()]


def _show(outcome: str, found: Plain) -> Performance:
    first = found["designs"][0]
    return Performance(
        outcome=outcome,
        how=first["how"],
        designs=_tabulate_designs(outcome, found["designs"]),
        hows=[(design["title"], f"{design['how']}{_say_update(design)}") for design in found["designs"]],
        metrics=tabulate_metrics(first["metrics"], f"{outcome.capitalize()}: {first['title']}"),
        calibration=_show_calibration(outcome, found, first),
        net_benefit=_show_net_benefit(outcome, found),
        avoided=_show_avoided(outcome, found),
        missing=_tabulate_missing(outcome, first["metrics"], found["missing_endpoints"]),
        missing_note=_say_missing(found["missing_endpoints"]),
        instability=_show_instability(outcome, found["instability"]),
        learning=_show_learning(outcome, found["learning"]),
        champion=_tabulate_champion(outcome, (found["champion"] or {}).get("metrics", {})),
        coverage=say(found["coverage"]) if found["coverage"] else "",
    )


def _tabulate_designs(outcome: str, designs: Sequence[Plain]) -> Table:
    names = [name for name in _SIDE_BY_SIDE if any(name in design["metrics"] for design in designs)]
    rows = []
    for design in designs:
        counts = f"{design['events']} / {design['patients']}"
        units = f", {len(design['units'])} held out in turn" if design["units"] else ""
        cells = [say(design["metrics"].get(name), 3) for name in names]
        rows.append([f"{design['title']}{units}", counts, *cells])
    return Table(
        f"{outcome.capitalize()}: designs of validation side by side, with 95 % intervals",
        ["Design", "Events / patients", *map(shown_name, names)],
        rows,
        "Gates judge the first design.",
        wide=True,
    )


def _say_update(design: Plain) -> str:
    """Say what a recalibration learned of all patients; nothing of other designs."""
    update = design.get("update") or {}  # validations of earlier code have none
    parts = [f"{name} {say(found)}" for name, found in update.items()]
    return f"; learned of all patients: {', '.join(parts)}" if parts else ""


def _show_calibration(outcome: str, found: Plain, first: Plain) -> Figure:
    line = [
        f"{shown_name(name)} {say(first['metrics'][name])}"
        for name in ("calibration_intercept", "calibration_slope", "ici")
        if name in first["metrics"]
    ]
    return Figure(
        draw_calibration(f"calibration-{outcome}", found["calibration"], found["histogram"], outcome),
        f"{first['title']}: flexible calibration curve (restricted cubic spline of the logit) with a 95 % "
        f"band; below, how many patients had which prediction. {'; '.join(line)}.",
        tabulate_curve(
            found["calibration"],
            f"Calibration curve, {outcome}",
            ["Predicted", f"Observed share with {outcome} (95 % band)"],
        ),
        narrow=True,
    )


def _show_net_benefit(outcome: str, found: Plain) -> Figure:
    curves, ends = found["net_benefit"], found["thresholds"]
    model = tabulate_curve(curves["model"], "", ["Threshold", "The model (95 % band)"])
    everybody = tabulate_curve(curves["all"], "", ["Threshold", "Treating all"])
    rows = [[*a, b[1]] for a, b in zip(model.rows, everybody.rows, strict=True)]
    return Figure(
        draw_net_benefit(f"net-benefit-{outcome}", curves, ends, outcome),
        "Net benefit of offering treatment by the model against offering it to all or to none. The shaded "
        f"range of thresholds, {100 * ends[0]:.0f} to {100 * ends[1]:.0f} %, is the one that is judged.",
        Table(f"Net benefit, {outcome}", ["Threshold", "The model (95 % band)", "Treating all"], rows),
    )


def _show_avoided(outcome: str, found: Plain) -> Figure | None:
    curve = found["net_benefit"].get("avoided")
    if not curve:
        return None
    return Figure(
        draw_avoided(f"avoided-{outcome}", curve, found["thresholds"]),
        "Treatments avoided per 100 patients against treating all, with no patient who would benefit left "
        "out, in net terms at the odds of the threshold.",
        tabulate_curve(
            curve, f"Interventions avoided per 100, {outcome}", ["Threshold", "Avoided (95 % band)"], 1
        ),
    )


def _tabulate_missing(
    outcome: str, complete_cases: Mapping[str, Any], found: Mapping[str, Any] | None
) -> Table | None:
    if found is None:
        return None
    rows = []
    for name, complete in complete_cases.items():
        if name not in found["weighted"]:
            continue
        bounds = found["bounds"].get(name)
        ends = (
            f"{bounds['worst']:.3f} to {bounds['best']:.3f}"
            if bounds and None not in (bounds["worst"], bounds["best"])
            else "not defined"
        )
        rows.append([shown_name(name), say(complete, 3), say(found["weighted"].get(name), 3), ends])
    return Table(
        f"{outcome.capitalize()}: what missing endpoints may do",
        ["Figure", "Complete cases", "Weighted by inverse probability", "Worst to best case"],
        rows,
    )


def _say_missing(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "No endpoint is missing in the data of the validation."
    share = 100 * found["missing"] / max(found["patients"], 1)
    return (
        f"{found['missing']} of {found['patients']} endpoints ({share:.0f} %) are missing. Weighting leaves "
        f"an effective sample of {found['effective']:.0f} patients. The bounds suppose that all missing "
        "endpoints were the worst, and the best, that they can be."
    )


def _show_instability(outcome: str, found: Plain | None) -> Figure | None:
    if found is None:
        return None
    return Figure(
        draw_instability(f"instability-{outcome}", found, outcome),
        f"{found['refits']} refits on bootstrap samples of the patients. Mean absolute difference from this "
        f"version's own prediction: {_say_spread(found['mean_absolute_difference'])}. Candidate, "
        "hyperparameters and penalties are this version's in every refit: what choosing them anew would add "
        "is not in it, so that instability is understated.",
        tabulate_curve(
            found["by_prediction"],
            f"Instability, {outcome}",
            ["This version", "Mean of refits (central 95 %)"],
        ),
        narrow=True,
    )


def _say_spread(found: Plain) -> str:
    """Say a mean over refits with the spread of single refits, which is no interval of the mean."""
    ends = f"{say_number(found['low'], 3)} to {say_number(found['high'], 3)}"
    return f"{say_number(found['value'], 3)} in the mean, {ends} in the central 95 % of refits"


def _show_learning(outcome: str, points: Sequence[Plain]) -> list[Figure]:
    figures = []
    for metric in ("log_loss", "auroc"):
        if sum(is_defined(point["metrics"].get(metric)) for point in points) < 2:
            continue
        rows = [
            [
                str(p["patients"]),
                say(p["metrics"].get(metric), 3),
                say(p["gain"][metric], 3) if metric in p["gain"] else "",
            ]
            for p in points
        ]
        figures.append(
            Figure(
                draw_learning(f"learning-{outcome}-{metric}", points, metric),
                f"{shown_name(metric)} in patients not learned from: a curve that still moves at its right "
                f"end says that more patients would help.{_say_last_gain(points[-1], metric)} The candidate "
                "is this version's (chosen on all patients, unless the fit was told it), tuned and "
                "calibrated anew.",
                Table(
                    f"Learning curve, {outcome}: {shown_name(metric)}",
                    [
                        "Patients learned from",
                        f"{shown_name(metric)} (95 % interval)",
                        "Change from the row above, in the same test patients (95 % interval)",
                    ],
                    rows,
                ),
            )
        )
    return figures


def _say_last_gain(point: Plain, metric: str) -> str:
    gain = point["gain"].get(metric)
    return f" The last step changed it by {say(gain, 3)}, paired." if is_defined(gain) else ""


def _tabulate_champion(outcome: str, found: Mapping[str, Plain]) -> Table | None:
    if not found:
        return None
    rows = [[shown_name(name), say(estimate, 4)] for name, estimate in found.items()]
    return Table(
        f"{outcome.capitalize()}: this version minus the champion, on the same patients",
        ["Figure", "Difference (95 % interval)"],
        rows,
    )

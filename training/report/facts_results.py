"""Facts on results: patients analysed, performance, heterogeneity, limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from training.report.facts_methods import designs_of
from training.report.words import say, shown_name

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["POOR_INPUT", "RESULTS"]

_SPECIFICATION: Final = (
    "In full under “The model in full”: every coefficient or tree, how values are scaled, and a prediction "
    "worked out by hand that gives the served probability."
)
POOR_INPUT: Final = (
    "Values outside the allowed range are refused; missing ones are handled as learned, listed in the "
    "answer, and widen the interval; values beyond the 1st and 99th percentile of training patients are "
    "named."
)
_HEAD: Final = ("auroc", "brier", "calibration_intercept", "calibration_slope")


def _flow(m: Material) -> str:
    flow = m.metrics["patients"]
    events = "; ".join(
        f"{found['events']} of {found['patients']} with {name}"
        for name, found in m.metrics["outcomes"].items()
    )
    return (
        f"{flow['rows']} rows, {flow['included']} included, {flow['with_endpoint']} with an endpoint. "
        f"{events}."
    )


def _characteristics(m: Material) -> str | None:
    if not m.metrics.get("description"):
        return None
    return (
        "In the table of characteristics: all, with and without an endpoint, and by plan, with missing data."
    )


def _data_differences(m: Material) -> str:
    if m.validation is None:
        return "This version was not validated: there are no evaluation data."
    if m.validation["same_data"]:
        return "The version was validated on the data it was fitted on; each design names what it held out."
    flow, now = m.metrics["patients"], m.validation["cohort"]["flow"]
    old = m.metrics["outcomes"]["response"]
    new = designs_of(m)[0]
    return (
        f"Development: {flow['with_endpoint']} patients with an endpoint, "
        f"{100 * old['events'] / old['patients']:.0f} % responders ({m.cohort_file.provenance}). Evaluation: "
        f"{now['with_endpoint']} patients, {100 * new['events'] / max(new['patients'], 1):.0f} % responders "
        f"({m.validation['cohort']['provenance']})."
    )


def _numbers(m: Material) -> str:
    fits = "; ".join(
        f"{name}: {found['patients']} patients, {found['events']} events"
        for name, found in m.metrics["outcomes"].items()
    )
    tests = "; ".join(
        f"{d['title']}: {d['patients']} patients, {d['events']} responders" for d in designs_of(m)
    )
    return f"Development: {fits}." + (f" Validation: {tests}." if tests else "")


def _performance(m: Material) -> str:
    parts = []
    for name, found in m.metrics["outcomes"].items():
        first = next(iter(designs_of(m, name)), None)
        metrics = first["metrics"] if first else found["metrics"]
        listed = ", ".join(f"{shown_name(key)} {say(metrics[key])}" for key in _HEAD if key in metrics)
        parts.append(f"{name}: {listed}")
    how = designs_of(m)[0]["title"] if designs_of(m) else "cross-validation at fit; never validated"
    return f"{how}. " + "; ".join(parts) + "."


def _subgroups(m: Material) -> str | None:
    found = [] if m.validation is None else m.validation["outcomes"]["response"]["subgroups"]
    if not found:
        return None
    small = sum(member["too_small"] for group in found for member in group["members"])
    return (
        f"By {len(found)} predictors in the forest plot of subgroups; {small} subgroups too small for "
        "figures."
    )


def _heterogeneity(m: Material) -> str | None:
    held = [d for d in designs_of(m) if d["units"]]
    if not held:
        return None
    parts = []
    for design in held:
        for key in ("auroc", "calibration_intercept"):
            if key in design["between"]:
                ends = design["new_unit"].get(key)
                predicted = f"; 95 % prediction interval for a new unit {say(ends)}" if ends else ""
                tau = say(design["between"][key])
                parts.append(f"{design['title']}, {shown_name(key)}: tau {tau}{predicted}")
    return "; ".join(parts) + "." if parts else None


def _limitations(m: Material) -> str:
    warned = list(m.metrics.get("warnings", []))
    if m.simulated:
        warned.insert(0, "Simulated patients: no result is evidence about real ones.")
    return " ".join(warned) or "The run gave no warning."


def _evaluation_size(m: Material) -> str:
    first = next(iter(designs_of(m)), None)
    found = first or m.metrics["outcomes"]["response"]
    rarer = min(found["events"], found["patients"] - found["events"])
    return f"{found['patients']} patients, {rarer} in the rarer class; every figure has an interval."


RESULTS: Final[Mapping[str, Callable[[Material], str | None] | str]] = {
    "flow": _flow,
    "characteristics": _characteristics,
    "data_differences": _data_differences,
    "numbers": _numbers,
    "specification": _SPECIFICATION,
    "performance": _performance,
    "subgroups": _subgroups,
    "heterogeneity": _heterogeneity,
    "limitations": _limitations,
    "poor_input": POOR_INPUT,
    "evaluation_size": _evaluation_size,
}
"""By name."""

"""Sections on patients and predictors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.report.blocks import Figure, Table
from training.report.forest import draw_flow
from training.report.words import say_number, say_share

if TYPE_CHECKING:
    from features.cohort_file import Predictor
    from training.report.material import Material

__all__ = ["show_characteristics", "show_flow", "show_outcomes", "show_predictors"]


def show_flow(m: Material) -> list[Figure]:
    """Show the flow of patients of the fit and, if it was validated on others, of the validation."""
    figures = [Figure(draw_flow("flow", m.metrics["patients"]), "Patients the version was fitted on.")]
    if m.validation is not None and not m.validation["same_data"]:
        flow = m.validation["cohort"]["flow"]
        figures.append(
            Figure(draw_flow("flow-validation", flow), "Patients the version was validated on: others.")
        )
    return figures


def show_outcomes(m: Material) -> Table:
    """Count patients with each outcome."""
    rows = [
        [name.capitalize(), str(found["patients"]), say_share(found["events"], found["patients"])]
        for name, found in m.metrics["outcomes"].items()
    ]
    return Table("Outcomes of the patients fitted on", ["Outcome", "With an endpoint", "Had it"], rows)


def show_predictors(m: Material) -> Table:
    """Name every predictor with kind, allowed values, landmark and missing values."""
    described = {p["name"]: p for p in (m.metrics.get("description") or {}).get("predictors", [])}
    rows = [
        [
            predictor.label,
            predictor.kind,
            _allowed(predictor),
            predictor.landmark.replace("_", " "),
            "yes" if predictor.subgroup else "",
            _missing(described.get(predictor.name)),
        ]
        for predictor in m.cohort_file.predictors
    ]
    head = ["Predictor", "Kind", "Allowed", "Known from", "Subgroup", "Missing"]
    return Table(f"The {len(rows)} predictors of the cohort file", head, rows)


def show_characteristics(m: Material) -> Table | None:
    """Tabulate characteristics by endpoint and plan; None for a version fitted before they were logged."""
    described = m.metrics.get("description")
    if not described:
        return None
    columns: Mapping[str, int] = described["columns"]
    rows: list[list[str]] = []
    for found in described["characteristics"]:
        unit = f" ({found['unit']})" if found["unit"] else ""
        if found["kind"] == "number":
            cells = [_number(found["parts"][name], of) for name, of in columns.items()]
            rows.append([f"{found['label']}{unit}", *cells])
            continue
        for level in found["parts"]["all"]["counts"]:
            if level == "missing" or (found["kind"] == "binary" and level == "no"):
                continue
            label = found["label"] if found["kind"] == "binary" else f"{found['label']}: {level}"
            cells = [say_share(found["parts"][name]["counts"][level], of) for name, of in columns.items()]
            rows.append([label, *cells])
        cells = [say_share(found["parts"][name]["counts"]["missing"], of) for name, of in columns.items()]
        if any(cell[:2] != "0 " for cell in cells):
            rows.append([f"{found['label']}: not recorded", *cells])
    head = ["Characteristic", *(f"{name.replace('_', ' ')} (n = {count})" for name, count in columns.items())]
    return Table(
        "Characteristics before treatment",
        head,
        rows,
        "Numbers: mean (standard deviation), then how many are not recorded. Others: patients (share of the "
        "column). Counts from 1 to 4 are written as <5; “not shown” keeps such a count from being worked "
        "out.",
        wide=True,
    )


def _number(part: Mapping[str, Any], of: int) -> str:
    if "mean" not in part:
        return "too few"
    text = f"{say_number(part['mean'], 1)} ({say_number(part['sd'], 1)})"
    missing = part["counts"]["missing"]
    return text if missing == 0 else f"{text}; {say_share(missing, of)} n.r."


def _allowed(predictor: Predictor) -> str:
    if predictor.levels:
        return ", ".join(predictor.levels)
    if predictor.kind == "binary":
        return "yes, no"
    unit = f" {predictor.unit}" if predictor.unit else ""
    if predictor.valid is None:
        return f"any number{unit}"
    return f"{predictor.valid[0]:g} to {predictor.valid[1]:g}{unit}"


def _missing(described: Mapping[str, Any] | None) -> str:
    return "not logged" if described is None else say_share(described["missing"], described["patients"])

"""Calibration slope on fresh patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from benchmarks.simulated import SEEDS, SIZES, fitted, fresh, mean_and_spread
from training.metrics import Predicted, calibration_line

if TYPE_CHECKING:
    from rich.console import Console


def run(console: Console) -> dict[str, Any]:
    """Intercept and slope with the missing inputs of a clinic, by size and outcome."""
    table = Table(
        title="calibration on 20,000 fresh patients, mean of 5 seeds (sd), slope aimed at 0.9 to 1.1"
    )
    for column in ("patients", "outcome", "intercept", "slope", "used"):
        table.add_column(column, justify="right")
    results: dict[str, Any] = {}
    people = fresh()
    once = np.ones(len(people.clinic))
    for size in SIZES:
        for outcome in ("response", "remission"):
            lines, used = [], []
            for seed in SEEDS:
                fit = fitted()[size, seed]
                p = fit.model.outcomes[outcome].probability(fit.model.inputs(people.clinic))
                data = Predicted(people.observed[outcome], p, p, np.zeros(len(p), dtype=np.intp))
                used.append(fit.searches[outcome].winner)
                if fit.searches[outcome].winner != "prevalence":
                    lines.append(calibration_line(data, once))
            figures = {
                "intercept": mean_and_spread([line[0] for line in lines]),
                "slope": mean_and_spread([line[1] for line in lines]),
                "used": used,
            }
            results[f"{size} {outcome}"] = figures
            cells = [f"{figures[k]['mean']:.3f} ({figures[k]['sd']:.3f})" for k in ("intercept", "slope")]  # type: ignore[index]
            table.add_row(str(size), outcome, *cells, ", ".join(used))
    console.print(table)
    return results

"""How often the 90 % interval holds the patient's true probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks.simulated import SEEDS, SIZES, fitted, fresh, mean_and_spread

if TYPE_CHECKING:
    from rich.console import Console


def run(console: Console) -> dict[str, Any]:
    """Share of fresh patients covered and mean width, complete inputs and those of a clinic."""
    table = Table(
        title="coverage of the true probability by 90 % intervals, mean of 5 seeds (sd); aim 0.85 to 0.95"
    )
    for column in ("patients", "outcome", "inputs", "covered", "width"):
        table.add_column(column, justify="right")
    results: dict[str, Any] = {}
    people = fresh()
    for size in SIZES:
        for outcome in ("response", "remission"):
            for inputs, rows in (("complete", people.complete), ("clinic", people.clinic)):
                covered, width = [], []
                for seed in SEEDS:
                    model = fitted()[size, seed].model
                    _, low, high = model.outcomes[outcome].predict(model.inputs(rows))
                    truth = people.truth[outcome]
                    covered.append(float(((truth >= low) & (truth <= high)).mean()))
                    width.append(float((high - low).mean()))
                figures = {"covered": mean_and_spread(covered), "width": mean_and_spread(width)}
                results[f"{size} {outcome} {inputs}"] = figures
                cells = [f"{figures[k]['mean']:.3f} ({figures[k]['sd']:.3f})" for k in ("covered", "width")]
                table.add_row(str(size), outcome, inputs, *cells)
    console.print(table)
    return results

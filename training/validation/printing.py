"""What `validate` prints of the designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from training.bootstrap import Estimate
    from training.validation.results import Design, Validation

__all__ = ["design_table", "print_designs"]

_SHOWN: Final = {
    "auroc": "auroc",
    "brier_skill": "brier skill",
    "calibration_intercept": "intercept",
    "calibration_slope": "slope",
}


def print_designs(validation: Validation, console: Console) -> None:
    """Print one table of all designs for each outcome, and how each was made.

    Parameters
    ----------
    validation : Validation
    console : Console
    """
    for name, outcome in validation.outcomes.items():
        console.print(design_table(f"{name.capitalize()}: {outcome.candidate}", outcome.designs))
    for design in next(iter(validation.outcomes.values())).designs:
        console.print(f"{design.title}: {design.how}.", highlight=False)


def design_table(title: str, designs: tuple[Design, ...]) -> Table:
    """Lay out designs below each other, each with what a new unit may show and how units differ.

    Parameters
    ----------
    title : str
    designs : tuple of Design

    Returns
    -------
    Table
    """
    table = Table(title=f"{title}, with 95 % intervals", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("events", justify="right", no_wrap=True)
    for heading in _SHOWN.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for design in designs:
        count = f"{design.events}/{design.patients}" if design.patients else "none"
        table.add_row(design.title, count, *(_short(design.metrics.get(m)) for m in _SHOWN))
        if design.summary:
            used = f"{sum(bool(unit.metrics) for unit in design.units)} units"
            table.add_row("  mean of units", used, *(_short(design.summary.get(m)) for m in _SHOWN))
            table.add_row("  a new unit", "", *(_short(design.new_unit.get(m)) for m in _SHOWN))
            table.add_row("  SD between units", "", *(_short(design.between.get(m)) for m in _SHOWN))
    table.caption = "intercept, slope: of calibration; SD between units: of the AUROC on the logit scale"
    return table


def _short(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.2f} ({estimate.low:.2f}, {estimate.high:.2f})"

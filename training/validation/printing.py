"""What `validate` prints of the designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from training.bootstrap import Estimate
    from training.validation.results import Design, Validation

__all__ = ["design_table", "print_designs"]

_SHOWN: Final = {
    "auroc": "auroc",
    "brier_skill": "brier skill",
    "calibration_intercept": "intercept",
    "calibration_slope": "slope",
    "net_benefit_gain": "net benefit",
}
_DIGITS: Final = {"net_benefit_gain": 3}


def print_designs(validation: Validation, console: Console) -> None:
    """Print one table of all designs for each outcome, and how each was made.

    Parameters
    ----------
    validation : Validation
    console : Console
    """
    for name, outcome in validation.outcomes.items():
        console.print(design_table(f"{name.capitalize()}: {outcome.candidate}", outcome.designs))
    for same in zip(*(outcome.designs for outcome in validation.outcomes.values()), strict=True):
        hows: dict[str, list[str]] = {}
        for name, design in zip(validation.outcomes, same, strict=True):
            hows.setdefault(design.how, []).append(name)
        for how, names in hows.items():
            whom = "" if len(hows) == 1 else f", {' and '.join(names)}"
            console.print(f"{same[0].title}{whom}: {how}.", highlight=False)


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
        # Narrow consoles break the last column, whose figures are the longest, before they cut the others.
        table.add_column(heading, justify="right", no_wrap=heading != _SHOWN["net_benefit_gain"])
    for design in designs:
        count = f"{design.events}/{design.patients}" if design.patients else "none"
        table.add_row(design.title, count, *_cells(design.metrics))
        if design.summary:
            used = f"{sum(bool(unit.metrics) for unit in design.units)} units"
            table.add_row("  mean of units", used, *_cells(design.summary))
            if design.new_unit:
                table.add_row("  a new unit", "", *_cells(design.new_unit))
            table.add_row("  SD between units", "", *_cells(design.between))
        if design.update:
            shown = {f"calibration_{name}": found for name, found in design.update.items()}
            table.add_row("  update learned", "of all", *_cells(shown))
    table.caption = (
        "intercept, slope: of calibration; SD between units: of the AUROC on the logit scale; net benefit: "
        "gained over the better of treating all and none, at the middle of the range of thresholds; "
        "update learned: by the recalibration, of all patients"
    )
    return table


def _cells(figures: Mapping[str, Estimate]) -> list[str]:
    return [_short(figures.get(metric), _DIGITS.get(metric, 2)) for metric in _SHOWN]


def _short(estimate: Estimate | None, digits: int) -> str:
    if estimate is None:
        return ""
    value, low, high = (f"{number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low}, {high})"

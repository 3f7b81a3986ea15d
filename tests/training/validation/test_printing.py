"""All designs in one table."""

import io
from dataclasses import replace

from rich.console import Console

from training.bootstrap import Estimate
from training.validation.printing import design_table
from training.validation.results import Design, Unit

FIGURE = Estimate(0.61, 0.55, 0.67)
WORTH = Estimate(0.0123, -0.004, 0.02)
NESTED = Design(
    "nested_cv", "Nested cross-validation", "how", 1264, 584, {"auroc": FIGURE, "net_benefit_gain": WORTH}
)
SITES = replace(
    NESTED,
    key="leave_group_out",
    title="Each site held out",
    units=(Unit("a", 100, 50, {"auroc": FIGURE}), Unit("b", 9, 1, {})),
    summary={"auroc": FIGURE},
    new_unit={"auroc": Estimate(0.61, 0.42, 0.77)},
    between={"auroc": Estimate(0.2, 0.0, 0.5)},
)
YEARS = replace(SITES, key="leave_period_out", title="Later periods held out", new_unit={})
PERIODS = Design("leave_period_out", "Later periods held out", "Not possible: no dates", 0, 0, {})


def test_designs_stand_below_each_other_with_counts_and_intervals() -> None:
    console = Console(file=io.StringIO(), width=155)
    console.print(design_table("Response: ridge", (NESTED, SITES, PERIODS)))
    assert isinstance(console.file, io.StringIO)
    rows = {line.split("│")[1].strip(): line for line in console.file.getvalue().splitlines() if "│" in line}
    assert "584/1264" in rows["Nested cross-validation"]
    assert "0.61 (0.55, 0.67)" in rows["Nested cross-validation"]
    assert "0.012 (-0.004, 0.020)" in rows["Nested cross-validation"]
    assert "1 units" in rows["mean of units"]  # the other is too small
    assert "0.61 (0.42, 0.77)" in rows["a new unit"]
    assert "0.20 (0.00, 0.50)" in rows["SD between units"]
    assert "none" in rows["Later periods held out"]


def test_no_new_period_is_told_of() -> None:
    console = Console(file=io.StringIO(), width=155)
    console.print(design_table("Response: ridge", (NESTED, YEARS)))
    assert isinstance(console.file, io.StringIO)
    assert "mean of units" in console.file.getvalue()
    assert "a new unit" not in console.file.getvalue()

"""All designs in one table."""

import io
from dataclasses import replace

from rich.console import Console

from tests.training.gates.validations import make_outcome, make_validation
from training.bootstrap import Estimate
from training.validation.printing import design_table, print_designs
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


def test_what_a_recalibration_learned_stands_under_calibration() -> None:
    console = Console(file=io.StringIO(), width=155)
    update = {"intercept": Estimate(-0.31, -0.5, -0.1), "slope": Estimate(0.82, 0.6, 1.1)}
    console.print(design_table("Response: ridge", (replace(NESTED, update=update),)))
    assert isinstance(console.file, io.StringIO)
    (row,) = (
        line for line in console.file.getvalue().splitlines() if "update learned" in line and "│" in line
    )
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["update learned", "of all", "", "", "-0.31 (-0.50, -0.10)", "0.82 (0.60, 1.10)", ""]


def test_outcomes_whose_designs_were_made_otherwise_are_told_apart() -> None:
    console = Console(file=io.StringIO(), width=155)
    whole = make_validation()
    other = make_outcome(designs=(replace(make_outcome().designs[0], how="only 2 of 3 sites"),))
    same = replace(other, designs=make_outcome().designs[:1])
    print_designs(replace(whole, outcomes={"response": same, "remission": other}), console)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "Nested, response: 5 folds." in told
    assert "Nested, remission: only 2 of 3 sites." in told
    print_designs(replace(whole, outcomes={"response": same, "remission": same}), console)
    assert console.file.getvalue().removeprefix(told).count("Nested: 5 folds.") == 1

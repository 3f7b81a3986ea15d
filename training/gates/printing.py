"""The table of verdicts that a person reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.gates.judge import FAILS, PASSES, TOO_LITTLE, passed
from training.gates.outputs import worst_of_each

if TYPE_CHECKING:
    from rich.console import Console

    from training.gates.gate import Gates
    from training.gates.judge import Judged
    from training.validation.results import Validation

__all__ = ["print_judged"]

_STYLES: Final = {PASSES: "green", FAILS: "bold red", TOO_LITTLE: "yellow"}


def print_judged(validation: Validation, gates: Gates, judged: tuple[Judged, ...], console: Console) -> None:
    """Print a row for each gate and outcome, each subgroup that does not pass, and the end of it.

    Parameters
    ----------
    validation : Validation
    gates : Gates
    judged : tuple of Judged
    console : Console
    """
    model = validation.model
    data = "the data it was fitted on" if validation.same_data else "data it was not fitted on"
    title = f"Gates: version {model['version']} of {model['name']}, on {data}"
    table = Table(title=title, title_justify="left", caption=_caption(gates), caption_justify="left")
    for column in ("gate", "for", "must be", "found (95 % interval)", "verdict"):
        table.add_column(column, no_wrap=column == "gate")
    for one in worst_of_each(judged):
        same = [other for other in judged if (other.gate, other.outcome) == (one.gate, one.outcome)]
        _add(table, one, same)
    console.print(table)
    for one in judged:
        if not one.accepted:
            where = ", ".join(filter(None, [one.gate.name, _whom(one)]))
            line = f"{one.verdict}: {where}: {escape(one.reason)}"
            console.print(Text.from_markup(line, style=_STYLES[one.verdict]))
    if passed(judged):
        console.print("[green]All gates are passed.[/green]")
    else:
        stopped = sum(not one.accepted for one in judged)
        console.print(f"[bold red]{stopped} of {len(judged)} verdicts stop this version.[/bold red]")


def _add(table: Table, one: Judged, same: list[Judged]) -> None:
    whom = _whom(one)
    if len(same) == 1:
        table.add_row(one.gate.name, whom, _bound(one), _figure(one), _verdict(one))
        return
    count = {verdict: sum(other.verdict == verdict for other in same) for verdict in _STYLES}
    told = ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number)
    table.add_row(
        one.gate.name, f"{one.outcome}: {len(same)} {one.gate.population}", _bound(one), told, _verdict(one)
    )
    for other in same:
        if other.verdict != PASSES:
            table.add_row("", f"  {escape(other.whom)}", "", _figure(other), _verdict(other))


def _whom(one: Judged) -> str:
    return one.outcome if one.whom in ("", "all") else f"{one.outcome}: {escape(one.whom)}"


def _bound(one: Judged) -> str:
    """Say figure and bound in few letters."""
    if one.gate.population == "check":
        return ""
    end = " " if one.gate.judged_on == "estimate" else f", {one.gate.judged_on} "
    sign = "≥" if one.gate.bound == "at_least" else "≤"
    return f"{one.gate.metric.replace('_', ' ')}{end}{sign} {one.gate.value:g}"


def _figure(one: Judged) -> str:
    if one.gate.population == "check" and one.verdict == PASSES:
        return "it is so"  # the evidence, a sentence, is in gates.json
    if math.isnan(one.estimate.value):
        return escape(one.reason)
    return " ".join(filter(None, [str(one.estimate), one.where]))


def _verdict(one: Judged) -> Text:
    accepted = " (accepted)" if one.accepted and one.verdict != PASSES else ""
    return Text(one.verdict + accepted, style=_STYLES[one.verdict])


def _caption(gates: Gates) -> str:
    return (
        f"Gates: {gates.origin}. Too little data fails unless the gate accepts it; "
        "docs/validation.md says why each gate is there."
    )

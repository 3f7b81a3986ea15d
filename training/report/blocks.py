"""What a section of the report is made of: tables, and figures with the table that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from training.report.words import METRIC_WORDS, Plain, say, shown_name

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Figure", "Table", "tabulate_curve", "tabulate_metrics"]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading.

    Parameters
    ----------
    caption : str
    head : sequence of str
    rows : sequence of sequence of str
    note : str
        Below it.
    wide : bool
        Whether it has many columns, and is set smaller on paper.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption, and its values as a table.

    Parameters
    ----------
    drawing : Markup
    caption : str
    table : Table or None
        None where the drawing itself writes every value.
    narrow : bool
        Whether it is drawn at less than the full width.
    """

    drawing: Markup
    caption: str
    table: Table | None = field(default=None)
    narrow: bool = False


def tabulate_curve(curve: Plain, caption: str, head: Sequence[str], digits: int = 3) -> Table:
    """Write a curve's points with their band.

    Parameters
    ----------
    curve : mapping
        `at`, `value`, `low`, `high`.
    caption : str
    head : sequence of str
        Headings of the two columns.
    digits : int

    Returns
    -------
    Table
        At most 25 points, evenly spread.
    """
    count = len(curve["at"])
    chosen = sorted({round(i * (count - 1) / 24) for i in range(25)}) if count > 25 else range(count)
    rows = [
        [f"{curve['at'][i]:.3g}", say({k: curve[k][i] for k in ("value", "low", "high")}, digits)]
        for i in chosen
    ]
    return Table(caption, [*head], rows)


def tabulate_metrics(metrics: Mapping[str, Plain], caption: str) -> Table:
    """Write figures with their intervals and how to read each."""
    rows = [
        [shown_name(name), say(estimate, 3), METRIC_WORDS.get(name, ("", ""))[1]]
        for name, estimate in metrics.items()
    ]
    return Table(caption, ["Figure", "Value (95 % interval)", "How to read it"], rows)

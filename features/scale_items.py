"""Items of rating scales, so that a total can be scored item by item; `scales.toml` knows the totals."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ScaleItems", "load_scale_items"]


@dataclass(frozen=True, slots=True)
class ScaleItems:
    """The items of a scale whose total is their sum.

    Parameters
    ----------
    scale : str
        As in `scales.toml`.
    stem : str
        Said before the items.
    items : tuple of str
        In the order of the scale.
    answers : tuple of str
        Texts of the scores 0, 1, 2 and so on; the same for every item.
    asks : mapping of int to str
        By number of the item, from 1: the question of the safety screen that it answers.
    source : str
    """

    scale: str
    stem: str
    items: tuple[str, ...]
    answers: tuple[str, ...]
    asks: Mapping[int, str]
    source: str

    @property
    def highest(self) -> int:
        """Highest score of one item."""
        return len(self.answers) - 1


@cache
def load_scale_items() -> Mapping[str, ScaleItems]:
    """Load the scales that can be scored item by item.

    Returns
    -------
    mapping of str to ScaleItems
        By name of the scale.

    Examples
    --------
    >>> phq9 = load_scale_items()["PHQ9"]
    >>> len(phq9.items) * phq9.highest
    27
    """
    tables = tomllib.loads(files("features").joinpath("scale_items.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: ScaleItems(
                name,
                table["stem"],
                tuple(table["items"]),
                tuple(table["answers"]),
                MappingProxyType({int(number): rule for number, rule in table["asks"].items()}),
                table["source"],
            )
            for name, table in tables.items()
        }
    )

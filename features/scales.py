"""Rating scales: range, severity bands and the cut for remission, each with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Band", "Scale", "load_scales"]


@dataclass(frozen=True, slots=True)
class Band:
    """A range of scores with a common name.

    Parameters
    ----------
    name : str
        Such as "moderate".
    low, high : float
        First and last score of the band.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A rating scale on which a higher score means more illness.

    Parameters
    ----------
    name : str
        As cohort files name it, such as "MADRS".
    title : str
    minimum, maximum : float
        Lowest and highest possible total.
    remission_at_most : float
        Highest score that counts as remission.
    bands : tuple of Band
        From least to most severe; empty for a scale that a cohort file defines itself.
    source : str
        Where range, bands and cut come from, and which of them are conventions.
    """

    name: str
    title: str
    minimum: float
    maximum: float
    remission_at_most: float
    bands: tuple[Band, ...]
    source: str


@cache
def load_scales() -> Mapping[str, Scale]:
    """Load the scales that cohort files can name.

    Returns
    -------
    mapping of str to Scale
        In the order of ``scales.toml``.

    Examples
    --------
    >>> load_scales()["MADRS"].remission_at_most
    10.0
    """
    tables = tomllib.loads(files("features").joinpath("scales.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: Scale(
                name=name,
                title=table["title"],
                minimum=float(table["minimum"]),
                maximum=float(table["maximum"]),
                remission_at_most=float(table["remission_at_most"]),
                bands=tuple(Band(label, float(low), float(high)) for label, low, high in table["bands"]),
                source=table["source"],
            )
            for name, table in tables.items()
        }
    )

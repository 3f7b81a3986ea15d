"""Turn the cells of a column into values, and say which cells cannot be read.

Every function works on the distinct values of a column, so that a million good rows cost no more Python
than a few hundred.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "BINARY_WORDS",
    "MISSING_CODES",
    "Parsed",
    "parse_binary",
    "parse_dates",
    "parse_levels",
    "parse_numbers",
    "parse_texts",
    "simplify",
]

MISSING_CODES = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", ".", "-"})
"""Texts that mean a missing value, in any case, unless the cohort file declares them as a level."""

BINARY_WORDS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0}
"""How a binary column may be written, in any case."""

_WHOLE = re.compile(r"([+-]?\d+)\.0*")


class Parsed(NamedTuple):
    """Values of a column, and which of its cells could be read.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN (NaT, None) where a cell is missing or cannot be read.
    readable : ndarray of bool, shape (n,)
    """

    values: NDArray[np.float64]
    readable: NDArray[np.bool_]


def simplify(cells: pd.Series) -> pd.Series:
    """Make texts of everything but numbers, booleans and times; cells that are missing stay so."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(cells.cat.categories.dtype)
    if types.is_bool_dtype(cells.dtype) or types.is_numeric_dtype(cells.dtype):
        return cells
    if isinstance(cells.dtype, pd.StringDtype) or types.is_datetime64_any_dtype(cells.dtype):
        return cells
    return cells.map(str, na_action="ignore").astype("str")


def parse_numbers(cells: pd.Series) -> Parsed:
    """Read numbers; a decimal comma, a unit or a boolean cannot be read."""
    if types.is_bool_dtype(cells.dtype) or types.is_datetime64_any_dtype(cells.dtype):
        return Parsed(np.full(len(cells), np.nan), cells.isna().to_numpy(bool))
    if types.is_numeric_dtype(cells.dtype):
        return Parsed(cells.to_numpy(np.float64, na_value=np.nan), np.ones(len(cells), dtype=bool))
    codes, distinct = pd.factorize(cells)
    values = np.asarray(pd.to_numeric(pd.Series(distinct), errors="coerce"), dtype=np.float64)
    readable = ~np.isnan(values)
    unread = np.flatnonzero(~readable)
    readable[unread] = [_is_missing(cell) for cell in distinct[unread]]
    return _spread(codes, values, readable)


def parse_binary(cells: pd.Series) -> Parsed:
    """Read 0/1, true/false and yes/no as 0 and 1."""
    if types.is_numeric_dtype(cells.dtype):
        values = cells.to_numpy(np.float64, na_value=np.nan)
        return Parsed(values, (values == 0) | (values == 1) | np.isnan(values))
    return _parse_distinct(cells, lambda text: BINARY_WORDS.get(text.casefold()))


def parse_levels(cells: pd.Series, levels: Sequence[str]) -> Parsed:
    """Read levels as their index."""
    index = {level: float(i) for i, level in enumerate(levels)}
    return _parse_distinct(cells, index.get)


def parse_dates(cells: pd.Series) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Read ISO dates (2026-11-23) and the times of typed columns."""
    if types.is_bool_dtype(cells.dtype) or types.is_numeric_dtype(cells.dtype):
        return np.full(len(cells), "NaT", dtype="datetime64[s]"), cells.isna().to_numpy(bool)
    given = cells.where(~_missing_texts(cells)) if isinstance(cells.dtype, pd.StringDtype) else cells
    times = pd.to_datetime(given, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    return times.to_numpy("datetime64[s]"), (times.notna() | given.isna()).to_numpy(bool)


def parse_texts(cells: pd.Series) -> pd.Series:
    """Read texts, such as ids; numbers as they are usually written (7, not 7.0)."""
    if isinstance(cells.dtype, pd.StringDtype):
        return cells.str.strip().where(~_missing_texts(cells))
    codes, distinct = pd.factorize(cells)
    texts = pd.array([_text(value) for value in distinct], dtype="str")
    return pd.Series(texts.take(codes, allow_fill=True), index=cells.index, name=cells.name)


def _parse_distinct(cells: pd.Series, read: Callable[[str], float | None]) -> Parsed:
    codes, distinct = pd.factorize(cells)
    values = np.full(len(distinct), np.nan)
    readable = np.ones(len(distinct), dtype=bool)
    for i, cell in enumerate(distinct):
        text = _text(cell)
        value = read(text)
        if value is None and (whole := _WHOLE.fullmatch(text)):
            value = read(whole[1])  # 2.0, as software writes whole numbers of a column with gaps
        if value is not None:
            values[i] = value
        else:
            readable[i] = _is_missing(text)
    return _spread(codes, values, readable)


def _spread(codes: NDArray[np.intp], values: NDArray[np.float64], readable: NDArray[np.bool_]) -> Parsed:
    """From distinct values to rows; code -1 is a missing cell."""
    return Parsed(np.append(values, np.nan)[codes], np.append(readable, True)[codes])


def _text(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    text = str(cell).strip()
    whole = _WHOLE.fullmatch(text) if isinstance(cell, float) else None
    return whole[1] if whole else text


def _is_missing(cell: object) -> bool:
    return str(cell).strip().casefold() in MISSING_CODES


def _missing_texts(cells: pd.Series) -> pd.Series:
    return cells.str.strip().str.lower().isin(MISSING_CODES)

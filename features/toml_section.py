"""Read a TOML table key by key, noting everything that is wrong instead of stopping at the first mistake."""

from __future__ import annotations

import math
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Section", "name_nearest"]

T = TypeVar("T")
_LONGEST: Final = 1000
"""Bits of a whole number that is still shown."""


def name_nearest(word: str, known: Iterable[str], what: str) -> str:
    """Say which known word was probably meant, or else list them all.

    Parameters
    ----------
    word : str
        What was written.
    known : iterable of str
    what : str
        What the known words are, in the plural.

    Returns
    -------
    str

    Examples
    --------
    >>> name_nearest("basline", ["baseline", "endpoint"], "known keys")
    "did you mean 'baseline'?"
    >>> name_nearest("x", ["baseline", "endpoint"], "known keys")
    'known keys: baseline, endpoint'
    """
    choices = list(known)
    by_lower = {choice.lower(): choice for choice in reversed(choices)}
    nearest = get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean '{by_lower[nearest[0]]}'?" if nearest else f"{what}: {', '.join(choices)}"


class Section:
    """One TOML table: each method reads one key and notes a problem unless it is what is asked for.

    After a problem, a method gives a stand-in of the right type, so that reading goes on; the caller
    raises when `problems` is not empty. Keys that nobody asked for are reported by `close`.

    Parameters
    ----------
    table : mapping
        As tomllib gives it.
    where : str
        The table's name in messages, such as "[outcome]"; empty at the top of the file.
    problems : list of str
        Shared by all sections of a file.
    """

    def __init__(self, table: Mapping[str, object], where: str, problems: list[str]) -> None:
        self.where = where
        self._table = table
        self._problems = problems
        self._known: list[str] = []

    def note(self, key: str, problem: str) -> None:
        """Note a problem with a key."""
        self._problems.append(f"{self.where} {key}: {problem}".strip())

    def has(self, key: str) -> bool:
        """Whether the key is written; from now on it counts as known."""
        self._known.append(key)
        return key in self._table

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text that is not empty; required unless there is a default."""
        value = self._get(key, default)
        if not isinstance(value, str):
            return self._wrong(key, "a text in quotes", value, default or "")
        if not value or value != value.strip() or not value.isprintable():
            self.note(key, f"{value!r} is empty, has spaces around it, or cannot be printed")
        return value

    def optional_text(self, key: str) -> str | None:
        """Read a text, None where it is not written."""
        return self.text(key) if self.has(key) else None

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Read one of a few words; the first one stands in for a wrong one."""
        value = self.text(key)
        if value and value not in choices:
            self.note(key, f"{value!r} is not known; allowed: {', '.join(choices)}")
        return value if value in choices else choices[0]

    def flag(self, key: str) -> bool:
        """Read true or false; false where it is not written."""
        value = self._get(key, False)
        return value if isinstance(value, bool) else self._wrong(key, "true or false", value, False)

    def number(self, key: str, default: float | None = None) -> float:
        """Read a finite number; required unless there is a default."""
        value = self._get(key, default)
        return float(value) if _is_number(value) else self._wrong(key, "a number", value, default or 0.0)

    def optional_number(self, key: str) -> float | None:
        """Read a finite number, None where it is not written."""
        return self.number(key) if self.has(key) else None

    def pair(self, key: str) -> tuple[float, float] | None:
        """Read two numbers, the lower one first; None where they are not written or wrong."""
        if not self.has(key):
            return None
        value = self._get(key, None)
        if not (isinstance(value, list) and len(value) == 2 and all(_is_number(v) for v in value)):
            return self._wrong(key, "two numbers, [lowest, highest]", value, None)
        low, high = float(value[0]), float(value[1])
        if low >= high:
            self.note(key, f"the lowest must be below the highest, got [{value[0]}, {value[1]}]")
            return None
        return low, high

    def ascending(self, key: str) -> tuple[float, ...]:
        """Read a list of numbers in ascending order; empty where it is not written or wrong."""
        if not self.has(key):
            return ()
        value = self._get(key, None)
        if not (isinstance(value, list) and value and all(_is_number(v) for v in value)):
            return self._wrong(key, "a list of numbers", value, ())
        numbers = tuple(float(v) for v in value)
        if any(second <= first for first, second in pairwise(numbers)):
            self.note(key, "each number must be higher than the one before")
            return ()
        return numbers

    def words(self, key: str, fewest: int = 2) -> tuple[str, ...]:
        """Read a list of at least `fewest` (1 or 2) different texts or whole numbers, as texts."""
        value = self._get(key, None)
        if value is None:
            return ()
        if not (isinstance(value, list) and all(_is_word(v) for v in value)):
            return self._wrong(key, "a list of texts or whole numbers", value, ())
        words = tuple(str(v) for v in value)
        repeated = sorted({word for word in words if words.count(word) > 1})
        if repeated:
            self.note(key, f"{', '.join(map(repr, repeated))} is listed more than once")
        elif len(words) < fewest:
            self.note(key, f"at least {'two are' if fewest == 2 else 'one is'} needed")
        bad = [word for word in words if not word or word != word.strip() or not word.isprintable()]
        if bad:
            self.note(key, f"{', '.join(map(repr, bad))}: empty, or with spaces around it")
        return words

    def section(self, key: str, where: str | None = None) -> Section | None:
        """Read a table; None where it is not written or no table."""
        if not self.has(key):
            return None
        value = self._get(key, None)
        where = where or f"[{key}]"
        if not isinstance(value, dict):
            return self._wrong(key, f"a table {where}", value, None)
        return Section(value, where, self._problems)

    def keys(self) -> tuple[str, ...]:
        """Give the keys as written, for tables whose keys are the user's own words."""
        return tuple(self._table)

    def raw(self, key: str) -> object:
        """Read a value that may be of several types; None where it is not written."""
        return self._get(key, None) if self.has(key) else None

    def close(self) -> None:
        """Note every key that nobody asked for, with the nearest known one."""
        for key in self._table:
            if key not in self._known:
                nearest = name_nearest(key, self._known, "known keys")
                self._problems.append(f"{self.where} unknown key {key!r}; {nearest}".strip())

    def _get(self, key: str, default: object) -> object:
        if not self.has(key) and default is None:
            self.note(key, "is missing")
        # A missing required key gives None, which no reader takes for a value.
        return self._table.get(key, default)

    def _wrong(self, key: str, wanted: str, value: object, stand_in: T) -> T:
        if value is not None:  # None: already noted as missing
            self.note(key, f"must be {wanted}, got {_as_toml(value)}")
        return stand_in


def _is_number(value: object) -> TypeGuard[int | float]:
    # bool is a subclass of int in Python, but `true` is no number in a cohort file.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_word(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _as_toml(value: object) -> str:
    """Show a value as its author wrote it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        return "a number of hundreds of digits"
    return f"a table of {len(value)} keys" if isinstance(value, dict) else repr(value)

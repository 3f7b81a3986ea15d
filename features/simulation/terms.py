"""Linear scores from terms that are data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.parameters import Term
from features.simulation.randomness import Floats


def compute_term(term: Term, values: NDArray[Any]) -> Floats:
    """Turn one column into the number that its weight multiplies.

    Examples
    --------
    >>> compute_term(Term("age", "linear", {}, origin=46, per=10), np.array([56.0]))
    array([1.])
    """
    if term.kind == "level":
        return np.asarray(values == term.level, dtype=float)
    x = np.asarray(values, dtype=float)
    if term.kind == "at_least":
        return np.asarray(x >= term.threshold, dtype=float)
    if term.kind == "above":
        return np.asarray(x > term.threshold, dtype=float)
    x = np.log2(x / term.origin) if term.kind == "log2" else (x - term.origin) / term.per
    return np.clip(x, term.low, term.high)


def compute_score(
    terms: Sequence[Term], columns: Mapping[str, NDArray[Any]], name: str, omits: Collection[str] = ()
) -> Floats:
    """Sum the terms that carry a weight for the score `name`, without the omitted columns."""
    used = [t for t in terms if t.effects.get(name, 0.0) != 0.0 and t.column not in omits]
    size = len(next(iter(columns.values())))
    score = np.zeros(size)
    for term in used:
        score += term.effects[name] * compute_term(term, columns[term.column])
    return score

"""Random draws: one independent stream for each named part."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]


def make_stream(seed: int, part: str) -> np.random.Generator:
    """Return the generator of one part; adding a part never changes the draws of another.

    Examples
    --------
    >>> make_stream(1, "age").random() == make_stream(1, "age").random()
    True
    """
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def draw_truncated_normal(
    stream: np.random.Generator,
    size: int,
    mean: ArrayLike,
    sd: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
) -> Floats:
    """Draw from normal distributions cut off at `low` and `high`, by inversion.

    The tail is taken on the side where the normal distribution function keeps its precision.
    """
    mean, sd, low, high = (np.broadcast_to(np.asarray(v, float), size) for v in (mean, sd, low, high))
    a, b = (low - mean) / sd, (high - mean) / sd
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    p = ndtr(a) + stream.random(size) * (ndtr(b) - ndtr(a))
    x = np.clip(ndtri(p), a, b)
    draws: Floats = np.clip(mean + sd * np.where(flip, -x, x), low, high)
    return draws


def draw_integer_between(
    stream: np.random.Generator, mean: ArrayLike, sd: ArrayLike, low: NDArray[Any], high: NDArray[Any]
) -> NDArray[np.int64]:
    """Draw whole numbers in ``[low, high]`` from rounded truncated normal distributions."""
    draws = draw_truncated_normal(stream, low.size, mean, sd, low - 0.5, high + 0.5)
    return np.clip(np.rint(draws), low, high).astype(np.int64)

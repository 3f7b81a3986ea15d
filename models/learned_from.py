"""Which patients a model has learned from: a cohort of them is recognised, a single patient is not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["LearnedFrom", "Recognised"]

_PLACES: Final = 4
"""Places for each patient. With more of them, to be at a place that is taken would say more of a patient."""


class Recognised(NamedTuple):
    """How many patients look as if a model had learned from them.

    Parameters
    ----------
    patients : int
        Who differ from each other.
    hits : int
        Of them, those at a place that is taken.
    chance : float
        Probability that a patient whom the model has never met is at such a place.
    """

    patients: int
    hits: int
    chance: float


@dataclass(frozen=True)
class LearnedFrom:
    """The patients of a fit, as taken places among four times as many.

    What is known of a patient before treatment leads to one place, wherever in a table the patient stands. Of
    patients whom the model has never met, one in five is at a place that is taken, by chance. So a place says
    next to nothing of a patient, while a cohort of whom many are the same stands out. It is a filter as of
    Bloom (Commun ACM 1970;13:422-426), with a single hash and, on purpose, a high rate of false hits.

    Parameters
    ----------
    taken : ndarray of bool, shape (places,)
    alike : float
        Share of the patients who are exactly like another, so that new ones can be like them, too.
    """

    taken: NDArray[np.bool_]
    alike: float

    @classmethod
    def of(cls, rows: NDArray[np.float64], baseline: NDArray[np.float64]) -> Self:
        """Note the patients of a fit.

        Parameters
        ----------
        rows : ndarray of shape (n, m)
            Encoded baseline predictors and plan; NaN where one is missing.
        baseline : ndarray of shape (n,)
            Scores before treatment.
        """
        each = _digests(rows, baseline)
        taken = np.zeros(_PLACES * len(each), dtype=np.bool_)
        taken[each % np.uint64(len(taken))] = True
        _, counts = np.unique(each, return_counts=True)
        return cls(taken, float(counts[counts > 1].sum() / len(each)))

    def recognise(self, rows: NDArray[np.float64], baseline: NDArray[np.float64]) -> Recognised:
        """Count the patients who are at places that are taken.

        Parameters
        ----------
        rows, baseline
            As of the fit, with the same columns.
        """
        different = np.unique(_digests(rows, baseline))
        hits = int(self.taken[different % np.uint64(len(self.taken))].sum())
        by_place = float(self.taken.mean())
        return Recognised(len(different), hits, by_place + (1 - by_place) * self.alike)

    @property
    def is_possible(self) -> bool:
        """Whether so many places can be taken by as many patients as there are places for.

        With places emptied, the patients of the fit would pass for strangers. That others are taken in their
        stead this does not tell.

        Notes
        -----
        Of m places, d different patients take m (1 - (1 - 1/m)^d) on average, with a standard deviation below
        0.3 sqrt(n) at four places for each of n patients; five of these are allowed. Of the patients who are
        like another, at least one and at most half are different.
        """
        places = len(self.taken)
        patients = places / _PLACES
        fewest, most = patients * (1 - self.alike), patients * (1 - self.alike / 2)
        low, high = (places * (1 - (1 - 1 / places) ** different) for different in (fewest, most))
        slack = 1 + 1.5 * patients**0.5
        return bool(low - slack <= self.taken.sum() <= high + slack)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give plain values and arrays, from which `unpack` makes the same."""
        return {"alike": self.alike, "places": len(self.taken)}, {"taken": np.packbits(self.taken)}

    @classmethod
    def unpack(cls, text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the same of what `pack` gave."""
        if not (0 <= text["alike"] <= 1 and text["places"] > 0 and text["places"] % _PLACES == 0):
            raise ValueError("whom the model learned from is not said in shares and places")
        return cls(np.unpackbits(arrays["taken"], count=text["places"]).astype(np.bool_), text["alike"])


def _digests(rows: NDArray[np.float64], baseline: NDArray[np.float64]) -> NDArray[np.uint64]:
    """64 bits of the SHA-256 of each patient, in single precision: tables are kept in one or the other."""
    known = np.column_stack([rows, baseline])
    plain = np.where(np.isnan(known), np.nan, known + 0.0).astype("<f4")  # one kind of NaN, no -0
    return np.array(
        [int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8]) for row in plain], dtype=np.uint64
    )

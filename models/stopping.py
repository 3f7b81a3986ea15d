"""The published futility rule of a cohort file, and how often it was wrong in the training patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features.cohort_file_model import Futility
from models.wilson import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["SHARE_LEVEL", "Share", "StoppingRule", "judge"]

SHARE_LEVEL: Final = 0.95
"""Level of the intervals of shares."""
_TOLERANCE: Final = 1e-9  # far below any difference between scores, above rounding error


@dataclass(frozen=True, slots=True)
class Share:
    """A share of patients with the counts behind it.

    Parameters
    ----------
    count, of : int

    Examples
    --------
    >>> [round(x, 3) for x in Share(5, 40).interval]
    [0.055, 0.261]
    >>> Share(0, 0).value is None, Share(0, 0).interval
    (True, (0.0, 1.0))
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None without patients."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval (`models.wilson`); from 0 to 1 without patients."""
        if not self.of:
            return 0.0, 1.0
        low, high = wilson_interval(self.count, self.of)
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """A futility rule with its errors among training patients for whom it could be judged.

    Parameters
    ----------
    rule : Futility
    minimum : float
        Of the outcome's scale, from which a fall is counted.
    false_stops : Share
        Of the patients in whom the rule fires, those who responded all the same.
    caught : Share
        Of the patients who did not respond, those in whom it fires.
    model_false_stops : Share or None
        Responders among as many patients of the lowest out-of-fold probability at the rule's landmark; None
        without a model there.
    mean_probability : float or None
        Mean out-of-fold probability at that landmark of the patients in whom the rule fires; None if it
        fires in nobody.
    """

    rule: Futility
    minimum: float
    false_stops: Share
    caught: Share
    model_false_stops: Share | None
    mean_probability: float | None

    def fires(self, baseline: float, checks: Sequence[float]) -> bool | None:
        """Judge one patient.

        Parameters
        ----------
        baseline : float
            Score before treatment.
        checks : sequence of float
            Scores at the rule's checks; NaN where not observed.

        Returns
        -------
        bool or None
            None if too little is observed to tell.
        """
        [verdict] = judge(self.rule, self.minimum, np.array([baseline]), np.array([checks]))
        return None if np.isnan(verdict) else bool(verdict)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give plain values and arrays, from which `unpack` makes the same rule."""
        return asdict(self), {}

    @classmethod
    def unpack(cls, text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> StoppingRule:  # noqa: ARG003
        """Make a rule of what `pack` gave."""
        rule: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list | tuple) else v for key, v in text["rule"].items()
        }
        model = text["model_false_stops"]
        return cls(
            Futility(**rule),
            text["minimum"],
            Share(**text["false_stops"]),
            Share(**text["caught"]),
            None if model is None else Share(**model),
            text["mean_probability"],
        )


def judge(
    rule: Futility, minimum: float, baseline: NDArray[np.float64], checks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find in whom the rule fires.

    Improvement is a fall of at least `rule.improvement` of the baseline's distance from the scale's minimum.

    Parameters
    ----------
    rule : Futility
    minimum : float
        Of the outcome's scale.
    baseline : ndarray of shape (n,)
        Scores; NaN where not observed.
    checks : ndarray of shape (n, n_checks)

    Returns
    -------
    ndarray of shape (n,)
        1 it fires, 0 it does not, NaN where too little is observed to tell.

    References
    ----------
    Each cohort file names its rule's source. That of the shipped one, six infusions of ketamine: Transl
    Psychiatry 2024, doi 10.1038/s41398-024-03027-2 (improvement: a fall of at least 20 %).
    """
    needed = rule.improvement * (baseline - minimum)
    fall = baseline[:, None] - checks
    improved = np.where(np.isnan(fall), np.nan, fall >= needed[:, None] - _TOLERANCE)
    runs = [range(i, i + rule.consecutive) for i in range(len(rule.checks) - rule.consecutive + 1)]
    if rule.decisive is not None:
        runs.append(range(at := rule.checks.index(rule.decisive), at + 1))
    # A run says stop if all its checks are known not to improve, and go on as soon as one is known to.
    stops = np.column_stack([(improved[:, list(run)] == 0).all(axis=1) for run in runs])
    goes_on = np.column_stack([(improved[:, list(run)] == 1).any(axis=1) for run in runs])
    return np.where(stops.any(axis=1), 1.0, np.where(goes_on.all(axis=1), 0.0, np.nan))

"""The columns that diagnostics look at, and the patients they look at them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.cohort_file import BASELINE
from features.encoding import column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import Predictor

__all__ = ["SAMPLES", "Column", "columns_of", "resampling_groups"]

SAMPLES: Final = 200
"""Bootstrap samples: a diagnostic compares an interval's end with a wide margin, and must be quick."""


@dataclass(frozen=True)
class Column:
    """A predictor with its values.

    Parameters
    ----------
    predictor : Predictor
    values : ndarray of shape (n,)
        Encoded; NaN where missing.
    """

    predictor: Predictor
    values: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.predictor.name

    @property
    def categorical(self) -> bool:
        """Whether its codes have no order."""
        return self.predictor.kind == "category"

    @property
    def later(self) -> bool:
        """Whether it is declared as known only after baseline."""
        return self.predictor.landmark != BASELINE


def columns_of(cohort: Cohort) -> tuple[Column, ...]:
    """Take the predictors of all landmarks; the plan is no predictor of a patient but a choice.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    tuple of Column
        In the order of the cohort file.
    """
    values = dict(zip(column_names(cohort.file), cohort.rows.T, strict=True))
    later = [p.name for p in cohort.file.later_predictors] if cohort.later.shape[1] else []
    values |= dict(zip(later, cohort.later.T, strict=True))
    return tuple(Column(p, values[p.name]) for p in cohort.file.predictors if p.name in values)


def resampling_groups(cohort: Cohort) -> NDArray[np.intp] | None:
    """Give the groups that resampling follows: None if there is one group only, which cannot be resampled.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    ndarray of shape (n,) or None
    """
    groups = cohort.groups
    return groups if groups is not None and len(np.unique(groups)) > 1 else None

"""Whether a cohort holds something to learn, and something to learn it from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.encoding import column_names
from features.errors import TrainingDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile

__all__ = ["check_trainable"]

_FEWEST = 2  # of each class: with a single one, no split has something both to learn from and to test on


def check_trainable(cohort: Cohort, outcomes: Sequence[str] = ("response", "remission")) -> None:
    """Check that there is something to learn, and something to learn it from.

    Parameters
    ----------
    cohort : Cohort
    outcomes : sequence of {"response", "remission"}
        Those that will be learned.

    Raises
    ------
    TrainingDataError
        With every problem: an outcome with fewer than 2 patients in a class, a predictor or plan column
        that is empty or has the same value for all patients with an endpoint.
    """
    observed = ~np.isnan(cohort.response)
    problems = [problem for name in outcomes if (problem := _check_classes(cohort, name))]
    if observed.any():
        names = column_names(cohort.file)
        problems += [p for j, name in enumerate(names) if (p := _check_column(cohort, observed, j, name))]
    if problems:
        raise TrainingDataError("nothing can be learned from these patients:\n  - " + "\n  - ".join(problems))


def _check_classes(cohort: Cohort, name: str) -> str | None:
    values = cohort.response if name == "response" else cohort.remission
    yes, no = int((values == 1).sum()), int((values == 0).sum())
    if min(yes, no) >= _FEWEST:
        return None
    missing = len(values) - yes - no
    counts = f"{yes} with and {no} without, {missing} with no endpoint"
    return f"{name}: {counts}; at least {_FEWEST} with and {_FEWEST} without are needed"


def _check_column(cohort: Cohort, observed: NDArray[np.bool_], j: int, name: str) -> str | None:
    column = cohort.rows[observed, j]
    present = column[~np.isnan(column)]
    if not len(present):
        return f"column {name!r} is empty; leave it out of the cohort file"
    # With gaps, a constant column may still tell something: that a value was recorded.
    if len(present) < len(column) or (present != present[0]).any():
        return None
    value = _show(cohort.file, j, present[0])
    return f"column {name!r} is {value} for all patients; leave it out of the cohort file"


def _show(cohort_file: CohortFile, j: int, code: float) -> str:
    predictors = cohort_file.baseline_predictors
    levels = predictors[j].levels if j < len(predictors) else cohort_file.plan_levels
    return repr(levels[int(code)]) if levels else f"{code:g}"

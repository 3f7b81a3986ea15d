"""What is told of the first design besides its figures: plots, subgroups, missing endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.bootstrap import Estimate, repeats_of
from training.net_benefit import CURVE, decision_curves
from training.validation.bands import calibration_band, count_predictions
from training.validation.coverage import measure_coverage
from training.validation.missing_endpoints import weigh_missing
from training.validation.results import Curve, MissingEndpoints, Subgroups
from training.validation.subgroups import measure_subgroups

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort

__all__ = ["FirstDesign", "measure_first"]


@dataclass(frozen=True)
class FirstDesign:
    """Parts of `training.validation.results.OutcomeValidation`, of the same names."""

    calibration: Curve
    histogram: Mapping[str, tuple[int, ...]]
    net_benefit: Mapping[str, Curve]
    coverage: Estimate
    subgroups: tuple[Subgroups, ...]
    missing_endpoints: MissingEndpoints | None


def measure_first(
    cohort: Cohort,
    outcome: str,
    table: pd.DataFrame,
    weights: NDArray[np.float64],
    thresholds: tuple[float, float],
) -> FirstDesign:
    """Measure the predictions of one outcome.

    Parameters
    ----------
    cohort : Cohort
    outcome : str
    table : DataFrame
        Rows of the outcome, see `training.cross_validation.Validated`; of all patients of the cohort.
    weights : ndarray of shape (samples, n_known)
        Of the patients with an endpoint, in the order of the cohort.
    thresholds : tuple of float
        Clinical range; in subgroups net benefit is taken at its middle.

    Returns
    -------
    FirstDesign
    """
    repeats = repeats_of(table)
    known = np.flatnonzero(~np.isnan(cohort.response if outcome == "response" else cohort.remission))
    return FirstDesign(
        calibration=calibration_band(repeats, weights),
        histogram=count_predictions(repeats[0]),
        net_benefit=decision_curves(repeats, weights, CURVE),
        coverage=measure_coverage(table, weights),
        subgroups=measure_subgroups(cohort, repeats, known, weights, sum(thresholds) / 2),
        missing_endpoints=weigh_missing(cohort, outcome, table, weights),
    )

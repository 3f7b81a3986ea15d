"""Response and remission from the scores before treatment and at the endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import Outcome

__all__ = ["find_remission", "find_response"]

# Scores are given to a few decimals; this is far below any difference between them, and above rounding error.
_TOLERANCE = 1e-9


def find_response(
    outcome: Outcome, baseline: NDArray[np.float64], endpoint: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find who responded: a fall from baseline of at least `response_reduction`, usually one half.

    The fall is a share of the baseline's distance from the scale's minimum. That distance is the score
    itself on all scales shipped here; on one that starts above 0 the score would understate the fall
    (Leucht et al. 2007, Neuropsychopharmacology 32:1903).

    Parameters
    ----------
    outcome : Outcome
    baseline, endpoint : ndarray of shape (n,)
        Scores.

    Returns
    -------
    ndarray of shape (n,)
        1 response, 0 none, NaN where a score is missing.

    Examples
    --------
    >>> from features.scales import load_scales
    >>> from features.cohort_file import Outcome
    >>> outcome = Outcome(load_scales()["MADRS"], "madrs_start", "madrs_end")
    >>> find_response(outcome, np.array([30.0, 30.0, 30.0]), np.array([15.0, 16.0, np.nan]))
    array([ 1.,  0., nan])
    """
    fall = baseline - endpoint
    needed = outcome.response_reduction * (baseline - outcome.scale.minimum)
    return np.where(np.isnan(fall), np.nan, fall >= needed - _TOLERANCE)


def find_remission(outcome: Outcome, endpoint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find who is in remission: at most the scale's cut at the endpoint.

    Parameters
    ----------
    outcome : Outcome
    endpoint : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
        1 remission, 0 none, NaN where the score is missing.
    """
    return np.where(np.isnan(endpoint), np.nan, endpoint <= outcome.scale.remission_at_most + _TOLERANCE)

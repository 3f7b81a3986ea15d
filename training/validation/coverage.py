"""Calibration of the interval, as far as real outcomes can show it.

The interval is to hold a patient's true probability in 90 of 100 patients. Nobody ever sees a true
probability, only whether the patient responded. What can be seen is the observed share among patients with
the same prediction: the flexible calibration curve. It is the mean of their true probabilities, so intervals
that are as wide as they should be hold it in *more* than 90 of 100 patients; intervals that are too narrow
for the errors that the model makes on average do not.

So the figure is necessary and not sufficient. It finds a model that is more certain than it is right; it
cannot see true probabilities that scatter widely about the right mean. That part is measured where truth is
known, on simulated patients (`make bench`, ADR 0004). What folds learn from each other (`training.overlap`)
is not in the interval of this figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.bootstrap import Draws, Estimate, in_blocks, repeats_of, rows_with_both
from training.calibration import curves
from training.intervals import count_units

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from training.metrics import Predicted

__all__ = ["measure_coverage", "share_inside"]


def measure_coverage(table: pd.DataFrame, weights: NDArray[np.float64]) -> Estimate:
    """Share of patients whose interval holds the observed share among patients with the same prediction.

    Parameters
    ----------
    table : DataFrame
        Rows of one outcome, with `observed`, `probability`, `low`, `high`, `repeat`, `patient`, of patients
        that were not learned from.
    weights : ndarray of shape (samples, n)
        From `training.bootstrap.draw_weights`, of the patients with an endpoint in their order.

    Returns
    -------
    Estimate
        A share; the curve is drawn anew in each bootstrap sample.

    References
    ----------
    Austin and Steyerberg, Stat Med 2014;33:517-535 (the curve).
    """
    rows = rows_with_both(repeats_of(table)[0].y, weights)
    drawn = share_inside(table, rows)
    draws = Draws(drawn[:, 0], drawn[:, 1:].mean(axis=0), count_units(weights), within=(0.0, 1.0))
    return draws.estimate()


def share_inside(table: pd.DataFrame, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share that `measure_coverage` is about, under each of several sets of weights.

    Parameters
    ----------
    table : DataFrame
        As of `measure_coverage`.
    rows : ndarray of shape (k, n)

    Returns
    -------
    ndarray of shape (r, k)
        In each repeat.
    """
    repeats, lows, highs = (repeats_of(table, column) for column in ("probability", "low", "high"))
    return np.array(
        [_inside(data, low.p, high.p, rows) for data, low, high in zip(repeats, lows, highs, strict=True)]
    )


def _inside(
    data: Predicted, low: NDArray[np.float64], high: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the share of each row of weights, of shape (samples,)."""
    levels, level = np.unique(data.p, return_inverse=True)

    def share(block: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        curve = curves(data, block, levels)[:, level]
        return {"inside": (block * ((low <= curve) & (curve <= high))).sum(axis=1) / block.sum(axis=1)}

    return in_blocks(rows, share)["inside"]

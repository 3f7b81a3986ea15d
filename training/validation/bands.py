"""Values behind the calibration plot: the flexible curve with its band, and the histogram under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from training.bootstrap import in_blocks, rows_with_both
from training.calibration import curves
from training.intervals import count_units, find_band
from training.overlap import overlap_errors
from training.validation.results import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.metrics import Predicted

__all__ = ["calibration_band", "count_predictions"]

_POINTS: Final = 41
_BINS: Final = 20


def calibration_band(repeats: list[Predicted], weights: NDArray[np.float64]) -> Curve:
    """Observed share as a smooth function of the prediction, with a pointwise 95 % band.

    Parameters
    ----------
    repeats : list of Predicted
        The same patients in the same order in each.
    weights : ndarray of shape (samples, n)
        From `training.bootstrap.draw_weights`.

    Returns
    -------
    Curve
        From the 1st to the 99th percentile of the predictions: beyond, it would be drawn by a few patients.
    """
    first, last = np.quantile(np.concatenate([data.p for data in repeats]), (0.01, 0.99))
    at = np.linspace(float(first), float(last), _POINTS)
    rows = rows_with_both(repeats[0].y, weights)
    drawn = np.array([_draw(data, rows, at) for data in repeats])
    overlap = overlap_errors(repeats, lambda data: {"curve": curves(data, rows[:1], at)})["curve"][0]
    return Curve(tuple(at.tolist()), *find_band(drawn, count_units(weights), overlap))


def _draw(data: Predicted, rows: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return in_blocks(rows, lambda block: {"curve": curves(data, block, at)})["curve"]


def count_predictions(data: Predicted) -> dict[str, tuple[int, ...]]:
    """Count patients with and without the outcome in 20 equal bins of the prediction.

    Parameters
    ----------
    data : Predicted

    Returns
    -------
    dict of str to tuple of int
        `with` and `without`.
    """
    bins = np.minimum((data.p * _BINS).astype(np.intp), _BINS - 1)
    counts = {
        "with": np.bincount(bins[data.y == 1], minlength=_BINS),
        "without": np.bincount(bins[data.y == 0], minlength=_BINS),
    }
    return {name: tuple(int(n) for n in count) for name, count in counts.items()}

"""What is drawn of a fit is what a validation would say."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from scipy.special import expit

from training.bootstrap import draw_weights
from training.figures import calibration_figure
from training.metrics import Predicted
from training.validation.bands import calibration_band


def test_the_band_of_the_calibration_plot_is_that_of_a_validation() -> None:
    rng = np.random.default_rng(1)
    p = expit(rng.normal(0, 1, 400))
    y = (rng.random(400) < p).astype(np.float64)
    data = Predicted(y, p, np.full(400, 0.5), np.arange(400) % 5, 20.0)
    weights = draw_weights(400, np.arange(400) // 40, 1, 60)
    curve = calibration_band([data], weights)
    top, _ = calibration_figure([data], weights, "Response").axes
    (band,) = (c for c in top.collections if isinstance(c, PolyCollection))
    drawn = np.asarray(band.get_paths()[0].vertices)
    for x, low, high in zip(curve.at, curve.low, curve.high, strict=True):
        here = drawn[np.isclose(drawn[:, 0], x), 1]
        assert (here.min(), here.max()) == pytest.approx((low, high))
    # Tenths of patients without whiskers, which would take patients of one group for independent.
    assert not any(isinstance(c, LineCollection) for c in top.collections)

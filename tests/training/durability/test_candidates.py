"""Candidates of durability."""

from __future__ import annotations

import numpy as np

from tests.models.small_durability import small_inputs, small_responders
from training.durability.candidates import FLOOR, fit_candidate
from training.durability.metrics import kaplan_meier


def test_the_floor_is_kaplan_meiers_curve_of_each_maintenance() -> None:
    responders, inputs = small_responders(), small_inputs()
    model = fit_candidate(FLOOR, responders, inputs, 0)
    for k in range(4):
        own = responders.take(np.flatnonzero(responders.maintenance == k))
        # Nelson and Aalen's lies above by less than half a patient's share.
        curve = np.exp(-model.hazard[k, :40])
        observed = kaplan_meier(own, model.weeks[:40])
        assert (curve >= observed - 1e-12).all()
        np.testing.assert_allclose(curve, observed, atol=0.01)

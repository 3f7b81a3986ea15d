"""Refits of durability: what is drawn, and that the same seed draws it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.models.small_durability import small_inputs, small_responders
from training.durability.candidates import fit_candidate
from training.durability.refits import draw_refit_weights, refit, with_band


def test_the_same_seed_gives_the_same_model() -> None:
    responders, inputs = small_responders(), small_inputs()
    for name in ("ridge_cox", "xgboost"):
        first, second = (
            with_band(model, refit(model, responders, inputs, 4), responders).pack()[1]
            for model in (fit_candidate(name, responders, inputs, 4) for _ in range(2))
        )
        assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in first)


def test_groups_are_weighed_as_a_whole_and_few_groups_not_at_all() -> None:
    responders = small_responders()
    assert responders.groups is not None
    drawn = draw_refit_weights(responders, 1)
    assert drawn.unit == "groups"
    for group in np.unique(responders.groups):
        assert np.ptp(drawn.weights[:, responders.groups == group], axis=1).max() == 0
    few = draw_refit_weights(replace(responders, groups=responders.groups % 4), 1)
    assert few.unit == "patients"
    # Six groups tell less of the spread between them than hundreds of patients do.
    assert drawn.inflation > 1.5
    assert few.inflation == pytest.approx(1, abs=0.03)

"""Measures of durability against an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import brier_score, integrated_brier_score
from sksurv.util import Surv

from tests.models.small_durability import small_responders
from training.durability.metrics import brier_contributions, integrate, scored_weeks


def test_brier_scores_are_those_of_scikit_survival() -> None:
    responders = small_responders()
    at = scored_weeks(responders)
    well = np.random.default_rng(3).random((len(responders), len(at)))
    contributions = brier_contributions(well, responders, at)
    outcome = Surv.from_arrays(responders.relapsed == 1, responders.weeks)
    np.testing.assert_allclose(contributions.mean(axis=0), brier_score(outcome, outcome, well, at)[1])
    ours = integrate(contributions, at).mean()
    assert ours == pytest.approx(integrated_brier_score(outcome, outcome, well, at))

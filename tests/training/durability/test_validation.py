"""Choice and validation of durability: skill is shown where there is some, and claimed nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.models.small_durability import small_responders
from tests.training.durability.fitting import fitted
from training.durability.candidates import FLOOR
from training.durability.validation import choose_candidate, validate_durability


def test_predictors_that_foretell_relapse_are_used_and_show_skill() -> None:
    # In the small cohort a year of age adds 3 % to the hazard.
    _, model, report = fitted()
    assert model.candidate == "ridge_cox"
    assert report.validation is not None
    assert report.validation.metrics["integrated_brier_skill"].low > 0.05
    assert report.validation.metrics["uno_c"].low > 0.6
    # Remission protects, so to foresee it only on average costs accuracy.
    known, foreseen = report.validation.metrics, report.validation.at_baseline
    assert known["integrated_brier"].value < foreseen["integrated_brier"].value
    assert abs(known["calibration_8"].value) < 0.03


def test_the_simplest_is_chosen_when_predictors_say_nothing() -> None:
    responders = small_responders()
    rng = np.random.default_rng(7)
    shuffled = replace(responders, rows=responders.rows[rng.permutation(len(responders))])
    name, losses = choose_candidate(shuffled, seed=1)
    assert name == "remission"
    assert set(losses) == {FLOOR, "remission", "ridge_cox", "xgboost"}


@pytest.mark.slow
def test_no_skill_is_claimed_when_nothing_foretells_relapse() -> None:
    responders = small_responders()
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(responders))
        noise = replace(responders, weeks=responders.weeks[order], relapsed=responders.relapsed[order])
        metrics = validate_durability(noise, seed=1).metrics
        assert metrics["integrated_brier_skill"].low < 0
        assert metrics["uno_c"].low < 0.52

"""The benchmark of gates on one small cohort: it judges, and every interval is held against its truth."""

import numpy as np
import pytest

from benchmarks.gates import judge_first, shuffle_outcomes
from benchmarks.held_intervals import hold_intervals, summarise
from benchmarks.simulated import cohort
from models.response_model import OUTCOMES
from training.metrics import METRICS


def test_shuffled_outcomes_are_those_of_the_same_plan_and_of_nobody_in_particular() -> None:
    made = cohort(400, 3)
    shuffled = shuffle_outcomes(made, np.random.default_rng(1))
    np.testing.assert_array_equal(np.isnan(made.response), np.isnan(shuffled.response))
    assert np.nansum(made.response != shuffled.response) > 50
    for plan in np.unique(made.rows[:, -1]):
        members = made.rows[:, -1] == plan
        for before, after in ((made.response, shuffled.response), (made.remission, shuffled.remission)):
            assert np.nansum(before[members]) == np.nansum(after[members])


@pytest.mark.slow
def test_every_gated_interval_is_held_against_the_models_that_it_tells_of() -> None:
    validated, held = hold_intervals(cohort(300, 3), 3)
    assert judge_first(validated) == (False, False)  # too little data
    found = summarise([*held, *held])
    gained = {f"net_benefit_gain, {at}" for at in ("low", "middle", "high")}
    gated = {"coverage", "champion", "auroc in subgroups", "ici in subgroups", *gained, *METRICS}
    for name in OUTCOMES:
        assert set(found[name]) == gated
        assert all(0 <= one["above"] <= 1 - one["covered"] for one in found[name].values())
        assert 0.4 < found[name]["auroc"]["mean"] < 0.75  # of 20,000 fresh patients, whom nobody knows

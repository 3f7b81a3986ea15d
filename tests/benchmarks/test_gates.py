"""The benchmark of gates on one small cohort: it judges, and every interval is held against its truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from benchmarks.gates import judge_first, shuffle_outcomes
from benchmarks.held_intervals import CANDIDATE, CHAMPION, JUDGED, find_truths, hold_intervals, summarise
from benchmarks.simulated import cohort, fresh
from models.response_model import OUTCOMES
from training.gates.judge import judge
from training.gates.parser import load_gates
from training.metrics import METRICS
from training.validation.subgroups import find_subgroups

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_shuffled_outcomes_are_those_of_the_same_plan_and_of_nobody_in_particular() -> None:
    made = cohort(400, 3)
    shuffled = shuffle_outcomes(made, np.random.default_rng(1))
    np.testing.assert_array_equal(np.isnan(made.response), np.isnan(shuffled.response))
    assert np.nansum(made.response != shuffled.response) > 50
    for plan in np.unique(made.rows[:, -1]):
        members = made.rows[:, -1] == plan
        for before, after in ((made.response, shuffled.response), (made.remission, shuffled.remission)):
            assert np.nansum(before[members]) == np.nansum(after[members])


def test_the_truth_of_a_figure_is_that_of_fresh_patients_with_their_true_probabilities() -> None:
    made, people = cohort(300, 3), fresh()
    chance = people.truth["response"]

    def truths(p: NDArray[np.float64]) -> dict[Any, float]:
        folds = [
            pd.DataFrame({"patient": 300 + np.arange(len(p)), "probability": p, "fold": k}) for k in (0, 1)
        ]
        table = pd.concat(folds, ignore_index=True).assign(
            repeat=0, observed=0.0, low=0.0, high=1.0, candidate_prevalence=0.4, parameters=5.0
        )
        return find_truths(
            made, people, "response", {CANDIDATE: table, CHAMPION: table.assign(probability=0.4)}
        )

    found = truths(chance)
    assert found["o_e"] == pytest.approx(1.0)
    assert found["brier"] == pytest.approx((chance * (1 - chance)).mean())
    assert found["ici"] < 0.005
    assert found["coverage"] == 1.0
    assert found["champion"] == pytest.approx(found["brier"] - (chance * (1 - 0.8) + 0.16).mean())

    women = find_subgroups(replace(made, rows=people.clinic))["sex"]["female"]
    off = np.where(women, expit(logit(chance) + 1), chance)
    shifted = truths(off)
    wanted = (off - chance)[women].mean()
    assert shifted["ici in subgroups", "sex", "female"] == pytest.approx(wanted, abs=0.005)
    assert shifted["ici in subgroups", "sex", "male"] < 0.005


@pytest.mark.slow
def test_every_gated_interval_is_held_against_the_models_that_it_tells_of() -> None:
    validated, held = hold_intervals(cohort(300, 3), 3)
    assert judge_first(validated) == (False, False)  # too little data
    found = summarise([*held, *held], 2)
    gained = {f"net_benefit_gain, {at}" for at in ("low", "middle", "high")}
    gated = {"coverage", "champion", "auroc in subgroups", "ici in subgroups", "net_benefit_gain"}
    judged = judge(validated, load_gates(None))
    for name in OUTCOMES:
        (gate,) = (one for one in judged if (one.gate.name, one.outcome) == ("net_benefit", name))
        (ours,) = (one for one in held if (one.outcome, one.figure) == (name, "net_benefit_gain"))
        assert (ours.low, ours.high) == (gate.estimate.low, gate.estimate.high)
        assert set(found[name]) == {*gated, *gained, *METRICS}
        assert gated < set(JUDGED) < set(found[name])
        assert all(0 <= one["above"] <= 1 - one["covered"] for one in found[name].values())
        assert 0.4 < found[name]["auroc"]["mean"] < 0.75  # of 20,000 fresh patients, whom nobody knows

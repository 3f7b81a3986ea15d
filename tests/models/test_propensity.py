"""The propensity of a plan: recovered where it is known, constant where it was drawn."""

import numpy as np
from numpy.typing import NDArray

from features.preprocessing import EncodePredictors
from models.inputs import Inputs
from models.propensity import fit_constant_propensity, fit_propensity
from tests.models.small import FILE, small_cohort


def assigned(chance: NDArray[np.float64], seed: int = 0) -> Inputs:
    """Patients of a small cohort, put on the second plan with these chances."""
    rows = small_cohort(len(chance), 5).rows.copy()
    rows[:, -1] = np.random.default_rng(seed).random(len(chance)) < chance
    return Inputs(EncodePredictors(FILE).fit(rows), rows)


def test_a_randomised_share_is_the_same_for_everybody() -> None:
    inputs = assigned(np.full(400, 0.3))
    found = fit_constant_propensity(inputs).probabilities(inputs)
    np.testing.assert_allclose(found, [[1 - inputs.plans.mean(), inputs.plans.mean()]] * 400)


def test_choice_by_a_predictor_is_recovered() -> None:
    pain = small_cohort(2000, 5).rows[:, 1]
    known = ~np.isnan(pain)
    chance = np.where(pain == 1, 0.8, 0.3)
    inputs = assigned(chance)
    found = fit_propensity(inputs).probabilities(inputs)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.abs(found[known, 1] - chance[known]).mean() < 0.06
    # a constant would be this far off
    assert np.abs(inputs.plans.mean() - chance[known]).mean() > 0.2


def test_a_patients_own_plan_says_nothing_of_the_propensity() -> None:
    inputs = assigned(np.full(400, 0.5))
    moved = inputs.rows.copy()
    moved[:, -1] = 1 - moved[:, -1]
    model = fit_propensity(inputs)
    np.testing.assert_array_equal(
        model.probabilities(inputs), model.probabilities(Inputs(inputs.encoder, moved))
    )


def test_a_plan_that_nobody_was_on_has_no_propensity() -> None:
    inputs = assigned(np.zeros(200))
    found = fit_propensity(inputs).probabilities(inputs)
    np.testing.assert_allclose(found, [[1.0, 0.0]] * 200, atol=1e-12)

"""Support bounds, recommendations, and the plan model on disk."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.comparable import fit_comparable_groups
from models.plan_model import (
    FEWEST_COMPARABLE,
    LOWEST_PROPENSITY,
    PlanChoice,
    PlanModel,
    is_sufficient,
    state_assumption,
)
from models.propensity import fit_propensity
from tests.models.small import fresh_rows, training_set

SHOWN = PlanChoice("spray", 0.04, 0.01, 0.07, 400, "spray")
NOT_SHOWN = replace(SHOWN, low=-0.01)


def make_model(choice: PlanChoice = SHOWN) -> PlanModel:
    inputs = training_set().inputs
    expected = np.zeros((len(inputs), 2))
    groups = fit_comparable_groups(inputs.rows, 2, np.array([0, 4, 5], dtype=np.intp), expected)
    return PlanModel(fit_propensity(inputs), groups, choice)


def test_both_bounds_must_be_reached() -> None:
    comparable = np.array([[FEWEST_COMPARABLE, FEWEST_COMPARABLE - 1, FEWEST_COMPARABLE]])
    propensity = np.array([[LOWEST_PROPENSITY, 0.5, LOWEST_PROPENSITY * 0.99]])
    assert is_sufficient(comparable, propensity).tolist() == [[True, False, False]]


def test_support_is_propensity_and_count() -> None:
    model = make_model()
    inputs = replace(training_set().inputs, rows=fresh_rows())
    support = model.support(inputs)
    np.testing.assert_array_equal(support.propensity, model.propensity.probabilities(inputs))
    np.testing.assert_array_equal(support.comparable, model.groups.count(inputs.rows))
    assert support.sufficient.any()


@given(
    response=hnp.arrays(float, (6, 2), elements=st.floats(0, 1)),
    offered=hnp.arrays(bool, (6, 2)),
    choice=st.sampled_from([SHOWN, NOT_SHOWN]),
)
def test_only_an_offered_plan_is_ever_recommended(
    response: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    offered: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    choice: PlanChoice,
) -> None:
    chosen = replace(MODEL, choice=choice).recommend(response, offered)
    for row, plan in enumerate(chosen):
        if plan < 0:
            assert not (choice.shown and offered[row].all())  # two to choose from, and choosing pays
        else:
            assert choice.shown
            assert offered[row, plan]
            assert response[row, plan] == response[row, offered[row]].max()


MODEL = make_model()


@pytest.mark.parametrize(("low", "shown"), [(0.001, True), (0.0, False), (-0.2, False)])
def test_a_gain_is_shown_only_if_its_interval_lies_above_nothing(low: float, shown: bool) -> None:
    choice = replace(SHOWN, low=low)
    assert choice.shown is shown
    assert ("is not shown to beat" in choice.sentence()) is not shown
    assert "400 patients" in choice.sentence()


def test_an_unpacked_model_answers_the_same() -> None:
    text, arrays = MODEL.pack()
    again = PlanModel.unpack(text, arrays)
    inputs = replace(training_set().inputs, rows=fresh_rows())
    for a, b in zip(vars(MODEL.support(inputs)).values(), vars(again.support(inputs)).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.choice == MODEL.choice


def test_the_assumption_is_that_of_the_cohorts_design() -> None:
    assert "at random" in state_assumption("randomised")
    assert "choice of plan and response" in state_assumption("observational")
    assert state_assumption("simulated") == state_assumption("observational")

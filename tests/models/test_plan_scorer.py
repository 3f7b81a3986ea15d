"""Plans side by side: numbers only where they may stand, and the same for one patient and for many."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.cohort import make_cohort
from features.simulation import simulate
from models.inputs import Inputs
from models.plan_outcomes import on_every_plan, predict_plans
from models.plan_scorer import PlanAnswer, PlanScorer, compare_plans, remission_share
from tests.models.small import fresh_rows
from tests.models.small_care import shipped_care, shipped_file, small_care


@cache
def patients(n: int = 40) -> NDArray[np.float64]:
    return make_cohort(shipped_file(), simulate(n, 77).table).rows


def has_number(answer: PlanAnswer) -> bool:
    return any(
        x is not None for x in (answer.response, answer.remission, answer.difference, answer.durability)
    )


def test_each_patient_is_answered_as_in_a_batch() -> None:
    model, rows = shipped_care(), patients()
    scorer, levels = PlanScorer(model), shipped_file().plan_levels
    table = compare_plans(model, rows, np.ones((len(rows), len(levels)), dtype=bool))
    for i, row in enumerate(rows):
        for j, one in enumerate(scorer.answer(row.tolist(), levels).plans):
            assert one.plan == levels[j]
            assert (one.sufficient, one.comparable) == (
                table.support.sufficient[i, j],
                table.support.comparable[i, j],
            )
            assert one.propensity == pytest.approx(table.support.propensity[i, j], abs=1e-9)
            assert one.recommended == (table.recommended[i] == j)
            for likelihood, values in (
                (one.response, table.outcomes.response),
                (one.remission, table.outcomes.remission),
                (one.difference, table.outcomes.difference),
            ):
                if likelihood is None:
                    assert np.isnan(values[:, i, j]).all()
                else:
                    found = [likelihood.probability, likelihood.low, likelihood.high]
                    np.testing.assert_allclose(found, values[:, i, j], atol=1e-9)
    # Both kinds occur, else the test would say nothing.
    assert 0 < table.shown.mean() < 1


def test_numbers_are_those_of_the_models() -> None:
    model, rows = shipped_care(), patients(6)
    levels = shipped_file().plan_levels
    predicted = predict_plans(model.baseline, rows)
    inputs = Inputs(model.baseline.encoder, on_every_plan(rows, len(levels)))
    assert model.durability is not None
    curves = model.durability.curves(inputs, remission_share(predicted).ravel())
    for i, row in enumerate(rows):
        for j, one in enumerate(PlanScorer(model).answer(row.tolist(), levels).plans):
            if one.response is None:
                continue
            assert one.response.probability == pytest.approx(predicted.response[0, i, j], abs=1e-9)
            if one.durability is None:
                continue
            at = [model.durability.levels.index(level) for level in one.durability.levels]
            np.testing.assert_allclose(one.durability.curves, curves[:, i * len(levels) + j, at], atol=6e-5)


def test_a_plan_without_support_has_no_number() -> None:
    # A value as no patient on any plan had: nobody is comparable.
    row = patients(5)[0].copy()
    names = [p.name for p in shipped_file().baseline_predictors]
    row[names.index("bmi")] = 95.0
    for one in PlanScorer(shipped_care()).answer(row.tolist(), shipped_file().plan_levels).plans:
        assert one.sufficient is False
        assert one.comparable == 0
        assert not has_number(one)
        assert not one.recommended


def test_no_difference_where_the_reference_is_not_offered() -> None:
    levels = shipped_file().plan_levels
    answers = PlanScorer(shipped_care()).answer(patients(5)[1].tolist(), levels[:2]).plans
    assert answers[0].response is not None
    assert all(one.difference is None for one in answers)
    assert [one.offered for one in answers] == [True, True, False, False, False]


def test_plan_not_offered_has_no_figure_at_all() -> None:
    levels = shipped_file().plan_levels
    for one in PlanScorer(shipped_care()).answer(patients(5)[2].tolist(), levels[1:]).plans[:1]:
        assert not has_number(one)
        assert (one.propensity, one.comparable, one.sufficient, one.recommended) == (None, None, None, False)


@given(st.sets(st.integers(0, 4)), st.integers(0, 39))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_recommended_plan_is_the_likeliest_of_those_shown(offered: set[int], which: int) -> None:
    levels = shipped_file().plan_levels
    row = patients()[which].tolist()
    answers = PlanScorer(shipped_care()).answer(row, {levels[j] for j in offered}).plans
    shown = {one.plan: one.response.probability for one in answers if one.response is not None}
    chosen = [one.plan for one in answers if one.recommended]
    assert chosen == ([max(shown, key=lambda plan: shown[plan])] if len(shown) > 1 else [])
    assert set(shown) <= {levels[j] for j in offered}
    # Without proof that choosing by patient pays, nothing is recommended.
    unproven = PlanScorer(shipped_care(shown=False)).answer(row, levels).plans
    assert not any(one.recommended for one in unproven)


def test_curves_fall_within_their_band() -> None:
    for row in patients(5):
        for one in PlanScorer(shipped_care()).answer(row.tolist(), shipped_file().plan_levels).plans:
            if one.durability is None:
                continue
            middle, low, high = one.durability.curves
            known = ~np.isnan(middle)
            assert (low[known] <= middle[known]).all()
            assert (middle[known] <= high[known]).all()
            assert (middle[:, 0] == 1).all()
            assert (np.diff(middle, axis=1)[known[:, 1:]] <= 0).all()


def test_missing_and_unusual_inputs_are_named() -> None:
    file = shipped_file()
    row = np.full(len(file.baseline_predictors) + 1, np.nan)
    row[-1], row[0] = 0, 99.0
    answer = PlanScorer(shipped_care()).answer(row.tolist(), file.plan_levels)
    assert answer.missing == tuple(p.name for p in file.baseline_predictors[1:])
    assert [(u.name, u.value) for u in answer.unusual] == [("age", 99.0)]


def test_a_model_without_plan_model_is_refused() -> None:
    with pytest.raises(ValueError, match="no plans to compare"):
        PlanScorer(replace(small_care(), plans=None))


def test_a_model_without_durability_compares_plans() -> None:
    model = replace(small_care(), durability=None)
    rows = fresh_rows(5, gaps=False)
    answers = PlanScorer(model).answer(rows[0].tolist(), ("spray", "pill")).plans
    assert all(one.durability is None for one in answers)
    assert any(one.response is not None for one in answers)


def test_rows_on_every_plan_are_predicted_as_any_others() -> None:
    # Repeated rows take a shorter way through the sums; shuffled, the same rows take the long one.
    model = small_care().baseline
    inputs = model.inputs(on_every_plan(fresh_rows(30), 2))
    order = np.random.default_rng(1).permutation(len(inputs))
    shuffled = model.inputs(inputs.rows[order])
    assert inputs.repeated
    assert not shuffled.repeated
    for outcome in model.outcomes.values():
        np.testing.assert_allclose(outcome.predict(inputs)[:, order], outcome.predict(shuffled), atol=1e-12)
        contrast = outcome.uncertainty.contrast_variance
        np.testing.assert_allclose(contrast(inputs)[order], contrast(shuffled), atol=1e-12)


@pytest.mark.parametrize("made_before", [True, False])
def test_some_rows_of_inputs_have_the_columns_of_those_rows(made_before: bool) -> None:
    inputs = small_care().baseline.inputs(fresh_rows(30))
    index = np.array([3, 5, 29])
    if made_before:
        assert len(inputs.trees) == len(inputs.with_intercept) == len(inputs.missing) == 30
    taken, fresh = inputs.take(index), small_care().baseline.inputs(inputs.rows[index])
    for name in ("rows", "base", "with_intercept", "trees", "missing", "plans"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(fresh, name))

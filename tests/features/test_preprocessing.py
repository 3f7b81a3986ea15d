"""What is learned from training rows, and that nothing is learned later."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.cohort import make_cohort
from features.cohort_file import load_cohort_file
from features.encoder import BLOCKS
from features.preprocessing import EncodePredictors
from features.simulation import simulate
from features.splines import restricted_cubic
from features.tree_columns import expand_for_trees, tree_column_sources
from models.inputs import Inputs
from models.scores import linear_score
from tests.models.small import FILE, fresh_rows, small_cohort

NAN = np.nan


def fit_encoder(rows: NDArray[np.float64]) -> EncodePredictors:
    return EncodePredictors(FILE).fit(rows)


def state_of(encoder: EncodePredictors) -> dict[str, NDArray[np.float64]]:
    return {name: np.array(value) for name, value in vars(encoder).items() if name.endswith("_")}


def column_of(name: str) -> int:
    return [predictor.name for predictor in FILE.baseline_predictors].index(name)


def test_a_subset_is_transformed_as_a_part_of_the_whole() -> None:
    encoder, rows = fit_encoder(small_cohort().rows), fresh_rows()
    whole, some = encoder.transform(rows), np.array([3, 0, 77])
    # Nothing of the other patients may enter: not a mean, not a rank.
    np.testing.assert_array_equal(encoder.transform(rows[some]), whole[some])
    np.testing.assert_array_equal(encoder.design(rows[some]), encoder.design(rows)[some])
    np.testing.assert_array_equal(expand_for_trees(FILE, rows[some]), expand_for_trees(FILE, rows)[some])


def test_a_second_fit_forgets_the_first() -> None:
    first, second = small_cohort().rows, small_cohort(400, 9).rows
    encoder = fit_encoder(first)
    encoder.transform(first)
    expected = fit_encoder(second).transform(fresh_rows())
    assert not np.array_equal(encoder.transform(fresh_rows())[:, :1], expected[:, :1])
    np.testing.assert_array_equal(encoder.fit(second).transform(fresh_rows()), expected)


def test_transforming_teaches_nothing() -> None:
    encoder = fit_encoder(small_cohort().rows)
    before = state_of(encoder)
    encoder.transform(fresh_rows() * 1000)
    encoder.design(fresh_rows())
    after = state_of(encoder)
    assert before.keys() == after.keys()
    assert len(before) > 10
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)


def test_the_outcome_is_not_looked_at() -> None:
    rows, y = small_cohort().rows, small_cohort().response
    without, with_outcome = state_of(fit_encoder(rows)), state_of(EncodePredictors(FILE).fit(rows, y))
    for name, value in without.items():
        np.testing.assert_array_equal(value, with_outcome[name], err_msg=name)


def test_base_columns_are_finite_and_centred_on_the_training_rows() -> None:
    rows = small_cohort(800, 4).rows
    encoder = fit_encoder(rows)
    base = encoder.transform(rows)
    assert np.isfinite(base).all()
    # The imputed value is the mean, so that the average patient has 0 in every column.
    np.testing.assert_allclose(base.mean(axis=0), 0, atol=1e-10)
    numbers = base[:, : len(encoder.line_sources_)]
    spread = [numbers[~np.isnan(rows[:, j]), i].std() for i, j in enumerate(encoder.line_sources_)]
    np.testing.assert_allclose(spread, 1, atol=1e-10)


def test_curves_are_uncorrelated_with_their_line() -> None:
    rows = small_cohort(800, 4, gaps=False).rows
    encoder = fit_encoder(rows)
    first = encoder.n_terms_ - len(encoder.curve_sources_)
    base = encoder.transform(rows)
    curves = base[:, first : encoder.n_terms_]
    assert curves.shape[1] == 3  # age, the baseline score and CRP
    for i, line in enumerate(encoder.curve_lines_):
        assert abs(np.corrcoef(base[:, line], curves[:, i])[0, 1]) < 1e-8
    np.testing.assert_allclose(curves.std(axis=0), 1, atol=1e-8)


def test_an_empty_column_is_zero_whatever_comes() -> None:
    rows = small_cohort().rows.copy()
    rows[:, column_of("crp")] = NAN
    encoder = fit_encoder(rows)
    base = encoder.transform(fresh_rows())
    # An indicator would be constant, a curve has nothing to be learned from.
    assert column_of("crp") not in encoder.indicator_sources_
    assert column_of("crp") not in encoder.curve_sources_
    assert np.isfinite(base).all()
    assert np.isnan(encoder.seen_[column_of("crp")]).all()
    rows = fresh_rows()
    rows[:, column_of("crp")] = NAN
    np.testing.assert_array_equal(encoder.transform(rows)[:, encoder.sources_ == column_of("crp")], 0)


def test_a_constant_column_of_a_fold_adds_nothing_for_training_rows() -> None:
    rows = small_cohort(gaps=False).rows.copy()
    rows[:, column_of("pain")] = 1.0
    rows[:, column_of("age")] = 50.0
    rows[:, column_of("sex")] = 2.0
    encoder = fit_encoder(rows)
    base = encoder.transform(rows)
    constant = np.isin(encoder.sources_, [column_of(name) for name in ("pain", "age", "sex")])
    np.testing.assert_array_equal(base[:, constant], 0)
    assert np.isfinite(encoder.transform(fresh_rows())).all()


def test_a_single_row_is_enough_to_fit_and_to_transform() -> None:
    rows = fresh_rows(150, 2, gaps=False)[:1]
    encoder = fit_encoder(rows)
    np.testing.assert_array_equal(encoder.transform(rows), np.zeros((1, len(encoder.sources_))))
    assert encoder.design(rows).shape == (1, len(encoder.blocks_))


def test_weights_folded_by_plan_give_what_the_whole_design_gives() -> None:
    encoder, rows = fit_encoder(small_cohort().rows), fresh_rows()
    rng = np.random.default_rng(8)
    weights = rng.normal(size=len(encoder.blocks_))
    score = linear_score(encoder, weights, np.array([0.6, 0.4]))
    # Two routes to one logit: training multiplies the design, serving the weights of the patient's plan.
    np.testing.assert_allclose(score.logit(Inputs(encoder, rows)), encoder.design(rows) @ weights, atol=1e-10)


def test_plans_of_one_drug_share_columns_and_only_they() -> None:
    file = load_cohort_file(Path("features/cohorts/ketamine_trd.toml"))
    rows = make_cohort(file, simulate(150, 3).table).rows
    encoder = EncodePredictors(file).fit(rows)
    names = [[file.plan_levels[plan] for plan in plans] for plans in encoder.drugs_]
    assert names == [["esketamine", "esketamine_28mg", "esketamine_monotherapy"]]
    own = [encoder.plan_columns(plan) for plan in range(encoder.n_plans_)]
    assert [len(columns) for columns in own] == [1, 2, 2, 2, 1]
    np.testing.assert_array_equal(own[1][1], own[3][1])
    design, plans = encoder.design(rows), rows[:, -1].astype(int)
    for plan, columns in enumerate(own):
        # Both sets repeat the intercept and the base columns for patients on the plan.
        repeated = design[plans == plan][:, : 1 + encoder.n_terms_]
        for which in columns:
            np.testing.assert_array_equal(design[np.ix_(plans == plan, which)], repeated)
    shared = own[1][1]
    np.testing.assert_array_equal(design[np.ix_(np.isin(plans, [0, 4]), shared)], 0)
    # The drug's columns are sums of its plans' columns: they are no parameters more.
    of_plans = [design[:, own[plan][0]] for plan in (1, 2, 3)]
    np.testing.assert_array_equal(design[:, shared], np.sum(of_plans, axis=0))
    assert encoder.n_parameters_ == design.shape[1] - 1 - len(shared)
    weights = np.random.default_rng(8).normal(size=len(encoder.blocks_))
    score = linear_score(encoder, weights, np.full(5, 0.2))
    np.testing.assert_allclose(score.logit(Inputs(encoder, rows)), design @ weights, atol=1e-10)


def test_design_columns_and_blocks_belong_together() -> None:
    encoder, rows = fit_encoder(small_cohort().rows), fresh_rows()
    design, blocks = encoder.design(rows), encoder.blocks_
    assert design.shape == (len(rows), len(blocks))
    assert set(blocks.tolist()) == {-1, *range(BLOCKS.index("variant"))}  # no two plans give one drug
    np.testing.assert_array_equal(design[:, blocks == -1], 1)
    np.testing.assert_array_equal(design[:, blocks == BLOCKS.index("plan")].sum(axis=1), 1)
    # A patient's terms of the other plan are all 0.
    (other,) = encoder.plan_columns(1)
    np.testing.assert_array_equal(design[np.ix_(rows[:, -1] == 0, other)], 0)
    assert np.isin(blocks[other], [BLOCKS.index(name) for name in ("plan", "plan_term", "plan_curve")]).all()


def test_covariance_of_a_missing_category_is_the_empirical_one() -> None:
    rows = small_cohort(gaps=False).rows
    encoder = fit_encoder(rows)
    first = len(encoder.line_sources_)
    levels = slice(first, first + len(encoder.hot_sources_))
    base = encoder.transform(rows)[:, levels]
    np.testing.assert_allclose(
        encoder.missing_covariance()[levels, levels], np.cov(base.T, bias=True), atol=1e-10
    )


def test_covariance_of_missing_numbers_and_curves_is_the_empirical_one_of_the_same_input() -> None:
    rows = small_cohort(gaps=False).rows
    encoder = fit_encoder(rows)
    known = slice(0, encoder.n_terms_)
    empirical = np.cov(encoder.transform(rows)[:, known].T, bias=True)
    same = encoder.sources_[known, None] == encoder.sources_[None, known]
    # Between different predictors it is 0 by design: the distribution is taken whatever the others say.
    np.testing.assert_allclose(
        encoder.missing_covariance()[known, known], np.where(same, empirical, 0), atol=1e-8
    )


def test_an_indicator_of_a_missing_input_adds_no_variance() -> None:
    encoder = fit_encoder(small_cohort().rows)
    assert len(encoder.indicator_sources_) == 5
    # That the value is missing is known.
    np.testing.assert_array_equal(encoder.missing_covariance()[encoder.n_terms_ :], 0)


@pytest.mark.parametrize("side", [np.linspace(-9, -1.3, 50), np.linspace(1.1, 9, 50)])
def test_a_restricted_cubic_is_linear_beyond_the_outer_knots(side: NDArray[np.float64]) -> None:
    curve = restricted_cubic(side, np.array([-1.2, 0.1, 1.1]))
    # Outside the data a cubic would run away; second differences of a straight line are 0.
    np.testing.assert_allclose(np.diff(curve, 2), 0, atol=1e-9)


def test_a_restricted_cubic_bends_between_the_knots_and_is_smooth_at_them() -> None:
    knots = np.array([-1.2, 0.1, 1.1])
    step = 1e-4
    for knot in knots:
        near = restricted_cubic(knot + step * np.arange(-2, 3), knots)
        slope = np.diff(near) / step
        assert np.abs(np.diff(slope)).max() < 1e-2
    inside = restricted_cubic(np.linspace(-1, 1, 21), knots)
    assert np.abs(np.diff(inside, 2)).max() > 1e-3


def test_a_dose_that_is_mostly_zero_still_gets_a_curve() -> None:
    rng = np.random.default_rng(3)
    rows = small_cohort(gaps=False).rows.copy()
    dose = np.where(rng.random(len(rows)) < 0.85, 0.0, rng.gamma(2, 5, len(rows)))
    rows[:, column_of("crp")] = dose
    encoder = fit_encoder(rows)
    assert column_of("crp") in encoder.curve_sources_
    assert np.abs(encoder.transform(rows)).max() < 50


def test_trees_see_values_as_they_are_and_levels_as_columns() -> None:
    rows = np.array([[44.5, 1, 2, 1, 30, NAN, 0], [NAN, 0, NAN, NAN, 31, 0.5, 1]])
    expected = np.array(
        [
            # age, pain, female, male, none, trauma, madrs_start, crp, spray, pill
            [44.5, 1, 0, 0, 1, 1, 30, NAN, 1, 0],
            [NAN, 0, NAN, NAN, NAN, NAN, 31, 0.5, 0, 1],
        ],
        dtype=np.float32,
    )
    np.testing.assert_array_equal(expand_for_trees(FILE, rows), expected)
    np.testing.assert_array_equal(tree_column_sources(FILE), [0, 1, 2, 2, 2, 3, 4, 5, 6, 6])


def test_seen_values_are_percentiles_of_the_observed_numbers() -> None:
    rows = small_cohort().rows
    encoder = fit_encoder(rows)
    age = rows[:, column_of("age")]
    np.testing.assert_allclose(encoder.seen_[column_of("age")], np.nanquantile(age, [0.01, 0.99]))
    assert np.isnan(encoder.seen_[column_of("sex")]).all()
    assert np.isnan(encoder.seen_[column_of("pain")]).all()

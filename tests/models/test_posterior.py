"""The posterior of the ridge regression against independent implementations."""

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.plan_design import PlanDesign
from models.posterior import Posterior, fit_posterior, solve_map
from tests.models.small import dense_design

Case = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def make_case(n: int = 300, columns: int = 6, seed: int = 7) -> Case:
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(n), rng.normal(size=(n, columns))])
    truth = np.concatenate([[-0.4], rng.normal(0, 0.8, columns)])
    return design, (rng.random(n) < expit(design @ truth)).astype(np.float64), truth


def fit_small(
    design: PlanDesign, y: NDArray[np.float64], blocks: NDArray[np.intp], typical: NDArray[np.float64]
) -> Posterior:
    return fit_posterior(design, y, blocks, typical, np.full(len(typical), 4.0))


def test_mode_is_that_of_scikit_learn_with_an_l2_penalty() -> None:
    design, y, _ = make_case()
    # scikit-learn leaves the intercept free, hence its precision of 0 here; C is one over the precision.
    precision = np.array([0.0, *np.full(6, 4.0)])
    mean, _ = solve_map(dense_design(design), y, precision, np.zeros(7))
    rival = LogisticRegression(C=1 / 4.0, tol=1e-10, max_iter=10_000).fit(design[:, 1:], y)
    np.testing.assert_allclose(mean, [*rival.intercept_, *rival.coef_[0]], atol=1e-5)


def test_without_a_prior_mode_and_covariance_are_those_of_maximum_likelihood() -> None:
    design, y, _ = make_case()
    mean, hessian = solve_map(dense_design(design), y, np.full(7, 1e-10), np.zeros(7))
    rival = sm.GLM(y, design, family=sm.families.Binomial()).fit(tol=1e-12)
    np.testing.assert_allclose(mean, rival.params, atol=1e-6)
    np.testing.assert_allclose(np.linalg.inv(hessian), rival.cov_params(), rtol=1e-4, atol=1e-8)


def test_a_start_far_away_ends_at_the_same_mode() -> None:
    design, y, _ = make_case()
    precision = np.full(7, 0.5)
    near, _ = solve_map(dense_design(design), y, precision, np.zeros(7))
    far, _ = solve_map(dense_design(design), y, precision, np.full(7, 6.0))
    np.testing.assert_allclose(near, far, atol=1e-5)


def test_separated_classes_keep_a_finite_mode() -> None:
    x = np.linspace(-1, 1, 40)
    design = np.column_stack([np.ones(40), x])
    posterior = fit_small(
        dense_design(design), (x > 0).astype(np.float64), np.array([-1, 0]), np.array([0.1])
    )
    # Maximum likelihood would run to infinity; the prior must not let it.
    assert np.isfinite(posterior.mean).all()
    assert 0 < posterior.mean[1] < 50


def test_scales_tell_a_block_of_effects_from_a_block_of_noise() -> None:
    rng = np.random.default_rng(5)
    n, k = 4000, 20
    design = np.column_stack([np.ones(n), rng.normal(size=(n, 2 * k))])
    truth = np.concatenate([[0.2], rng.normal(0, 0.4, k), np.zeros(k)])
    y = (rng.random(n) < expit(design @ truth)).astype(np.float64)
    posterior = fit_small(dense_design(design), y, np.array([-1, *[0] * k, *[1] * k]), np.full(2, 0.1))
    strong, weak = posterior.scales
    # A Student prior with 4 degrees of freedom and scale s has standard deviation 1.41 s: s is near 0.3.
    assert 0.2 < strong < 0.5
    assert weak < 0.1
    error = np.abs(posterior.mean - truth)
    assert error[1:].mean() < 0.05


def test_covariance_is_symmetric_positive_and_shrinks_with_patients() -> None:
    design, y, _ = make_case(2000)
    blocks = np.array([-1, *[0] * 6])
    few, many = (
        fit_small(dense_design(design[:n]), y[:n], blocks, np.array([0.1])).covariance for n in (200, 2000)
    )
    np.testing.assert_allclose(many, many.T, atol=1e-12)
    assert np.linalg.eigvalsh(many).min() > 0
    # Ten times the patients, about a tenth of the variance.
    ratio = np.diag(few) / np.diag(many)
    assert (ratio > 3).all()


def test_the_same_data_give_the_same_posterior() -> None:
    design, y, _ = make_case()
    blocks = np.array([-1, 0, 0, 0, 1, 1, 1])
    first, second = (fit_small(dense_design(design), y, blocks, np.full(2, 0.1)) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.covariance, second.covariance)
    np.testing.assert_array_equal(first.scales, second.scales)


def test_hyperprior_decides_where_the_data_say_nothing() -> None:
    design, y, _ = make_case(10)
    blocks = np.array([-1, *[0] * 6])
    small, large = (
        fit_small(dense_design(design), y, blocks, np.array([scale])).scales[0] for scale in (0.05, 0.5)
    )
    assert small < 0.1 < 0.3 < large


def test_a_design_by_plan_and_group_is_the_matrix_written_out() -> None:
    rng = np.random.default_rng(11)
    n, size = 70, 4
    base = np.column_stack([np.ones(n), rng.normal(size=(n, size - 1))])
    plans, groups = rng.integers(0, 3, n), rng.integers(0, 5, n)
    shared = [13, 14, 15]  # of the drug that the first two plans give
    own = (np.array([[4, 7, 8], shared]), np.array([[5, 9, 10], shared]), np.array([[6, 11, 12]]))
    design = PlanDesign(base, plans, own, groups, 6)
    matrix = np.zeros((n, 22))
    matrix[:, :size] = base
    for i in range(n):
        for columns in own[plans[i]]:
            matrix[i, columns] = base[i, :3]
        matrix[i, 16 + groups[i]] = 1
    beta, values, weight = rng.normal(size=22), rng.normal(size=n), rng.random(n)
    assert design.shape == matrix.shape
    np.testing.assert_allclose(design.times(beta), matrix @ beta, atol=1e-12)
    np.testing.assert_allclose(design.transposed_times(values), matrix.T @ values, atol=1e-12)
    np.testing.assert_allclose(design.gram(weight), (matrix.T * weight) @ matrix, atol=1e-12)
    np.testing.assert_allclose(design.take(3).times(beta), matrix[::3] @ beta, atol=1e-12)


def test_intervals_take_the_upper_end_of_estimated_prior_scales() -> None:
    design, y, _ = make_case(200, columns=20)
    blocks = np.array([-1, *[0] * 20])
    few = fit_small(dense_design(design), y, blocks, np.array([0.1]))
    # With the prior held at the mode of its scale, a Gaussian one that this is bounded by, intervals would
    # be narrower; without any prior they are wider.
    held = np.linalg.inv(
        solve_map(dense_design(design), y, np.array([0.04, *[1 / few.scales[0] ** 2] * 20]), few.mean)[1]
    )
    free = np.linalg.inv(solve_map(dense_design(design), y, np.full(21, 1e-10), few.mean)[1])
    spread, least, most = (np.sqrt(np.diag(c)[1:]).mean() for c in (few.covariance, held, free))
    assert 1.02 * least < spread < most


def test_fewer_degrees_of_freedom_shrink_noise_and_leave_a_large_effect() -> None:
    rng = np.random.default_rng(12)
    n, k = 3000, 30
    design = np.column_stack([np.ones(n), rng.normal(size=(n, k))])
    y = (rng.random(n) < expit(0.6 * design[:, 1])).astype(np.float64)
    blocks, typical = np.array([-1, *[0] * k]), np.array([0.05])
    many, two = (
        fit_posterior(dense_design(design), y, blocks, typical, np.array([f])).mean for f in (50.0, 2.0)
    )
    assert np.abs(two[2:]).mean() < np.abs(many[2:]).mean()
    assert abs(two[1] - 0.6) < abs(many[1] - 0.6) + 0.02

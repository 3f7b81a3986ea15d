"""Recalibration against independent optimisers."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.calibration import Recalibration, fit_recalibration

Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]


def make_case(n: int, intercept: float = 0.0, slope: float = 1.0, seed: int = 3) -> Arrays:
    """Predicted logits z whose true logits are intercept + slope * z."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.2, 1.2, n)
    y = (rng.random(n) < expit(intercept + slope * z)).astype(np.float64)
    return z, y, rng.integers(0, 4, n)


def test_it_is_the_mode_of_its_penalised_likelihood() -> None:
    z, y, fold = make_case(150, -0.6, 0.6)
    columns = np.column_stack([np.ones(150), z, *(fold == k for k in range(4))]).astype(np.float64)
    neutral = np.array([0.0, 1.0, 0, 0, 0, 0])

    def objective(beta: NDArray[np.float64]) -> float:
        eta = columns @ beta
        return float((np.logaddexp(0, eta) - y * eta).sum() + ((beta - neutral) ** 2).sum() / (2 * 0.15**2))

    mode = minimize(objective, neutral, method="BFGS", options={"gtol": 1e-8}).x
    found = fit_recalibration(z, y, fold)
    assert (found.intercept, found.slope) == pytest.approx((mode[0], mode[1]), abs=1e-5)


def test_with_many_patients_it_is_the_fit_of_statsmodels() -> None:
    z, y, _ = make_case(60_000, 0.3, 0.7)
    found = fit_recalibration(z, y, np.zeros(60_000, dtype=np.intp))
    # A common intercept and one of the only fold share one estimate; statsmodels has their sum.
    rival = sm.GLM(y, sm.add_constant(z), family=sm.families.Binomial()).fit().params
    assert found.slope == pytest.approx(rival[1], abs=0.005)
    assert 2 * found.intercept == pytest.approx(rival[0], abs=0.01)


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (0.4, 0.5), (-0.8, 1.6)])
def test_a_shifted_and_stretched_logit_is_recovered(intercept: float, slope: float) -> None:
    z, y, fold = make_case(40_000, intercept, slope)
    found = fit_recalibration(z, y, fold)
    assert found.slope == pytest.approx(slope, abs=0.06)
    # The folds share the shift with the common intercept: four of its five parts stay with the latter.
    assert found.intercept == pytest.approx(intercept, abs=0.2 * abs(intercept) + 0.04)


def test_few_patients_move_it_little() -> None:
    z, y, fold = make_case(12, 0.5, 0.1)
    found = fit_recalibration(z, y, fold)
    assert abs(found.slope - 1) < 0.25
    assert abs(found.intercept) < 0.25


def test_ranking_is_never_turned_round() -> None:
    z, y, fold = make_case(5000, 0.0, -2.0)
    assert fit_recalibration(z, y, fold).slope == 0.0


def test_folds_of_unlike_prevalence_do_not_pass_for_a_poor_slope() -> None:
    """Each fold predicted by its complement: a fold rich in responders gets low predictions."""
    rng = np.random.default_rng(2)
    n = 8000
    fold = rng.integers(0, 4, n)
    shift = np.array([-0.4, -0.15, 0.15, 0.4])[fold]
    z = rng.normal(0, 0.5, n)
    y = (rng.random(n) < expit(z + shift)).astype(np.float64)
    predicted = z - shift  # the more responders a fold holds, the fewer its training patients had
    with_folds = fit_recalibration(predicted, y, fold).slope
    without = fit_recalibration(predicted, y, np.zeros(n, dtype=np.intp)).slope
    assert abs(with_folds - 1) < abs(without - 1)
    assert with_folds == pytest.approx(1.0, abs=0.12)


def test_neutral_recalibration_changes_nothing() -> None:
    z = np.linspace(-4, 4, 9)
    np.testing.assert_array_equal(Recalibration().apply(z), z)
    np.testing.assert_allclose(Recalibration(0.5, 2.0).apply(z), 0.5 + 2 * z)

"""The Cox regression against two independent implementations, and what strata and weights must mean."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import nelson_aalen_estimator
from sksurv.util import Surv
from statsmodels.duration.hazard_regression import PHReg

from models.cox import CoxData, cumulative_hazard, fit_cox


def draw(patients: int = 300, columns: int = 6, seed: int = 1) -> CoxData:
    """Draw patients whose times are whole days, so that there are ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(patients, columns))
    relapse = np.ceil(rng.exponential(40 * np.exp(-0.6 * x[:, 0] + 0.3 * x[:, 1])))
    contact = np.ceil(rng.uniform(1, 120, patients))
    strata = rng.integers(0, 3, patients)
    event = (relapse <= contact).astype(np.float64)
    return CoxData(x, np.minimum(relapse, contact), event, strata, np.ones(patients))


def in_one_stratum(data: CoxData) -> CoxData:
    return CoxData(data.columns, data.time, data.event, np.zeros(len(data.time), dtype=np.intp), data.weights)


@pytest.mark.parametrize("penalty", [0.0, 5.0, 200.0])
def test_ridge_weights_are_those_of_scikit_survival(penalty: float) -> None:
    data = in_one_stratum(draw())
    theirs = CoxPHSurvivalAnalysis(alpha=penalty, ties="breslow", tol=1e-12)
    theirs.fit(data.columns, Surv.from_arrays(data.event == 1, data.time))
    np.testing.assert_allclose(fit_cox(data, np.full(6, penalty)).beta, theirs.coef_, atol=1e-6)


def test_stratified_weights_and_their_errors_are_those_of_statsmodels() -> None:
    data = draw()
    theirs = PHReg(data.time, data.columns, status=data.event, strata=data.strata, ties="breslow").fit()
    ours = fit_cox(data, np.zeros(6))
    np.testing.assert_allclose(ours.beta, theirs.params, atol=1e-6)
    errors = np.sqrt(np.diag(np.linalg.inv(ours.information)))
    np.testing.assert_allclose(errors, theirs.bse, rtol=1e-5)
    assert ours.log_likelihood == pytest.approx(theirs.llf, abs=1e-6)


def test_a_weight_of_two_is_a_patient_who_stands_there_twice() -> None:
    data = draw()
    twice = np.random.default_rng(2).integers(1, 4, len(data.time))
    index = np.repeat(np.arange(len(data.time)), twice)
    weighted = CoxData(data.columns, data.time, data.event, data.strata, twice.astype(np.float64))
    repeated = CoxData(
        data.columns[index], data.time[index], data.event[index], data.strata[index], np.ones(len(index))
    )
    ours, theirs = (fit_cox(d, np.full(6, 3.0)) for d in (weighted, repeated))
    np.testing.assert_allclose(ours.beta, theirs.beta, atol=1e-8)
    np.testing.assert_allclose(ours.information, theirs.information, rtol=1e-7)
    at = np.arange(0.0, 120.0, 7)
    one, other = (cumulative_hazard(d, d.columns @ ours.beta, 3, at) for d in (weighted, repeated))
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_it_does_not_matter_where_the_search_begins() -> None:
    data = draw()
    penalty = np.full(6, 1.0)
    far = np.array([3.0, -3.0, 2.0, 0.0, 1.0, -2.0])
    np.testing.assert_allclose(fit_cox(data, penalty, far).beta, fit_cox(data, penalty).beta, atol=1e-6)


def test_a_predictor_that_tells_relapse_perfectly_stays_finite_with_a_penalty() -> None:
    time = np.arange(1.0, 41.0)
    data = CoxData(-time[:, None], time, np.ones(40), np.zeros(40, dtype=np.intp), np.ones(40))
    beta = fit_cox(data, np.array([1.0])).beta
    assert 0 < beta[0] < 10


def _nelson_aalen(data: CoxData, at: NDArray[np.float64]) -> NDArray[np.float64]:
    times, hazard = nelson_aalen_estimator(data.event == 1, data.time)
    result: NDArray[np.float64] = np.append(0.0, hazard)[np.searchsorted(times, at, side="right")]
    return result


def test_without_predictors_the_baseline_is_nelson_and_aalens_in_each_stratum() -> None:
    data, at = draw(), np.arange(0.0, 120.0, 3)
    hazard = cumulative_hazard(data, np.zeros(len(data.time)), 4, at)
    for stratum in range(3):
        own = data.strata == stratum
        theirs = CoxData(data.columns[own], data.time[own], data.event[own], data.strata[own], np.ones(1))
        np.testing.assert_allclose(hazard[stratum], _nelson_aalen(theirs, at), rtol=1e-12)
    assert (hazard[3] == 0).all()  # nobody is in it


def test_with_predictors_the_baseline_is_breslows_of_scikit_survival() -> None:
    data, at = in_one_stratum(draw()), np.arange(2.0, 100.0, 3)
    theirs = CoxPHSurvivalAnalysis(alpha=1.0, ties="breslow", tol=1e-12)
    theirs.fit(data.columns, Surv.from_arrays(data.event == 1, data.time))
    ours = cumulative_hazard(data, data.columns @ theirs.coef_, 1, at)[0]
    np.testing.assert_allclose(ours, theirs.cum_baseline_hazard_(at), rtol=1e-8)

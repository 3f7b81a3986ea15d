"""Random-effects summary against R's metafor, and on simulated units."""

import numpy as np
import pytest

from training.validation.random_effects import pool

# Trials of the BCG vaccine, log relative risk and its variance: `escalc(measure="RR")` of metafor 3.8-1 (R)
# on its data set dat.bcg (Colditz et al., JAMA 1994;271:698-702).
BCG = np.array(
    [
        -0.8893113339, -1.5853886572, -1.3480731483, -1.4415511900, -0.2175473222, -0.7861155858,
        -1.6208982236, 0.0119523335, -0.4694176487, -1.3713448035, -0.3393588283, 0.4459134006, -0.0173139482,
    ]
)  # fmt: skip
VARIANCE = np.array(
    [
        0.32558476500, 0.19458112140, 0.41536796537, 0.02001003190, 0.05121017217, 0.00690561846,
        0.22301724757, 0.00396157930, 0.05643421046, 0.07302479361, 0.01241221397, 0.53250584520,
        0.07140465968,
    ]
)  # fmt: skip


def test_summary_equals_metafor() -> None:
    found = pool(BCG, np.sqrt(VARIANCE))
    # rma(yi, vi, method="REML", test="knha"), confint() for tau (Q profile).
    mean = (found.mean.value, found.mean.low, found.mean.high)
    np.testing.assert_allclose(mean, (-0.7145323422, -1.1084437137, -0.3206209706), atol=1e-6)
    tau = (found.tau.value, found.tau.low, found.tau.high)
    np.testing.assert_allclose(tau, (0.5596813898, 0.3460034120, 1.054267084), atol=1e-6)
    # Riley, Higgins and Deeks: mean -+ qt(0.975, 11) * sqrt(tau^2 + se^2), computed in R from rma's figures.
    new = (found.new_unit.low, found.new_unit.high)
    np.testing.assert_allclose(new, (-2.00905765035, 0.57999296595), atol=1e-6)


def test_units_alike_leave_no_spread_and_no_interval_narrower_than_the_ordinary_one() -> None:
    found = pool(np.array([0.2, 0.2, 0.2, 0.2]), np.full(4, 0.1))
    assert found.tau.value == found.tau.low == 0
    # Hartung and Knapp's own formula would give an interval without width here.
    assert found.mean.high - found.mean.low > 2 * 1.96 * 0.1 / 2
    assert found.new_unit.low < found.mean.low < found.mean.high < found.new_unit.high


def test_spread_and_intervals_are_right_on_average() -> None:
    rng = np.random.default_rng(5)
    taus, covered, predicted = [], [], []
    for _ in range(300):
        truth, error = rng.normal(0.3, 0.45, 13), rng.uniform(0.15, 0.35, 12)
        found = pool(truth[:12] + error * rng.standard_normal(12), error)
        taus.append(found.tau.value)
        covered.append(found.tau.low <= 0.45 <= found.tau.high)
        predicted.append(found.new_unit.low <= truth[12] <= found.new_unit.high)
    # 300 draws: the mean of tau is known to 0.008, a share near 0.95 to 0.013.
    assert np.mean(taus) == pytest.approx(0.45, abs=0.04)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)
    assert np.mean(predicted) == pytest.approx(0.95, abs=0.04)


def test_two_units_and_units_without_error_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3, not 2"):
        pool(np.array([0.1, 0.2]), np.array([0.1, 0.1]))
    with pytest.raises(ValueError, match="standard error above 0"):
        pool(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.0, 0.1]))

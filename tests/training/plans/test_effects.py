"""Doubly robust effects: right if either part is, intervals that cover, no effect where there is none."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from training.bootstrap import Estimate
from training.plans.effects import (
    autoc,
    calibrate_effect,
    doubly_robust_scores,
    e_value,
    estimate_gain,
    estimate_mean,
    estimate_ratio,
)


class Confounded:
    """Two plans; x raises response and the chance of plan 1. On it all respond more, those with z most."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.x, self.z = rng.normal(size=n), rng.integers(0, 2, n)
        chance = expit(self.x)
        self.propensity = np.column_stack([1 - chance, chance])
        self.expected = np.column_stack([expit(-0.5 + self.x), expit(-0.3 + self.x + 1.2 * self.z)])
        self.plans = (rng.random(n) < chance).astype(np.intp)
        self.y = (rng.random(n) < self.expected[np.arange(n), self.plans]).astype(float)
        self.truth = float((self.expected[:, 1] - self.expected[:, 0]).mean())

    def effect(self, expected: NDArray[np.float64], propensity: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = doubly_robust_scores(self.y, self.plans, expected, propensity)
        difference: NDArray[np.float64] = scores[:, 1] - scores[:, 0]
        return difference


def flat(like: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(like, 0.5)


def test_either_part_may_be_wrong_but_not_both() -> None:
    people = Confounded(20_000, 1)
    naive = people.y[people.plans == 1].mean() - people.y[people.plans == 0].mean()
    assert naive - people.truth > 0.1  # what confounding does
    both = people.effect(people.expected, people.propensity).mean()
    outcome_only = people.effect(people.expected, flat(people.propensity)).mean()
    propensity_only = people.effect(flat(people.expected), people.propensity).mean()
    neither = people.effect(flat(people.expected), flat(people.propensity)).mean()
    for estimate in (both, outcome_only, propensity_only):
        assert abs(estimate - people.truth) < 0.025
    assert abs(neither - people.truth) > 0.1


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_cover_at_their_level(grouped: bool) -> None:
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, 12, 300)
        values = rng.normal(0.2, 1, 300) + (rng.normal(0, 0.5, 12)[groups] if grouped else 0)
        found = estimate_mean(values, groups if grouped else None, level=0.9)
        covered.append(found.low <= 0.2 <= found.high)
    assert 0.84 < np.mean(covered) < 0.96


def test_a_mean_without_groups_is_the_textbook_interval() -> None:
    values = np.random.default_rng(3).normal(size=40)
    found = estimate_mean(values, None)
    low, high = stats.t.interval(0.95, 39, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose([found.value, found.low, found.high], [values.mean(), low, high])


def test_a_single_group_has_no_interval() -> None:
    found = estimate_mean(np.array([0.1, 0.2]), np.array([1, 1]))
    assert found.value == pytest.approx(0.15)
    assert np.isnan([found.low, found.high]).all()


def test_a_ratio_is_that_of_the_means_and_its_interval_covers() -> None:
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        base = (rng.random(400) < 0.4).astype(float)
        other = (rng.random(400) < 0.5).astype(float)
        found = estimate_ratio(other, base, None)
        assert found.value == pytest.approx(other.mean() / base.mean())
        covered.append(found.low <= 0.5 / 0.4 <= found.high)
    assert 0.91 < np.mean(covered) < 0.985


def test_the_slope_is_one_for_real_effects_and_nothing_for_noise() -> None:
    people = Confounded(20_000, 2)
    effect = people.effect(people.expected, people.propensity)
    real = people.expected[:, 1] - people.expected[:, 0]
    found = calibrate_effect(effect, real, None)
    assert found.low < 1 < found.high
    assert found.low > 0
    noise = np.random.default_rng(1).normal(size=len(effect))
    nothing = calibrate_effect(effect, noise, None)
    assert nothing.low < 0 < nothing.high
    half = calibrate_effect(effect, 2 * real, None)
    assert half.value == pytest.approx(found.value / 2)


def test_no_predicted_difference_between_patients_has_no_slope() -> None:
    assert np.isnan(calibrate_effect(np.arange(5.0), np.full(5, 0.1), None).value)


def test_autoc_is_the_mean_over_shares_of_what_the_first_gain_more() -> None:
    rng = np.random.default_rng(4)
    effect, predicted = rng.normal(size=60), rng.normal(size=60)
    order = np.argsort(-predicted)
    direct = np.mean([effect[order[: k + 1]].mean() - effect.mean() for k in range(60)])
    assert autoc(effect, predicted, None).value == pytest.approx(direct)


def test_autoc_rewards_a_ranking_only_if_it_says_something() -> None:
    people = Confounded(20_000, 5)
    effect = people.effect(people.expected, people.propensity)
    assert autoc(effect, people.expected[:, 1] - people.expected[:, 0], None).low > 0
    noise = autoc(effect, np.random.default_rng(1).normal(size=len(effect)), None)
    assert noise.low < 0 < noise.high
    assert autoc(effect, np.zeros(len(effect)), None).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        # VanderWeele and Ding 2017, the worked example of smoking: RR 10.73 (8.02 to 14.36).
        (Estimate(10.73, 8.02, 14.36), (20.95, 15.52)),
        # The same paper, breast-feeding and respiratory death: RR 3.9 (1.8 to 8.7).
        (Estimate(3.9, 1.8, 8.7), (7.26, 3.0)),
        (Estimate(1.2, 0.9, 1.6), (1.69, 1.0)),
        (Estimate(0.5, 0.4, 0.8), (3.41, 1.81)),
    ],
)
def test_e_values_are_the_published_ones(ratio: Estimate, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(e_value(ratio), expected, atol=0.006)


def test_a_gain_is_never_surer_than_its_patients_or_its_groups() -> None:
    rng = np.random.default_rng(6)
    for _ in range(30):
        groups, values = rng.integers(0, 4, 80), rng.normal(size=80)
        found = estimate_gain(values, groups)
        for other in (estimate_mean(values, groups), estimate_mean(values, None)):
            assert found.value == pytest.approx(other.value)
            assert found.low <= other.low
            assert found.high >= other.high
    assert np.isnan(estimate_gain(values, np.zeros(80, dtype=np.intp)).low)  # one group: nothing is claimed

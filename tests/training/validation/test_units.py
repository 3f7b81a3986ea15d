"""Figures within a unit against R, and which units are summarised."""

import numpy as np
import pytest
from scipy.special import expit, logit

from training.metrics import METRICS, Predicted
from training.validation.units import SUMMARISED, measure_unit, summarise_units

# fmt: off
Y = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0], dtype=np.float64)
P = np.array([.81, .30, .55, .62, .41, .22, .48, .60, .73, .35, .28, .66,
              .51, .44, .57, .12, .39, .70, .64, .33, .25, .90, .45, .45])
# fmt: on


def predicted(y: np.ndarray, p: np.ndarray, floor: float = 0.5) -> Predicted:
    return Predicted(y, p, np.full(len(y), floor), np.zeros(len(y), dtype=np.intp))


def draw(n: int, seed: int, shift: float = 0.0) -> Predicted:
    rng = np.random.default_rng(seed)
    line = rng.normal(0, 1, n)
    y = (rng.random(n) < expit(line + shift)).astype(np.float64)
    return predicted(y, expit(line))


def test_figures_and_errors_equal_those_of_r() -> None:
    metrics = measure_unit("a", predicted(Y, P)).metrics
    z = 1.959963984540054
    # pROC 1.18.0: auc(), var(method = "delong"); the interval is symmetric on the logit scale.
    area, error = 0.81118881119, 0.09592577316
    half = z * error / (area * (1 - area))
    assert metrics["auroc"].value == pytest.approx(area, abs=1e-9)
    assert logit(metrics["auroc"].high) == pytest.approx(logit(area) + half, abs=1e-7)
    # glm(y ~ offset(l)) and glm(y ~ l), l = qlogis(p).
    intercept, slope = metrics["calibration_intercept"], metrics["calibration_slope"]
    assert intercept.value == pytest.approx(-0.1488997430, abs=1e-6)
    assert intercept.high == pytest.approx(-0.1488997430 + z * 0.4435733307, abs=1e-6)
    assert slope.value == pytest.approx(1.7509002313, abs=1e-6)
    assert slope.low == pytest.approx(1.7509002313 - z * 0.7880247843, abs=1e-5)


def test_figures_of_a_unit_are_those_of_all_patients() -> None:
    metrics, once = measure_unit("a", predicted(Y, P)).metrics, np.ones(len(Y))
    for name in SUMMARISED:
        assert metrics[name].value == pytest.approx(METRICS[name](predicted(Y, P), once), abs=1e-6), name


@pytest.mark.parametrize("name", SUMMARISED)
def test_intervals_within_a_unit_hold_the_large_sample_value(name: str) -> None:
    truth = METRICS[name](draw(200_000, 1), np.ones(200_000))
    found = [measure_unit("a", draw(150, seed)).metrics[name] for seed in range(200)]
    # 200 draws: a share near 0.95 is known to 0.015.
    assert np.mean([e.low <= truth <= e.high for e in found]) == pytest.approx(0.95, abs=0.045)


def test_small_units_are_counted_and_not_measured() -> None:
    unit = measure_unit("tiny", predicted(Y[:12], P[:12]))
    assert (unit.patients, unit.events, dict(unit.metrics)) == (12, 7, {})


def test_all_pairs_in_order_give_a_finite_wide_interval() -> None:
    found = measure_unit("a", predicted(np.repeat([0.0, 1.0], 12), np.linspace(0.1, 0.9, 24))).metrics[
        "auroc"
    ]
    assert found.value > 0.99
    assert 0.9 < found.low < found.high < 1


def test_two_large_units_are_too_few_for_a_summary() -> None:
    units = [draw(100, 1), draw(100, 2), predicted(Y[:12], P[:12])]
    summary = summarise_units(units)
    assert (summary.used, dict(summary.mean)) == (2, {})


def test_spread_of_units_is_that_of_their_shifts() -> None:
    shifts = np.random.default_rng(3).normal(0, 0.6, 40)
    summary = summarise_units([draw(400, seed, shift) for seed, shift in enumerate(shifts)])
    tau = summary.between["calibration_intercept"]
    assert tau.value == pytest.approx(shifts.std(ddof=1), abs=0.06)
    # Ranking is the same in all units: their AUROC differ by chance alone.
    assert summary.between["auroc"].low == 0
    assert (
        summary.new_unit["calibration_intercept"].low
        < -0.8
        < 0.8
        < summary.new_unit["calibration_intercept"].high
    )


def test_a_unit_whose_classes_do_not_overlap_has_no_slope_and_is_left_out_of_its_summary() -> None:
    apart = predicted(Y, np.where(Y == 1, 0.6 + P / 3, 0.2 + P / 4))
    assert np.isnan(measure_unit("a", apart).metrics["calibration_slope"].value)
    others = [draw(80, seed) for seed in range(3)]
    with_, without = summarise_units([*others, apart]), summarise_units(others)
    assert with_.mean["calibration_slope"] == without.mean["calibration_slope"]

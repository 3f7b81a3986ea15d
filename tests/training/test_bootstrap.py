"""Intervals: whole groups, the same draws for models that are compared, and cover as stated."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from training.bootstrap import Estimate, draw_metrics, draw_weights, estimate_metrics, in_blocks, repeats_of
from training.metrics import METRICS, Predicted, log_loss


def draw(n: int, seed: int) -> Predicted:
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(0, 1, n))
    return Predicted((rng.random(n) < p).astype(np.float64), p, np.full(n, 0.5), np.zeros(n, dtype=np.intp))


def test_as_many_patients_are_drawn_as_there_are() -> None:
    weights = draw_weights(70, None, seed=1, samples=50)
    np.testing.assert_array_equal(weights.sum(axis=1), 70)
    # With replacement: about 63 of 100 patients are drawn at all.
    assert (weights > 0).mean() == pytest.approx(1 - np.exp(-1), abs=0.03)


def test_groups_are_drawn_whole() -> None:
    groups = np.random.default_rng(3).choice([2, 5, 11, 40], 60)
    weights = draw_weights(60, groups, seed=1, samples=100)
    for label in (2, 5, 11, 40):
        part = weights[:, groups == label]
        # Patients of one site are not independent: they come together or not at all.
        assert (part == part[:, :1]).all()
    first = [int(np.flatnonzero(groups == label)[0]) for label in (2, 5, 11, 40)]
    np.testing.assert_array_equal(weights[:, first].sum(axis=1), 4)


def test_the_seed_decides() -> None:
    first, again, other = (draw_weights(30, None, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_comparisons_are_paired() -> None:
    data, weights = draw(300, 1), draw_weights(300, None, 1)
    worse = replace(data, p=np.clip(data.p + 0.02, 0, 1))

    def difference(d: Predicted, w: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return log_loss(worse, w) - log_loss(d, w)

    paired = estimate_metrics([data], weights, {"d": difference})["d"]
    one, other = (estimate_metrics([d], weights, {"l": log_loss})["l"] for d in (data, worse))
    assert paired.value == pytest.approx(other.value - one.value)
    # The same patients for both: the difference is far better known than either figure.
    assert paired.high - paired.low < 0.3 * (one.high - one.low)


def test_draws_are_subtracted_sample_by_sample() -> None:
    data, weights = draw(300, 1), draw_weights(300, None, 1, 60)
    worse = replace(data, p=np.clip(data.p + 0.02, 0, 1))
    now, then = (draw_metrics([d], weights, METRICS) for d in (data, worse))
    for name, metric in METRICS.items():
        one_by_one = [metric(worse, w) - metric(data, w) for w in weights]
        difference = then[name].minus(now[name])
        np.testing.assert_allclose(difference.samples, one_by_one, atol=1e-8, err_msg=name)
        # A difference of distances may well be below 0.
        assert not difference.distance


def test_patients_may_weigh_more_than_others_before_anybody_is_drawn() -> None:
    data, weights = draw(200, 1), draw_weights(200, None, 1, 60)
    own = np.random.default_rng(2).uniform(0.5, 2, 200)
    found = draw_metrics([data], weights * own, {"brier": METRICS["brier"]}, as_is=own)["brier"]
    assert found.repeats[0] == pytest.approx(np.average((data.y - data.p) ** 2, weights=own))
    assert found.estimate().low < found.repeats[0] < found.estimate().high


def test_samples_that_are_kept_stay_in_step() -> None:
    data = Predicted(
        np.array([1.0, 0, 0, 0]), np.array([0.6, 0.3, 0.2, 0.7]), np.full(4, 0.3), np.zeros(4, dtype=np.intp)
    )
    weights = draw_weights(4, None, 1, 50)
    kept = draw_metrics([data], weights, keep_all=True)["auroc"].samples
    one_class = (weights @ data.y == 0) | (weights @ (1 - data.y) == 0)
    assert 0 < one_class.sum() < 50
    np.testing.assert_array_equal(np.isnan(kept), one_class)


def test_blocks_are_joined_in_order() -> None:
    rows = np.random.default_rng(1).random((700, 1000))
    found = in_blocks(rows, lambda block: {"sum": block.sum(axis=1), "size": np.full(len(block), len(block))})
    np.testing.assert_array_equal(found["sum"], rows.sum(axis=1))
    # More than one block, or nothing was joined.
    assert found["size"].max() < 700


def test_figures_are_means_over_the_repeats() -> None:
    first, second = draw(200, 1), draw(200, 1)
    second = replace(second, p=expit(np.random.default_rng(8).normal(size=200)))
    weights = draw_weights(200, None, 1, samples=20)
    both = estimate_metrics([first, second], weights)
    for name in METRICS:
        each = [METRICS[name](data, np.ones(200)) for data in (first, second)]
        assert both[name].value == pytest.approx(np.mean(each)), name


def test_intervals_cover_the_true_figure() -> None:
    truth = log_loss(draw(400_000, 99), np.ones(400_000))
    covered = []
    for seed in range(100):
        found = estimate_metrics([draw(200, seed)], draw_weights(200, None, seed, 200), {"l": log_loss})["l"]
        assert found.low <= found.value <= found.high
        covered.append(found.low <= truth <= found.high)
    # 95 of 100, give or take 3 standard errors of 2.2.
    assert np.mean(covered) >= 0.88


def test_samples_without_a_class_are_left_out() -> None:
    data = Predicted(
        np.array([1.0, 0, 0]), np.array([0.3, 0.6, 0.2]), np.full(3, 0.3), np.zeros(3, dtype=np.intp)
    )
    found = estimate_metrics([data], draw_weights(3, None, 1))
    assert all(np.isfinite([e.low, e.high]).all() for e in found.values())


def test_one_class_only_has_no_interval() -> None:
    data = Predicted(np.zeros(5), np.full(5, 0.1), np.full(5, 0.1), np.zeros(5, dtype=np.intp))
    found = estimate_metrics([data], draw_weights(5, None, 1), {"l": log_loss})["l"]
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()


def test_repeats_are_in_one_order_and_without_patients_lacking_an_endpoint() -> None:
    table = pd.DataFrame(
        {
            "repeat": [0, 0, 0, 1, 1, 1],
            "patient": [2, 0, 1, 1, 2, 0],
            "observed": [1.0, 0.0, np.nan, np.nan, 1.0, 0.0],
            "probability": [0.2, 0.0, 0.1, 0.11, 0.21, 0.01],
            "candidate_prevalence": 0.5,
            "parameters": [3.0, 4.0, 3.0, 5.0, 5.0, 5.0],
            "fold": [0, 1, 0, 1, 1, 0],
        }
    )
    first, second = repeats_of(table)
    np.testing.assert_array_equal(first.y, [0, 1])
    np.testing.assert_array_equal(second.y, first.y)
    np.testing.assert_array_equal(first.p, [0.0, 0.2])
    np.testing.assert_array_equal(second.p, [0.01, 0.21])
    np.testing.assert_array_equal(first.fold, [1, 0])
    assert (first.parameters, second.parameters) == (3.5, 5.0)


def test_an_estimate_is_written_with_its_interval() -> None:
    assert str(Estimate(0.12345, 0.1, 0.25)) == "0.123 (0.100 to 0.250)"

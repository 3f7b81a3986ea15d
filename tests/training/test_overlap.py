"""What folds add by learning from each other's patients: by formula, by what stays 0, and as it really is."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from training.bootstrap import Draws, draw_metrics, draw_weights, estimate_metrics
from training.intervals import find_interval
from training.metrics import METRICS, Predicted
from training.overlap import overlap_errors

FOLDS, PARAMETERS = 5, 7.0


@cache
def predicted(n: int = 4000, spread: float = 1.0) -> Predicted:
    rng = np.random.default_rng(1)
    p = expit(rng.normal(0.2, spread, n))
    y = (rng.random(n) < p).astype(np.float64)
    return Predicted(y, p, np.full(n, 0.5), np.arange(n) % FOLDS, PARAMETERS)


def error(data: Predicted, name: str) -> float:
    metric = METRICS[name]
    found = overlap_errors([data], lambda d: {name: np.array(metric(d, np.ones(len(d.y))))})
    return float(found[name])


def test_the_error_of_the_log_loss_is_that_of_the_formula() -> None:
    data = predicted()
    r, w, n = data.y - data.p, data.p * (1 - data.p), len(data.y)
    members = [data.fold == f for f in range(FOLDS)]
    centred = r - np.array([np.average(r[m], weights=w[m]) for m in members])[data.fold]
    # Moved by d, a logit changes its loss by -r d.
    patients = (r * centred).sum() / n * np.sqrt((PARAMETERS - 1) * FOLDS / (FOLDS - 1)) / w.sum()
    off = np.array([r[m].sum() / w[m].sum() for m in members])[data.fold]
    level = (r * (off - np.average(off, weights=w))).sum() / n
    expected = np.hypot(patients, level / (FOLDS - 1) * np.sqrt(FOLDS / (FOLDS - 1)))
    assert error(data, "log_loss") == pytest.approx(expected, rel=0.01)


def test_it_shrinks_with_the_patients_and_grows_with_the_parameters() -> None:
    few, many = (replace(predicted(n), parameters=50.0) for n in (1000, 16_000))
    # The log loss's error is of the order of 1 / n, where a bootstrap's is of 1 / sqrt(n).
    assert error(many, "log_loss") == pytest.approx(error(few, "log_loss") / 16, rel=0.1)
    fewer = replace(many, parameters=1 + 49 / 4)  # one is the intercept
    assert error(many, "auroc") == pytest.approx(2 * error(fewer, "auroc"), rel=1e-6)


def test_one_model_and_models_that_learned_elsewhere_add_nothing() -> None:
    data = predicted()
    for alone in (replace(data, fold=np.zeros_like(data.fold)), replace(data, parameters=0.0)):
        for name in METRICS:
            assert error(alone, name) == 0.0, name


def test_a_model_that_says_the_same_of_everybody_has_no_ranks_to_learn() -> None:
    flat = predicted(2000, 0.0)
    assert np.ptp(flat.p) == 0
    assert error(flat, "auroc") == 0.0
    # Predictions that hardly differ can hardly have been learned, whatever number of parameters is stated.
    nearly = replace(flat, p=expit(logit(flat.p) + 0.01 * np.random.default_rng(2).normal(size=2000)))
    assert error(replace(nearly, parameters=1e6), "brier") < 1.05 * error(
        replace(nearly, parameters=3), "brier"
    )


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_the_level_of_folds_does_not_touch_ranks(name: str) -> None:
    # With the intercept alone, only levels can have been learned.
    assert error(replace(predicted(), parameters=1.0), name) == pytest.approx(0.0, abs=1e-12)
    assert error(replace(predicted(), parameters=1.0), "brier") > 0


@pytest.mark.parametrize("name", ["calibration_intercept", "o_e"])
def test_calibration_in_the_large_stays_as_it_is(name: str) -> None:
    data = predicted()
    weights = draw_weights(len(data.y), None, 1, 100)
    drawn = draw_metrics([data], weights, {name: METRICS[name]})[name]
    assert np.linalg.norm(drawn.overlap) < 0.05 * drawn.samples.std()


def test_a_part_of_the_patients_learned_as_much_from_each_other_as_it_is_of_all() -> None:
    data = predicted(20_000)
    part = data.take(np.arange(20_000) < 5_000)
    assert part.share == 0.25
    assert part.take(np.arange(1_000)).share == 0.05
    # Their chance met that of as many fewer: the error of their mean is that of all.
    part, data = (replace(people, parameters=50.0) for people in (part, data))
    assert error(part, "log_loss") == pytest.approx(error(data, "log_loss"), rel=0.1)


def test_a_part_that_is_in_some_of_the_folds_holds_fewer_pairs_that_met() -> None:
    data = predicted()
    assert error(data.take(data.fold == 1), "auroc") == 0.0
    two = data.take(data.fold < 2)
    assert two.folds == two.take(two.fold == 0).folds == FOLDS
    # Of the pairs 1 - 1 / 2 met, in models of 4 / 5 of the patients; if these were all, of 1 / 2.
    expected = np.sqrt((5 / 4) ** 2 / 2 / 2) * error(replace(two, folds=None), "auroc")
    assert error(two, "auroc") == pytest.approx(expected)


def test_plan_wise_prevalence_learns_a_parameter_a_plan() -> None:
    """Its Brier score, less what its very models score: the bootstrap misses part of how that varies."""
    rng, n, plans, sure = np.random.default_rng(8), 150, 6, np.ones(150)
    errors, drawn, added = [], [], []
    for _ in range(800):
        plan, fold = rng.integers(0, plans, n), rng.permutation(n) % FOLDS
        y = (rng.random(n) < 0.5).astype(np.float64)
        p, brier = np.empty(n), []
        for k in range(FOLDS):
            train = fold != k
            events = np.bincount(plan[train], y[train], plans)
            learned = (events + 1) / (np.bincount(plan[train], minlength=plans) + 2)
            p[~train] = learned[plan[~train]]
            brier.append(0.25 + np.mean((learned - 0.5) ** 2))
        floor = Predicted(y, p, p, fold)
        assert floor.plans == plans
        errors.append(METRICS["brier"](floor, sure) - np.mean(brier))
        drawn.append(np.var((y - p) ** 2) / n)
        added.append(error(replace(floor, parameters=floor.plans), "brier") ** 2)
    missing = np.var(errors) - np.mean(drawn)
    assert missing > 0.3 * np.var(errors)
    assert np.mean(added) == pytest.approx(missing, rel=0.35)


def test_skill_counts_what_its_floor_learned_as_if_it_were_the_model() -> None:
    data = predicted()
    floors = np.random.default_rng(4).uniform(0.35, 0.65, (FOLDS, 3))[data.fold, np.arange(len(data.y)) % 3]
    alone = replace(data, p=floors, floor=floors, parameters=3.0)
    found = overlap_errors([alone], lambda d: {"floor": np.asarray(np.mean((d.y - d.floor) ** 2))})
    assert error(alone, "brier") > 0
    assert found["floor"] == pytest.approx(error(alone, "brier"), rel=1e-3)


def test_an_interval_takes_it_in() -> None:
    samples = np.linspace(-1, 1, 4001)
    low, high = find_interval(np.array([0.0]), samples, 10**6, overlap=0.5)
    assert (low, high) == pytest.approx((-np.hypot(0.95, 0.98), np.hypot(0.95, 0.98)), abs=2e-3)


def test_what_two_models_share_cancels_in_their_difference() -> None:
    line = np.random.default_rng(1).standard_normal((2, 1, 4000))
    line[1] -= line[0] * (line[1] * line[0]).sum() / (line[0] ** 2).sum()  # unrelated to the first

    def drawn(model: float, plan: float, level: float, lines: NDArray[np.float64]) -> Draws:
        return Draws(np.zeros(1), np.zeros(9), 9, np.array([model, plan, level]), lines)

    one = drawn(0.5, 0.2, -0.1, line[0])
    assert one.minus(one).overlap == pytest.approx(0, abs=1e-8)
    # Unrelated: squares add up. What plan-wise prevalence learned, and the level of folds, is common to both.
    unrelated = one.minus(drawn(0.3, 0.2, -0.3, line[1])).overlap
    assert unrelated == pytest.approx([np.hypot(0.5, 0.3), 0, 0.2])
    # Alike: the smaller as if it were a part of the larger, no less.
    part = drawn(0.3, 0.2, -0.1, 2 * line[0])
    assert one.minus(part).overlap == pytest.approx([0.4, 0, 0])
    assert part.minus(one).overlap == pytest.approx([0.4, 0, 0])
    # Half alike: correlation 0.5.
    half = drawn(
        0.4, 0.2, -0.1, line[0] / np.linalg.norm(line[0]) + np.sqrt(3) * line[1] / np.linalg.norm(line[1])
    )
    assert one.minus(half).overlap[0] == pytest.approx(np.sqrt(0.25 + 0.16 - 0.2))


@pytest.mark.parametrize("certain", [[0], range(FOLDS)])
def test_folds_of_certain_predictions_leave_an_interval(certain: Sequence[int]) -> None:
    data = predicted(400)
    p = np.where(np.isin(data.fold, certain), (data.p > 0.5).astype(float), data.p)
    found = estimate_metrics([replace(data, p=p)], draw_weights(400, None, 1, 100))
    for name in ("auroc", "brier", "brier_skill", "log_loss", "calibration_slope", "ici", "o_e"):
        assert np.isfinite([found[name].low, found[name].high]).all(), name


def test_a_single_class_and_a_single_prediction_add_nothing() -> None:
    data = predicted(400)
    flat = replace(data, y=np.ones(400), p=np.full(400, 0.7))
    for name in ("brier", "log_loss", "scaled_brier"):
        found = error(flat, name)
        assert found == pytest.approx(0.0, abs=1e-12), name


def cross_validated(seed: int, n: int, *sizes: int) -> list[tuple[Predicted, Predicted]]:
    """Ridge by its closed form in each fold; the same models for many fresh patients.

    One for each size: of so many predictors, none of which another has.
    """
    rng = np.random.default_rng(seed)
    beta = np.concatenate([np.where(np.arange(size) < 3, 0.25, 0.0) for size in sizes])

    def people(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = rng.normal(size=(count, len(beta)))
        return x, (rng.random(count) < expit(x @ beta)).astype(np.float64)

    (x, y), (fresh, observed) = people(n), people(20_000)
    fold = np.arange(n) % FOLDS
    starts = np.cumsum([0, *sizes])
    return [_cross_validate(x[:, a:b], y, fresh[:, a:b], observed, fold) for a, b in pairwise(starts)]


def _cross_validate(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    fresh: NDArray[np.float64],
    observed: NDArray[np.float64],
    fold: NDArray[np.intp],
) -> tuple[Predicted, Predicted]:
    n, size = x.shape
    p, floor, parameters, others = np.empty(n), np.empty(n), [], []
    for k in range(FOLDS):
        train = fold != k
        columns = np.column_stack([np.ones(train.sum()), x[train]])
        penalty = np.diag([0.0, *[20.0] * size])
        b = np.zeros(size + 1)
        for _ in range(8):
            q = expit(columns @ b)
            information = (columns.T * (q * (1 - q))) @ columns
            b += np.linalg.solve(information + penalty, columns.T @ (y[train] - q) - penalty @ b)
        learned = np.linalg.solve(information + penalty, information)
        parameters.append((learned * learned.T).sum())
        p[~train], floor[~train] = expit(b[0] + x[~train] @ b[1:]), y[train].mean()
        others.append((np.full(len(fresh), y[train].mean()), expit(b[0] + fresh @ b[1:])))
    floors, answers = (np.concatenate(each) for each in zip(*others, strict=True))
    large = Predicted(np.tile(observed, FOLDS), answers, floors, np.repeat(np.arange(FOLDS), len(fresh)))
    return Predicted(y, p, floor, fold, float(np.mean(parameters))), large


@pytest.mark.slow
def test_intervals_of_differences_hold_those_of_the_models() -> None:
    """Two procedures that ask for unrelated things have learned nothing in common."""
    names = ("auroc", "brier", "log_loss")
    figures = {name: METRICS[name] for name in names}
    held: dict[str, list[bool]] = {name: [] for name in names}
    for seed in range(150):
        (one, large), (other, large_other) = cross_validated(seed, 250, 15, 15)
        weights = draw_weights(250, None, seed, 200)
        drawn, beside = (draw_metrics([data], weights, figures) for data in (one, other))
        sure = np.ones(len(large.y))
        for name, metric in figures.items():
            found = drawn[name].minus(beside[name]).estimate()
            held[name].append(found.low <= metric(large, sure) - metric(large_other, sure) <= found.high)
    share = {name: np.mean(hits) for name, hits in held.items()}
    # 95 of 100, give or take 3 standard errors of 1.8; taken for parts of each other, 86 to 90.
    assert all(0.905 <= part <= 0.995 for part in share.values()), share


@pytest.mark.slow
def test_intervals_of_a_cross_validation_hold_the_figures_of_its_models() -> None:
    names = ("auroc", "brier", "brier_skill", "log_loss", "calibration_slope")
    figures = {name: METRICS[name] for name in names}
    held: dict[str, list[tuple[bool, bool]]] = {name: [] for name in names}
    for seed in range(150):
        ((data, large),) = cross_validated(seed, 300, 15)
        weights = draw_weights(300, None, seed, 200)
        found = estimate_metrics([data], weights, figures)
        plain = estimate_metrics([replace(data, parameters=0.0)], weights, figures)
        for name, metric in figures.items():
            truth = metric(large, np.ones(len(large.y)))
            held[name].append(
                (found[name].low <= truth <= found[name].high, plain[name].low <= truth <= plain[name].high)
            )
    share = {name: np.mean(hits, axis=0) for name, hits in held.items()}
    # 95 of 100, give or take 3 standard errors of 1.8; without the overlap most are too narrow.
    assert min(now for now, _ in share.values()) >= 0.89, share
    assert np.mean([now for now, _ in share.values()]) <= 0.98, share
    for name in ("brier", "brier_skill", "log_loss"):
        assert share[name][1] < 0.89, share

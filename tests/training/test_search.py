"""Which candidate wins, and that inner test rows teach nothing."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.candidates import AVERAGE
from models.response_model import LEVEL
from tests.models.small import FILE, NAMES, small_cohort, training_set
from training.search import InnerFolds, SearchResult, _one_standard_error, make_inner_folds, search

RNG = np.random.default_rng(9)
NOISE = RNG.normal(0, 1, 400)


def losses(**means: float) -> dict[str, NDArray[np.float64]]:
    """Losses whose mean is given and whose differences from the first vary with standard deviation 1."""
    noise = (NOISE - NOISE.mean()) / NOISE.std()
    return {name: mean + i * noise for i, (name, mean) in enumerate(means.items())}


def test_the_simplest_within_one_standard_error_wins() -> None:
    # 400 patients whose losses have standard deviation 1: the best one's standard error is 0.05.
    spread = np.tile([1.0, -1.0], 200)

    def choose(ridge: float, xgboost: float) -> str:
        means = {"prevalence": 9.0, "ridge": ridge, "xgboost": xgboost}
        return _one_standard_error({name: mean + spread for name, mean in means.items()}, None)

    assert choose(ridge=1.54, xgboost=1.5) == "ridge"
    assert choose(ridge=1.56, xgboost=1.5) == "xgboost"
    assert choose(ridge=1.50, xgboost=1.56) == "ridge"


def test_nothing_that_fails_to_beat_prevalence_is_used() -> None:
    assert _one_standard_error(losses(prevalence=0.5, ridge=0.51, xgboost=0.52), None) == "prevalence"
    # Better than the floor by any margin: the floor itself is not among the simple ones that may win.
    assert _one_standard_error(losses(prevalence=0.51, ridge=0.5), None) == "ridge"


def test_patients_of_one_group_count_as_one_draw() -> None:
    groups = np.repeat(np.arange(8), 50)
    shared = np.repeat([1.0, -1, 1, -1, 1, -1, 1, -1], 50)
    given = {"prevalence": np.full(400, 9.0), "ridge": 1.7 + shared, "xgboost": 1.5 + shared}
    # By patients the best one's standard error is 0.05, by groups 1/sqrt(8) = 0.35; the excess is 0.2.
    assert _one_standard_error(given, None) == "xgboost"
    assert _one_standard_error(given, groups) == "ridge"


def inner_folds(rows: NDArray[np.float64], y: NDArray[np.float64]) -> InnerFolds:
    return make_inner_folds(FILE, rows, y, None, seed=4)


@cache
def searched(only: str | None) -> SearchResult:
    train = training_set(240)
    return search(inner_folds(train.inputs.rows, train.y), train.y, None, 4, only)


def test_what_only_names_is_used_whatever_the_others_do() -> None:
    for only in ("prevalence", "ridge", "random_forest"):
        result = searched(only)
        assert result.winner == result.choice.candidate == only
        assert set(result.choices) == {"prevalence", only}


def test_the_average_has_every_member_but_the_floor() -> None:
    result = searched(AVERAGE)
    assert result.winner == AVERAGE
    assert list(result.choice.params) == ["ridge", "elastic_net", "random_forest", "xgboost"]


def test_every_candidate_is_tried_if_the_events_allow() -> None:
    result = searched(None)
    assert tuple(result.choices) == tuple(result.losses) == NAMES
    assert result.losses[result.winner] <= result.losses["prevalence"]


def test_few_events_leave_only_the_floor_and_the_ridge_model() -> None:
    train = training_set(240)
    y = np.zeros(len(train.y))
    y[np.flatnonzero(train.y)[:12]] = 1
    result = search(inner_folds(train.inputs.rows, y), y, None, 4)
    assert set(result.choices) <= {"prevalence", "ridge", AVERAGE}
    assert "random_forest" not in result.choices


def test_pure_noise_can_end_at_prevalence() -> None:
    """With 19 events only the floor and the ridge model are tried, which keeps this quick."""
    rng = np.random.default_rng(3)
    rows = training_set(240).inputs.rows
    winners = []
    for _ in range(12):
        y = np.zeros(len(rows))
        y[rng.permutation(len(rows))[:19]] = 1
        winners.append(search(inner_folds(rows, y), y, None, 1).winner)
    assert set(winners) <= {"prevalence", "ridge"}
    # By chance alone noise helps now and then; a search that always found something would be a defect.
    assert winners.count("prevalence") >= 3


def test_the_same_seed_gives_the_same_search() -> None:
    train = training_set(240)
    folds = inner_folds(train.inputs.rows, train.y)
    first, second = (search(folds, train.y, None, 4, "xgboost") for _ in range(2))
    assert first == second


def test_inner_test_rows_do_not_reach_their_own_encoder() -> None:
    train = training_set(240)
    rows = train.inputs.rows.copy()
    folds = inner_folds(rows, train.y)
    for i, (learned_from, tested) in enumerate(folds.splits):
        changed = rows.copy()
        changed[tested, :-1] = 1e6 * (1 + np.arange(6))
        other = inner_folds(changed, train.y)
        np.testing.assert_array_equal(other.splits[i][0], learned_from)
        # What the training rows of this split look like must not depend on those that it tests.
        np.testing.assert_array_equal(other.train[i].base, folds.train[i].base)
        assert not np.array_equal(other.test[i].base, folds.test[i].base)
    whole = training_set(240).inputs.encoder.base_columns(rows[folds.splits[0][0]])
    # An encoder of all rows would give other columns: the comparison above can fail.
    assert not np.array_equal(whole[:, :5], folds.train[0].base[:, :5])


def test_bounds_of_the_verdict_come_from_the_recalibrated_predictions() -> None:
    result = searched("ridge")
    train = training_set(240)
    folds = inner_folds(train.inputs.rows, train.y)
    logits = np.empty(len(train.y))
    from models.conformal import fit_conformal
    from models.inputs import TrainingSet
    from models.response_model import fit_score

    for inputs, test, (learned_from, tested) in zip(folds.train, folds.test, folds.splits, strict=True):
        score = fit_score(TrainingSet(inputs, train.y[learned_from]), "ridge", {"ridge": {}}, 4)
        logits[tested] = score.logit(test)
    calibrated = result.choice.recalibration.apply(logits)
    assert result.choice.bounds == fit_conformal(expit(calibrated), train.y, LEVEL).at_even_odds()
    expected = np.mean(np.logaddexp(0, calibrated) - train.y * calibrated)
    assert result.losses["ridge"] == pytest.approx(expected)


def test_a_cohort_with_signal_does_not_end_at_the_floor() -> None:
    assert searched(None).winner != "prevalence"
    assert np.isfinite(list(searched(None).losses.values())).all()
    assert len(small_cohort(240).rows) == 240

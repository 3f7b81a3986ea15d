"""Splits: stratified, whole groups, and a clear word when they cannot be made."""

import numpy as np
import pytest

from features.errors import TrainingDataError
from training.folds import make_splits


def draw(n: int = 300, share: float = 0.3, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return (np.random.default_rng(seed).random(n) < share).astype(np.float64)


def test_each_row_is_tested_once_and_never_trained_on_in_its_fold() -> None:
    splits = make_splits(draw(), None, 5, seed=3)
    assert len(splits) == 5
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(300))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(300))


def test_folds_keep_the_share_of_responders() -> None:
    y = draw()
    shares = [y[test].mean() for _, test in make_splits(y, None, 5, seed=3)]
    # Stratified: a fold of 60 may be off by one patient.
    np.testing.assert_allclose(shares, y.mean(), atol=1.5 / 60)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_never_straddles_a_split(seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, 17, 300)
    splits = make_splits(draw(seed=seed), groups, 5, seed)
    for train, test in splits:
        # Patients of one site share what no predictor records: seeing some would tell about the others.
        assert set(groups[train]).isdisjoint(groups[test])
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(300))


def test_the_seed_decides() -> None:
    first, again, other = (make_splits(draw(), None, 5, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_seed_decides_with_groups_too() -> None:
    # Otherwise the repeats of a cross-validation would all be the same split.
    groups = np.random.default_rng(2).integers(0, 8, 300)
    partitions = {
        tuple(sorted(tuple(np.unique(groups[test])) for _, test in make_splits(draw(), groups, 4, seed)))
        for seed in range(6)
    }
    assert len(partitions) >= 3


@pytest.mark.parametrize(("events", "folds"), [(2, 2), (3, 3), (5, 5), (80, 5)])
def test_few_events_make_fewer_folds(events: int, folds: int) -> None:
    y = np.zeros(200)
    y[:events] = 1
    splits = make_splits(y, None, 5, seed=0)
    assert len(splits) == folds
    for train, test in splits:
        assert y[train].max() > y[train].min()
        assert y[test].sum() >= 1


def test_two_groups_make_two_folds() -> None:
    splits = make_splits(draw(), np.arange(300) % 2, 5, seed=0)
    assert len(splits) == 2


@pytest.mark.parametrize("events", [0, 1, 199, 200])
def test_fewer_than_two_of_a_class_cannot_be_split(events: int) -> None:
    y = np.zeros(200)
    y[:events] = 1
    with pytest.raises(
        TrainingDataError, match=f"cannot cross-validate: {min(events, 200 - events)} patients in the rarer"
    ):
        make_splits(y, None, 5, seed=0)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(TrainingDataError, match="and 1 groups; at least 2 of each are needed"):
        make_splits(draw(), np.zeros(300, dtype=np.intp), 5, seed=0)


def test_all_responders_in_one_group_is_said() -> None:
    groups = np.repeat(np.arange(4), 50)
    with pytest.raises(
        TrainingDataError, match=r"all patients of one class are in one group.*leave `group` out"
    ):
        make_splits((groups == 2).astype(np.float64), groups, 4, seed=0)

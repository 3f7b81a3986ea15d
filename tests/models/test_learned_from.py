"""A cohort of the fit is recognised, strangers and single patients are not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from models.care_model import CareModel
from models.learned_from import LearnedFrom
from models.storage import load_model, save_model
from tests.models.small import small_model

Known = tuple[NDArray[np.float64], NDArray[np.float64]]


def patients(n: int, seed: int) -> Known:
    """Predictors, one of them often missing, and scores before treatment."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(50, 12, n), rng.integers(3, size=n), rng.normal(3, 1, n)])
    rows[rng.random(n) < 0.3, 2] = np.nan
    return rows, rng.integers(20, 50, n).astype(np.float64)


def test_every_patient_of_the_fit_is_recognised_in_any_order_and_precision() -> None:
    rows, baseline = patients(500, 1)
    noted, order = LearnedFrom.of(rows, baseline), np.random.default_rng(2).permutation(500)
    singles = rows[order].astype(np.float32).astype(np.float64), baseline[order]
    assert noted.recognise(*singles)[:2] == (500, 500)
    # A second row of the same patient is not a second patient.
    assert noted.recognise(np.repeat(rows, 2, axis=0), np.repeat(baseline, 2))[:2] == (500, 500)


def test_minus_zero_and_another_nan_are_the_same_patient() -> None:
    odd = np.frombuffer(np.uint64(0x7FF8000000000123).tobytes(), dtype=np.float64)[0]
    noted = LearnedFrom.of(np.array([[0.0, np.nan]]), np.array([30.0]))
    assert noted.recognise(np.array([[-0.0, odd]]), np.array([30.0])).hits == 1


def test_of_strangers_as_many_are_hit_as_chance_says_and_that_is_one_in_five() -> None:
    noted = LearnedFrom.of(*patients(2000, 3))
    found = noted.recognise(*patients(20_000, 4))
    assert 0.2 < found.chance < 0.24
    assert 0.001 < binom.cdf(found.hits, found.patients, found.chance) < 0.999


def test_patients_who_are_all_alike_are_expected_again() -> None:
    rng = np.random.default_rng(5)
    rows, others = (rng.integers(2, size=(400, 2)).astype(np.float64) for _ in "ab")
    noted = LearnedFrom.of(rows, np.full(400, 30.0))
    assert noted.alike == 1
    assert noted.recognise(others, np.full(400, 30.0)).chance == 1


@pytest.mark.parametrize("n", [1, 7, 60, 2000])
def test_what_was_noted_is_possible_and_emptied_places_are_not(n: int) -> None:
    rows, baseline = patients(n, 7)
    for known in (
        (rows, baseline),
        (np.repeat(rows, 2, axis=0), np.repeat(baseline, 2)),
        (rows * 0, baseline * 0),
    ):
        assert LearnedFrom.of(*known).is_possible
    noted = LearnedFrom.of(rows, baseline)
    if n > 50:
        few = noted.taken & (np.random.default_rng(8).random(len(noted.taken)) < 0.5)
        assert not LearnedFrom(few, noted.alike).is_possible
        assert not LearnedFrom(np.zeros_like(noted.taken), 0.0).is_possible
        assert not LearnedFrom(np.ones_like(noted.taken), 0.0).is_possible


def test_it_is_saved_and_read_with_the_model(tmp_path: Path) -> None:
    noted = LearnedFrom.of(*patients(333, 6))
    digest = save_model(CareModel({"baseline": small_model("ridge")}, learned_from=noted), tmp_path / "a")
    again = load_model(tmp_path / "a", digest).learned_from
    assert again is not None
    np.testing.assert_array_equal(again.taken, noted.taken)
    assert again.alike == noted.alike
    assert save_model(CareModel({"baseline": small_model("ridge")}), tmp_path / "b") != digest

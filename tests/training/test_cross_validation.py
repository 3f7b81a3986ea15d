"""Nested cross-validation: who is predicted by what, that nothing leaks, and that it can be repeated."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.cohort_file import CohortFile
from models.response_model import OUTCOMES
from tests.models.small import NAMES, small_cohort
from training.bootstrap import draw_weights, estimate_metrics, repeats_of
from training.cross_validation import Validated, cross_validate, fit_fold, fit_model
from training.patients import Patients, make_outer_splits


@cache
def patients(n: int = 240, seed: int = 1, *, groups: bool = True) -> Patients:
    whole = Patients.from_cohort(small_cohort(n, seed))
    return whole if groups else replace(whole, groups=None)


@cache
def validated() -> Validated:
    return cross_validate(patients(), seed=3, only="ridge")


def test_each_patient_is_predicted_once_in_each_repeat_and_outcome() -> None:
    table = validated().out_of_fold
    for _, part in table.groupby(["outcome", "repeat"]):
        assert sorted(part["patient"]) == list(range(240))
    assert set(table["outcome"]) == set(OUTCOMES)
    assert set(table["repeat"]) == {0, 1}
    assert table[["probability", "low", "high"]].notna().all(axis=None)
    assert ((table["low"] < table["probability"]) & (table["probability"] < table["high"])).all()


def test_patients_without_an_endpoint_are_predicted_but_not_observed() -> None:
    table, known = validated().out_of_fold, patients().known
    assert len(known) < 240
    part = table[table["outcome"] == "response"]
    assert set(part.loc[part["observed"].notna(), "patient"]) == set(known.tolist())
    observed = part[part["repeat"] == 0].sort_values("patient")["observed"].to_numpy()
    np.testing.assert_array_equal(observed, patients().outcomes["response"])


@pytest.mark.parametrize("seed", range(4))
def test_outer_folds_never_part_a_group_nor_train_on_a_patient_without_endpoint(seed: int) -> None:
    people = patients()
    assert people.groups is not None
    seen: list[int] = []
    for train, test in make_outer_splits(people, seed):
        assert set(people.groups[train]).isdisjoint(people.groups[test])
        assert set(train) <= set(people.known.tolist())
        seen += test.tolist()
    assert sorted(seen) == list(range(240))


def test_repeats_split_differently() -> None:
    table = validated().out_of_fold
    folds = [
        part.sort_values("patient")["fold"].tolist()
        for _, part in table[table["outcome"] == "response"].groupby("repeat")
    ]
    assert folds[0] != folds[1]


def test_the_floor_is_the_prevalence_of_the_training_patients_plan() -> None:
    table, people = validated().out_of_fold, patients()
    part = table[(table["outcome"] == "response") & (table["repeat"] == 0) & (table["fold"] == 0)]
    train = np.setdiff1d(people.known, part["patient"])
    y, plans = people.outcomes["response"][train], people.rows[train, -1]
    overall = (y.sum() + 0.5) / (len(y) + 1)
    for plan in (0, 1):
        expected = (y[plans == plan].sum() + 2 * overall) / ((plans == plan).sum() + 2)
        floor = part.loc[people.rows[part["patient"], -1] == plan, "candidate_prevalence"]
        np.testing.assert_allclose(floor, expected)


def test_two_runs_with_one_seed_agree_to_the_last_digit() -> None:
    again = cross_validate(patients(), seed=3, only="ridge")
    pd.testing.assert_frame_equal(again.out_of_fold, validated().out_of_fold, check_exact=True)
    for outcome in OUTCOMES:
        ours, theirs = (v.final.model.outcomes[outcome] for v in (again, validated()))
        rows = patients().rows
        np.testing.assert_array_equal(
            ours.predict(again.final.model.inputs(rows)), theirs.predict(validated().final.model.inputs(rows))
        )
    other = cross_validate(patients(), seed=4, only="ridge").out_of_fold
    assert not np.array_equal(other["probability"], validated().out_of_fold["probability"])


@pytest.mark.slow
def test_two_runs_of_the_whole_search_with_one_seed_agree_to_the_last_digit() -> None:
    people = patients(160, 4, groups=False)
    splits = [make_outer_splits(people, 3)[:2]]
    first, second = (cross_validate(people, seed=3, splits=splits) for _ in range(2))
    pd.testing.assert_frame_equal(first.out_of_fold, second.out_of_fold, check_exact=True)
    assert first.winners == second.winners
    # Every candidate was in the race, trees too.
    assert {f"candidate_{name}" for name in NAMES} <= set(first.out_of_fold)


def with_outcomes(people: Patients, outcomes: dict[str, NDArray[np.float64]]) -> Patients:
    return replace(people, outcomes=outcomes)


@pytest.mark.parametrize("candidate", ["ridge", "xgboost", "prevalence"])
def test_outcomes_of_a_folds_test_patients_do_not_reach_their_predictions(candidate: str) -> None:
    people = patients(groups=False)
    split = make_outer_splits(people, 5)[0]
    _, test = split
    flipped = {name: y.copy() for name, y in people.outcomes.items()}
    for y in flipped.values():
        y[test] = 1 - y[test]
    honest, changed = (
        fit_fold(p, 5, candidate, 0, 0, split).table for p in (people, with_outcomes(people, flipped))
    )
    columns = ["probability", "low", "high", *(c for c in honest if str(c).startswith("candidate_"))]
    # Whatever happened to them, what was predicted for them must be the same to the last digit.
    pd.testing.assert_frame_equal(honest[columns], changed[columns], check_exact=True)
    assert not honest["observed"].equals(changed["observed"])


def test_values_of_a_folds_test_patients_do_not_reach_what_is_learned() -> None:
    people = patients(groups=False)
    split = make_outer_splits(people, 5)[0]
    _, test = split
    rows = people.rows.copy()
    rows[test[1:], :-1] = 77.0
    rows[test[1:], 1:4] = 1.0
    honest, changed = (
        fit_fold(p, 5, "ridge", 0, 0, split).table for p in (people, replace(people, rows=rows))
    )
    mine = honest["patient"] == test[0]
    # The first test patient kept its values; the others' changed wildly.
    pd.testing.assert_frame_equal(honest[mine], changed[mine], check_exact=True)
    assert not honest["probability"].equals(changed["probability"])


def test_permuted_outcomes_show_no_discrimination() -> None:
    people = patients(400, 1, groups=False)
    order = np.random.default_rng(6).permutation(people.known)
    shuffled = {name: y.copy() for name, y in people.outcomes.items()}
    for name, y in shuffled.items():
        y[people.known] = people.outcomes[name][order]
    table = cross_validate(with_outcomes(people, shuffled), seed=2, only="ridge").out_of_fold
    repeats = repeats_of(table[table["outcome"] == "response"])
    found = estimate_metrics(repeats, draw_weights(len(people.known), None, 1, 200))
    # A procedure that leaks finds skill in noise.
    assert found["auroc"].low < 0.5 < found["auroc"].high
    assert found["brier_skill"].low < 0


def test_real_signal_is_found_out_of_fold() -> None:
    # The counterpart of the test above, which could pass if nothing were ever learned.
    table = validated().out_of_fold
    repeats = repeats_of(table[table["outcome"] == "response"])
    found = estimate_metrics(repeats, draw_weights(len(patients().known), None, 1, 200))
    assert found["auroc"].low > 0.55


def test_progress_counts_every_fit() -> None:
    calls: list[tuple[int, int]] = []
    splits = [make_outer_splits(patients(), 3)[:2]]
    cross_validate(
        patients(), 3, "prevalence", splits=splits, progress=lambda done, of: calls.append((done, of))
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_the_final_model_is_that_of_the_procedure_on_all_patients() -> None:
    final, alone = validated().final.model, fit_model(patients(), 3, "ridge").model
    file: CohortFile = alone.cohort_file
    assert final.cohort_file == file
    rows = patients().rows
    for outcome in OUTCOMES:
        ours = final.outcomes[outcome].probability(final.inputs(rows))
        np.testing.assert_allclose(ours, alone.outcomes[outcome].probability(alone.inputs(rows)), atol=1e-10)

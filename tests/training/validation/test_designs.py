"""Who is held out, and from whom is learned then."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.cohort import Cohort
from features.simulation.choice import draw_site_effects
from tests.models.small import small_cohort
from tests.training.validation.cohorts import simulated
from tests.training.validation.work import do_work
from training.cross_validation import fit_fold
from training.patients import Patients, make_outer_splits
from training.validation.designs import make_design_jobs, measure_design
from training.validation.held_out import HeldOut, hold_out_folds, hold_out_groups, hold_out_periods
from training.validation.results import Design


@cache
def dated(patients: int = 400) -> Cohort:
    """The small cohort with starts over a year, in no order."""
    days = np.random.default_rng(8).integers(0, 365, patients)
    dates = np.datetime64(date(2025, 1, 1)) + days.astype("timedelta64[D]")
    return replace(small_cohort(patients), dates=dates.astype("datetime64[ns]"))


def carry_out(held: HeldOut | None, people: Patients, candidate: str = "ridge") -> dict[str, Design]:
    assert held is not None
    return measure_design(held, people, do_work(make_design_jobs(people, held, 3, candidate)), 3)


def grouped(cohort: Cohort, groups: NDArray[np.intp]) -> Cohort:
    names = tuple(f"g{i}" for i in range(int(groups.max()) + 1))
    return replace(cohort, groups=groups, group_names=names)


def test_each_group_is_predicted_from_all_others_and_from_none_of_its_own() -> None:
    cohort = small_cohort()
    people = Patients.from_cohort(cohort)
    held = hold_out_groups(cohort, people, make_outer_splits(people, 3))
    assert held is not None
    assert people.groups is not None
    (splits,) = held.splits
    assert [name for name, _ in held.units] == [cohort.group_names[people.groups[t[0]]] for _, t in splits]
    for train, test in splits:
        (group,) = set(people.groups[test])
        assert group not in people.groups[train]
        assert len(train) + len(test) == len(people.known)
    assert sorted(np.concatenate([test for _, test in splits])) == people.known.tolist()


def test_many_groups_are_held_out_in_batches_of_whole_groups() -> None:
    cohort = grouped(small_cohort(), np.arange(400, dtype=np.intp) // 4)
    people = Patients.from_cohort(cohort)
    held = hold_out_groups(cohort, people, make_outer_splits(people, 3))
    assert held is not None
    assert people.groups is not None
    assert len(held.splits[0]) == 20
    assert "in 20 batches" in held.how
    for train, test in held.splits[0]:
        assert set(people.groups[train]).isdisjoint(people.groups[test])
        # Within one outer fold, so that what was chosen there was chosen without any of them.
        assert sum(np.isin(test, fold).all() for _, fold in make_outer_splits(people, 3)) == 1
    found = carry_out(held, people)["response"]
    # Four patients say nothing by themselves: no such unit is shown, all are in the figures.
    assert found.units == ()
    assert not found.summary
    assert found.patients == len(people.known)
    assert "all units together, since only 0 of 100 have at least 10" in found.how


def test_two_groups_cannot_be_held_out_and_the_design_says_why() -> None:
    cohort = grouped(small_cohort(), (np.arange(400) % 2).astype(np.intp))
    people = Patients.from_cohort(cohort)
    found = carry_out(hold_out_groups(cohort, people, make_outer_splits(people, 3)), people)
    assert not found["response"].metrics
    assert found["response"].how.startswith("Not possible: cannot cross-validate")


def test_a_group_with_all_of_a_class_leaves_nothing_to_hold_out() -> None:
    cohort = grouped(small_cohort(), (np.arange(400) % 4).astype(np.intp))
    y = np.where(np.arange(400) % 4 == 1, cohort.response, 1.0)
    cohort = replace(cohort, response=y, remission=y)
    half = np.arange(200, dtype=np.intp)
    held = hold_out_groups(cohort, Patients.from_cohort(cohort), [(half, half + 200)])
    assert held is not None
    assert held.how.startswith("Not possible: without one of the groups, fewer than 2 patients of a class")


def test_a_unit_without_which_nothing_can_be_learned_is_lost_alone_and_named() -> None:
    people = Patients.from_cohort(small_cohort())
    known, third = people.known, len(people.known) // 3
    first, second, rest = known[:third], known[third : 2 * third], known[2 * third :]
    splits = [(first[:3], second), (np.concatenate([first, second]), rest)]
    held = HeldOut("years", "Years", "how", [splits], (("one", second), ("two", rest)))
    design = carry_out(held, people)["response"]
    assert [unit.name for unit in design.units] == ["two"]
    assert design.patients == len(rest)
    assert "; one left out: without their patients there is too little to learn from" in design.how
    assert np.isfinite(design.metrics["brier"].high)


def test_a_fold_that_cannot_be_learned_from_is_not_left_out_of_a_whole() -> None:
    people = Patients.from_cohort(small_cohort())
    half = np.arange(200, dtype=np.intp)
    few = people.known[:3]
    held = HeldOut("folds", "Folds", "how", [[(people.known[people.known >= 200], half), (few, half + 200)]])
    assert carry_out(held, people)["response"].how.startswith("Not possible: cannot cross-validate")


def test_without_groups_or_dates_there_is_no_such_design() -> None:
    cohort = replace(small_cohort(), groups=None, dates=None)
    people = Patients.from_cohort(cohort)
    assert hold_out_groups(cohort, people, ()) is None
    assert hold_out_periods(cohort, people) is None


def test_periods_are_predicted_from_the_past_alone() -> None:
    cohort = dated()
    people = Patients.from_cohort(cohort)
    held = hold_out_periods(cohort, people)
    assert held is not None
    assert cohort.dates is not None
    (splits,) = held.splits
    assert len(splits) == 5
    for (train, test), (_, unit) in zip(splits, held.units, strict=True):
        assert cohort.dates[train].max() < cohort.dates[test].min()
        np.testing.assert_array_equal(test, unit)
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 6  # days are not parted
    first = len(splits[0][0]) / len(people.known)
    assert first == pytest.approx(0.4, abs=0.02)
    assert sum(sizes) + len(splits[0][0]) == len(people.known)
    assert "those of the same site too" in held.how
    assert "from patients up to the day before it, as if their endpoints were known by then" in held.how


def test_periods_are_averaged_but_a_new_one_is_not_drawn_from_among_them() -> None:
    cohort = simulated(2000, 5)
    people = Patients.from_cohort(cohort)
    found = carry_out(hold_out_periods(cohort, people), people, "prevalence")["response"]
    assert len(found.units) == 5
    assert "auroc" in found.summary
    assert found.new_unit == {}
    assert "periods are ordered, so that no interval is given for a new one" in found.how


def test_a_patient_treated_again_is_not_learned_from() -> None:
    # Two courses of each patient, who are the groups, half a year or so apart.
    cohort = grouped(dated(), (np.arange(400) % 200).astype(np.intp))
    people = Patients.from_cohort(cohort)
    held = hold_out_periods(cohort, people)
    assert held is not None
    assert people.groups is not None
    for train, test in held.splits[0]:
        assert set(people.groups[train]).isdisjoint(people.groups[test])
    assert "too" not in held.how


def test_starts_on_one_day_leave_nothing_to_hold_out() -> None:
    cohort = small_cohort()  # all on 5 January
    people = Patients.from_cohort(cohort)
    held = hold_out_periods(cohort, people)
    assert held is not None
    assert held.how.startswith("Not possible: no 10 patients with and without response after the first 40%")
    assert not carry_out(held, people)["remission"].metrics


def test_patients_without_a_date_are_counted_and_left_out() -> None:
    cohort = dated()
    assert cohort.dates is not None
    dates = cohort.dates.copy()
    people = Patients.from_cohort(cohort)
    dates[people.known[:7]] = np.datetime64("NaT")
    held = hold_out_periods(replace(cohort, dates=dates), people)
    assert held is not None
    assert "; 7 patients without a date left out" in held.how
    everybody = np.concatenate([*held.splits[0][-1]])
    assert set(everybody).isdisjoint(people.known[:7])


def test_folds_are_those_of_the_fit() -> None:
    people = Patients.from_cohort(small_cohort())
    held = hold_out_folds(people, 3, 2)
    assert [len(folds) for folds in held.splits] == [5, 5]
    assert "2 times with other folds, no site parted" in held.how
    assert held.units == ()


def test_intervals_take_in_what_folds_learn_from_each_other_and_periods_do_not() -> None:
    cohort = dated()
    people = Patients.from_cohort(cohort)
    width = {}
    for held in (hold_out_folds(people, 3, 1), hold_out_periods(cohort, people)):
        assert held is not None
        table = do_work(make_design_jobs(people, held, 3, "ridge"))
        designs = [
            measure_design(replace(held, mutual=mutual), people, table, 3)["response"]
            for mutual in (held.mutual, True, False)
        ]
        width[held.key] = [one.metrics["brier"].high - one.metrics["brier"].low for one in designs]
        told = ["learn from each other" in one.how for one in designs]
        assert told == [held.mutual, True, False]
    folds, periods = width["nested_cv"], width["leave_period_out"]
    assert folds[0] == folds[1] > folds[2]
    assert periods[0] == periods[2] < periods[1]


@pytest.mark.slow
def test_the_logged_choice_of_a_fold_gives_what_its_whole_search_gives() -> None:
    # Nested validation of a version leans on it: the search is not run a second time.
    people = Patients.from_cohort(small_cohort(240))
    split = hold_out_folds(people, 3, 1).splits[0][1]
    searched = fit_fold(people, 3, None, 0, 1, split)
    chosen = fit_fold(people, 3, searched.winners, 0, 1, split)
    columns = ["outcome", "patient", "probability", "low", "high", "candidate_prevalence"]
    pd.testing.assert_frame_equal(searched.table[columns], chosen.table[columns], check_exact=True)


def test_site_spread_of_a_simulated_cohort_is_found() -> None:
    # 2,000 patients at 12 sites whose effects on the logit are drawn with an SD of 0.45.
    cohort = simulated(2000, 3)
    people = Patients.from_cohort(cohort)
    found = carry_out(hold_out_groups(cohort, people, make_outer_splits(people, 3)), people, "prevalence")[
        "response"
    ]
    assert len(found.units) == 12
    assert sum(unit.patients for unit in found.units) == found.patients
    tau = found.between["calibration_intercept"]
    assert tau.low < 0.45 < tau.high
    # The twelve drawn: their own spread is known from the seed.
    assert tau.value == pytest.approx(draw_site_effects(12, 3).std(ddof=1), abs=0.15)
    new = found.new_unit["calibration_intercept"]
    assert new.high - new.low > 2 * 1.96 * 0.45


def test_a_drift_shows_in_the_periods_and_not_without_one() -> None:
    intercepts = {}
    for drift in (0.0, 2.0):
        cohort = simulated(2000, 5, drift)
        people = Patients.from_cohort(cohort)
        found = carry_out(hold_out_periods(cohort, people), people, "prevalence")["response"]
        intercepts[drift] = found.metrics["calibration_intercept"].value
        assert len(found.units) == 5
    # The periods held out lie half a calendar after the patients learned from, in the mean: about 1 in truth.
    assert intercepts[2.0] > 0.45
    assert abs(intercepts[0.0]) < 0.2

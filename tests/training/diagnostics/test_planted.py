"""Planted faults are found and named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.training.diagnostics import planted
from tests.training.diagnostics.planted import Planted

PLANTED: list[tuple[str, Callable[[], Planted], list[str]]] = [
    ("noisy copy of the endpoint", lambda: planted.noisy_copy(6.0), ["separates_outcome:inventory"]),
    (
        "noisy copy that is never missing",
        lambda: planted.noisy_copy(6.0, complete=True),
        ["separates_outcome:inventory", "after_landmark:inventory"],
    ),
    ("faint copy", lambda: planted.noisy_copy(15.0, 2000, complete=True), ["separates_outcome:inventory"]),
    (
        "score of week 4 at baseline",
        planted.week_4_at_baseline,
        [
            "after_landmark:madrs_week_4",
            "separates_outcome:madrs_week_4",
            "missing_with_endpoint:madrs_week_4",
        ],
    ),
    ("score of week 2 at baseline", planted.week_2_at_baseline, ["after_landmark:madrs_week_2"]),
    ("id by outcome", planted.id_by_outcome, ["id_tells_outcome:patient_id"]),
    ("record number by outcome", planted.record_number, ["identifier:record_number"]),
    ("patients twice", planted.duplicated, ["duplicates:rows"]),
    ("patients at two sites", lambda: planted.duplicated(moved=True), ["duplicates:rows"]),
]
NAMES = [name for name, _, _ in PLANTED]


@pytest.mark.parametrize(("make", "expected"), [p[1:] for p in PLANTED], ids=NAMES)
def test_planted_fault_is_found_and_named(make: Callable[[], Planted], expected: list[str]) -> None:
    severe = {f"{f.check}:{f.where}" for f in make().findings() if f.severe}
    assert severe >= set(expected)
    # Nothing but the planted column is accused.
    assert {name.split(":")[1] for name in severe} == {expected[0].split(":")[1]}


def test_leaks_do_not_hide_each_other() -> None:
    case = planted.noisy_copy(4.0, complete=True)
    copies = [case.table["inventory"] + shift for shift in range(3)]
    for number, values in enumerate(copies):
        case = planted.with_column(case, f"other_{number}", values)
    # Four leaks, and hardly another predictor to compare them with.
    few = case.text.split("[predictors.")
    kept = [part for part in few if part.startswith(("inventory", "other_", "sex"))]
    text = "[predictors.".join(
        [few[0].replace('[landmarks]\norder = ["baseline", "day_1", "week_2"]', ""), *kept]
    )
    found = Planted(text, case.table).findings()
    accused = {f.where for f in found if f.check == "separates_outcome" and f.severe}
    assert accused == {"inventory", "other_0", "other_1", "other_2"}


def test_findings_tell_no_patients_values() -> None:
    for make in (planted.week_4_at_baseline, planted.record_number, planted.duplicated):
        case = make()
        said = " ".join(f"{f.where} {f.evidence} {f.advice}" for f in case.findings())
        ids = set(case.table["patient_id"].astype(str))
        # Ids, dates and record numbers are what would single out a patient.
        assert not ids & set(said.replace(",", " ").split())
        assert not set(case.table["start_date"].astype(str)) & set(said.split())


def test_a_number_from_the_last_visit_is_found_by_its_gaps() -> None:
    start = planted.clean()
    noise = np.random.default_rng(1).normal(size=len(start.table))
    gone = np.isnan(planted.scores(start.table))
    case = planted.with_column(start, "pulse", np.where(gone, np.nan, noise))
    assert [(f.check, f.where) for f in case.findings() if f.severe] == [("missing_with_endpoint", "pulse")]


def test_a_value_that_is_recorded_in_responders_only_is_found_by_its_gaps() -> None:
    start = planted.clean()
    noise = np.random.default_rng(1).normal(size=len(start.table))
    responds = planted.scores(start.table) <= start.table["madrs_baseline"] / 2
    case = planted.with_column(start, "taper", np.where(responds, noise, np.nan))
    severe = {(f.check, f.where) for f in case.findings() if f.severe}
    # The values themselves are noise, and are not accused.
    assert severe == {("missingness_tells", "taper")}


def test_a_copy_of_the_endpoint_is_found_at_a_later_landmark_too() -> None:
    start = planted.clean()
    noise = np.random.default_rng(2).normal(0, 1, len(start.table))
    table = start.table.assign(madrs_week_2=np.clip(np.round(planted.scores(start.table) + noise), 0, 60))
    severe = {f.check for f in Planted(start.text, table).findings() if f.severe}
    assert severe == {"after_landmark", "separates_outcome"}


def test_a_later_time_in_the_name_than_the_landmark_is_found() -> None:
    start = planted.clean()
    text = start.text.replace('landmark = "week_2"', 'landmark = "day_1"').split("[futility]")[0]
    text = text.replace('["baseline", "day_1", "week_2"]', '["baseline", "day_1"]')
    found = [f for f in Planted(text, start.table).findings() if f.severe]
    assert [(f.check, f.where) for f in found] == [("after_landmark", "madrs_week_2")]
    assert "Its name says that it is from after day_1" in found[0].evidence


def test_a_name_alone_is_a_notice() -> None:
    start = planted.clean()
    noise = np.random.default_rng(3).normal(size=len(start.table))
    found = planted.with_column(start, "sleep_week_4", noise).findings()
    assert [(f.check, f.severe, f.where) for f in found] == [("after_landmark", False, "sleep_week_4")]


def test_a_table_sorted_by_the_endpoint_is_a_notice() -> None:
    start = planted.clean()
    table = start.table.sort_values(planted.ENDPOINT).reset_index(drop=True)
    found = Planted(start.text, table).findings()
    assert [(f.check, f.severe) for f in found] == [("row_order", False)]


def test_an_id_whose_beginning_tells_the_outcome_is_found() -> None:
    start = planted.clean()
    responds = planted.scores(start.table) <= start.table["madrs_baseline"] / 2
    ids = [f"{'RN'[not yes]}{i}" for i, yes in enumerate(responds)]
    found = Planted(start.text, start.table.assign(patient_id=ids)).findings()
    assert [f.check for f in found if f.severe] == ["id_tells_outcome"]


@pytest.mark.parametrize("digits", [20, 38, 5000])
def test_ids_are_ranked_however_many_digits_they_have(digits: int) -> None:
    # As UUIDs have; a number of so many digits fits into no array.
    start = planted.clean()
    place = np.argsort(np.argsort(np.nan_to_num(planted.scores(start.table), nan=60), kind="stable"))
    short, long = (
        Planted(start.text, start.table.assign(patient_id=[f"{head}{10**6 + i}" for i in place])).findings()
        for head in ("", "9" * (digits - 7))
    )
    assert [f.check for f in long if f.severe] == ["id_tells_outcome"]
    assert long == short


def test_ids_that_differ_in_spelling_only_are_found() -> None:
    start = planted.clean()
    ids = [f"P{i:04d}" for i in range(len(start.table))]
    ids[7], ids[400] = "p 0012", "p13"
    found = [f for f in Planted(start.text, start.table.assign(patient_id=ids)).findings() if f.severe]
    assert [f.check for f in found] == ["repeated_ids"]
    assert "4 rows share 2 ids" in found[0].evidence


def test_a_column_that_stands_for_the_site_is_a_notice() -> None:
    start = planted.clean()
    beds = start.table["site"].str[-2:].astype(int) * 10
    found = planted.with_column(start, "beds", beds).findings()
    assert {(f.check, f.severe) for f in found} == {("constant_by_group", False), ("group_shift", False)}


def test_a_column_that_one_site_never_records_is_a_notice() -> None:
    start = planted.clean()
    table = start.table.copy()
    largest = table["site"].value_counts().index[0]
    table.loc[table["site"] == largest, "smoking"] = np.nan
    found = Planted(start.text, table).findings()
    assert [(f.check, f.severe, f.where) for f in found] == [("constant_by_group", False, "smoking")]
    assert "never recorded in 1 of" in found[0].evidence


def test_a_site_that_measures_in_other_units_is_named() -> None:
    start = planted.clean()
    table = start.table.copy()
    largest = table["site"].value_counts().index[0]
    table.loc[table["site"] == largest, "bmi"] += 15
    found = Planted(start.text, table).findings()
    assert [(f.check, f.severe, f.where) for f in found] == [("group_shift", False, "bmi")]
    assert f"bmi in site {largest}" in found[0].evidence

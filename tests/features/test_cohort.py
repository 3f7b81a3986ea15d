from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.cohort import load_cohort, make_cohort, make_ids
from features.cohort_file import parse_cohort_file
from features.encoding import column_names
from features.errors import TableError, TrainingDataError
from features.schema import check_table
from features.trainable import check_trainable
from tests.features.files import COHORT, make_file, make_frame, make_table

FILE = make_file()


def test_a_cohort_holds_encoded_patients_and_their_outcomes() -> None:
    cohort = make_cohort(FILE, make_frame(madrs_end=""))
    assert cohort.rows.shape == (8, 7)
    # Odd rows fall from 30-something to 8, even rows to 28; the first has no endpoint.
    np.testing.assert_equal(cohort.response, [np.nan, 1, 0, 1, 0, 1, 0, 1])
    np.testing.assert_equal(cohort.remission, [np.nan, 1, 0, 1, 0, 1, 0, 1])
    assert cohort.groups is not None
    assert cohort.groups.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert cohort.ids.tolist() == [f"p{i}" for i in range(8)]
    assert cohort.dates is not None
    assert cohort.dates[0] == np.datetime64("2026-01-01")


def test_the_flow_counts_who_was_left_out_and_why() -> None:
    table = make_table(10)
    table["madrs_start"][:5] = ["", "0", "19.5", "20", "NA"]
    table["plan"][4:6] = ["", ""]
    table["madrs_end"][9] = ""
    cohort = make_cohort(FILE, pd.DataFrame(table))
    assert cohort.flow.rows == 10
    # Row 5 lacks both score and plan: counted once.
    assert cohort.flow.excluded == {
        "no baseline score": 2,
        "a baseline score at the scale's minimum": 1,
        "a baseline score below 20": 1,
        "no plan": 1,
    }
    assert (cohort.flow.included, cohort.flow.with_endpoint) == (5, 4)
    assert cohort.flow.included == cohort.flow.rows - sum(cohort.flow.excluded.values())
    assert cohort.ids.tolist() == ["p3", "p6", "p7", "p8", "p9"]
    assert len(cohort.rows) == len(cohort.response) == len(cohort.baseline) == 5


def test_without_a_row_id_patients_are_counted_from_zero_in_the_table() -> None:
    cohort_file = parse_cohort_file(COHORT.replace('row_id = "id"\n', ""), "small.toml")
    assert make_cohort(cohort_file, make_frame(plan="")).ids.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_ids_of_patients_to_score_follow_the_table() -> None:
    checked = check_table(FILE, make_frame(), "score")
    assert make_ids(FILE, checked).tolist() == [f"p{i}" for i in range(8)]


def test_a_table_from_which_all_are_excluded_is_refused_with_counts() -> None:
    table = make_table()
    table["madrs_start"] = [*["10"] * 6, "", ""]
    with pytest.raises(
        TrainingDataError,
        match="no patient is left of 8; excluded: 2 with no baseline score, 6 with a baseline score below 20",
    ):
        make_cohort(FILE, pd.DataFrame(table))


def test_a_cohort_is_the_same_from_csv_and_from_parquet(tmp_path: Path) -> None:
    frame = make_frame(age="", sex="NA")
    frame.to_csv(tmp_path / "cohort.csv", index=False, sep=";")
    check_table(FILE, frame, "fit").to_parquet(tmp_path / "cohort.parquet")
    csv, parquet = (load_cohort(FILE, str(tmp_path / f"cohort.{suffix}")) for suffix in ("csv", "parquet"))
    np.testing.assert_array_equal(csv.rows, parquet.rows)
    np.testing.assert_array_equal(csv.response, parquet.response)
    assert csv.ids.tolist() == parquet.ids.tolist()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cohort.csv"
    make_frame(age="12,5").to_csv(path, index=False, sep=";")
    with pytest.raises(TableError, match=r"cohort\.csv: row 1 \(id p0\), column 'age': '12,5'"):
        load_cohort(FILE, str(path))


def test_a_cohort_to_learn_from_passes() -> None:
    check_trainable(make_cohort(FILE, make_frame()))


@pytest.mark.parametrize(
    ("endpoints", "problem"),
    [
        (
            ["28"] * 8,
            "response: 0 with and 8 without, 0 with no endpoint; at least 2 with and 2 without are needed",
        ),
        (["8"] * 8, "response: 8 with and 0 without"),
        (["8"] + ["28"] * 7, "response: 1 with and 7 without"),
        ([""] * 8, "response: 0 with and 0 without, 8 with no endpoint"),
        (["8"] + ["14"] * 2 + ["28"] * 5, "remission: 1 with and 7 without"),
    ],
)
def test_fewer_than_two_of_a_class_are_refused(endpoints: list[object], problem: str) -> None:
    cohort = make_cohort(FILE, pd.DataFrame(make_table() | {"madrs_end": endpoints}))
    with pytest.raises(TrainingDataError, match=problem):
        check_trainable(cohort)


def test_only_outcomes_that_will_be_learned_are_checked() -> None:
    endpoints = ["8"] + ["14"] * 2 + ["28"] * 5
    check_trainable(make_cohort(FILE, pd.DataFrame(make_table() | {"madrs_end": endpoints})), ["response"])


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("crp", "", "column 'crp' is empty"),
        ("age", "50", "column 'age' is 50 for all patients"),
        ("pain", "no", "column 'pain' is 0 for all patients"),
        ("sex", "male", "column 'sex' is 'male' for all patients"),
        ("plan", "pill", "column 'plan' is 'pill' for all patients"),
    ],
)
def test_a_column_that_tells_nothing_is_refused(column: str, cell: str, problem: str) -> None:
    cohort = make_cohort(FILE, pd.DataFrame(make_table() | {column: [cell] * 8}))
    with pytest.raises(TrainingDataError, match=problem):
        check_trainable(cohort)


def test_a_column_that_is_empty_where_the_outcome_is_known_is_refused() -> None:
    table = make_table() | {"crp": ["1"] + [""] * 7}
    table["madrs_end"][0] = ""
    with pytest.raises(TrainingDataError, match="column 'crp' is empty"):
        check_trainable(make_cohort(FILE, pd.DataFrame(table)))


def test_a_constant_with_gaps_may_tell_something() -> None:
    # "Recorded only if present" is common in records: then the gap is the information.
    check_trainable(make_cohort(FILE, pd.DataFrame(make_table() | {"pain": ["1", ""] * 4})))


def test_all_that_is_wrong_is_listed_at_once() -> None:
    table = make_table() | {"madrs_end": ["28"] * 8, "crp": [""] * 8, "age": ["50"] * 8}
    with pytest.raises(TrainingDataError, match=r"(?s)response: .*remission: .*'age' is 50.*'crp' is empty"):
        check_trainable(make_cohort(FILE, pd.DataFrame(table)))


def test_columns_of_the_encoded_rows_have_names() -> None:
    cohort = make_cohort(FILE, make_frame())
    assert cohort.rows.shape[1] == len(column_names(FILE))

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from features.columns import MISSING_CODES
from features.errors import TableError
from features.schema import check_table, make_schema
from tests.features.files import make_file, make_frame, make_table

FILE = make_file()


def first(column: str, cell: object) -> Any:
    """Give what the first cell of a column becomes."""
    return check_table(FILE, make_frame(**{column: cell}), "fit")[column].iloc[0]


def problems_of(frame: pd.DataFrame) -> tuple[str, ...]:
    with pytest.raises(TableError, match=r"^table: ") as caught:
        check_table(FILE, frame, "fit")
    return caught.value.problems


def test_a_good_table_gets_its_types() -> None:
    checked = check_table(FILE, make_frame(), "fit")
    assert {name: str(dtype) for name, dtype in checked.dtypes.items()} == {
        "id": "str",
        "madrs_start": "float64",
        "madrs_end": "float64",
        "site": "str",
        "start": "datetime64[s]",
        "plan": "category",
        "age": "float64",
        "pain": "float64",
        "sex": "category",
        "trauma": "category",
        "crp": "float64",
        "madrs_day_1": "float64",
        "weeks": "float64",
        "relapsed": "float64",
        "maintenance": "category",
    }
    assert checked["plan"].cat.categories.tolist() == ["spray", "pill"]


def test_columns_that_the_file_does_not_name_are_left_out() -> None:
    checked = check_table(FILE, make_frame().assign(notes="free text"), "fit")
    assert "notes" not in checked.columns


@pytest.mark.parametrize(
    "code", [*sorted(MISSING_CODES - {"none"}), "NA", "N/A", "NaN", "NULL", " ", " n/a "]
)
@pytest.mark.parametrize("column", ["age", "pain", "sex", "trauma", "madrs_end", "plan", "start"])
def test_missing_codes_become_missing(column: str, code: str) -> None:
    assert pd.isna(first(column, code))


def test_a_missing_code_that_is_a_declared_level_is_a_level() -> None:
    assert first("sex", "none") == "none"
    assert pd.isna(first("trauma", "none"))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("40", 40),
        (" 40.5 ", 40.5),
        ("4e1", 40),
        (40, 40),
        (40.0, 40),
        (Decimal("40.5"), 40.5),
        (None, np.nan),
    ],
)
def test_numbers_are_read_however_they_are_stored(cell: object, value: float) -> None:
    np.testing.assert_equal(first("age", cell), value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("0", 0), ("1", 1), ("1.0", 1), ("TRUE", 1), ("False", 0), ("Yes", 1), ("no", 0), (True, 1), (0, 0)],
)
def test_binary_cells_are_read_however_they_are_written(cell: object, value: float) -> None:
    assert first("pain", cell) == value


@pytest.mark.parametrize("cell", ["2", "2.0", " 2", 2, 2.0])
def test_levels_that_are_whole_numbers_are_read_however_they_are_stored(cell: object) -> None:
    assert first("trauma", cell) == "2"


@pytest.mark.parametrize(
    "cell", ["2026-11-23", "2026-11-23T00:00", date(2026, 11, 23), pd.Timestamp(2026, 11, 23)]
)
def test_dates_are_read_however_they_are_stored(cell: object) -> None:
    assert first("start", cell) == pd.Timestamp("2026-11-23")


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("age", "12,5", "'12,5' is not allowed; allowed: a number from 18 to 100, with a decimal point"),
        ("age", "unknown?", "'unknown?' is not allowed; allowed: a number from 18 to 100"),
        ("age", "17.9", "'17.9' is not allowed; allowed: a number from 18 to 100"),
        ("age", "inf", "'inf' is not allowed; allowed: a number from 18 to 100"),
        ("age", True, "'True' is not allowed; allowed: a number from 18 to 100"),
        ("age", "40 years", "'40 years' is not allowed"),
        ("crp", "9" * 40, f"'{'9' * 40}' is not allowed; allowed: a number of ordinary size"),
        ("crp", "-Infinity", "'-Infinity' is not allowed; allowed: a number of ordinary size"),
        ("crp", "x" * 500, f"'{'x' * 57}...' is not allowed"),
        ("pain", "2", "'2' is not allowed; allowed: 0 or 1, true or false, yes or no"),
        ("sex", "Female", "'Female' is not allowed; allowed: female, male, none"),
        ("trauma", "3", "'3' is not allowed; allowed: 0, 1, 2"),
        ("trauma", "1.5", "'1.5' is not allowed; allowed: 0, 1, 2"),
        ("plan", "drip", "'drip' is not allowed; allowed: spray, pill"),
        ("madrs_end", "61", "'61' is not allowed; allowed: a number from 0 to 60"),
        ("madrs_start", "-1", "'-1' is not allowed; allowed: a number from 0 to 60"),
        ("madrs_day_1", "99", "'99' is not allowed; allowed: a number from 0 to 60"),
        ("start", "23.11.2026", "'23.11.2026' is not allowed; allowed: a date such as 2026-11-23"),
        ("site", "", "an empty cell is not allowed; allowed: a value in every row"),
    ],
)
def test_a_wrong_cell_is_named_with_row_id_column_value_and_what_is_allowed(
    column: str, cell: object, problem: str
) -> None:
    (found,) = problems_of(make_frame(**{column: cell}))
    assert found.startswith(f"row 1 (id p0), column '{column}': {problem}")


def test_ids_must_be_given_and_unique() -> None:
    table = make_table()
    table["id"][:4] = ["p7", "", " p7 ", "NA"]
    assert problems_of(pd.DataFrame(table)) == (
        "row 1, column 'id': 'p7' is not allowed; allowed: an id that no other row has",
        "row 2, column 'id': an empty cell is not allowed; allowed: a value in every row",
        "row 3, column 'id': ' p7 ' is not allowed; allowed: an id that no other row has",
        "row 4, column 'id': 'NA' is not allowed; allowed: a value in every row",
        "row 8, column 'id': 'p7' is not allowed; allowed: an id that no other row has",
    )


def test_missing_columns_are_all_named_with_the_nearest_one() -> None:
    frame = make_frame().rename(columns={"age": "Age", "madrs_end": "outcome"})
    assert problems_of(frame) == (
        "column 'madrs_end' is missing; the table has 'madrs_day_1'",
        "column 'age' is missing; the table has 'Age'",
    )


def test_duplicate_columns_are_refused() -> None:
    frame = make_frame()
    frame = pd.concat([frame, frame[["age"]]], axis=1)
    assert problems_of(frame) == ("column 'age' occurs more than once",)


def test_a_column_that_is_wrong_in_every_row_does_not_hide_the_others() -> None:
    table = make_table(200)
    table["sex"] = ["F"] * 200
    table["age"][150] = "x"
    found = problems_of(pd.DataFrame(table))
    assert len(found) == 201
    # Only 50 are printed.
    assert [problem for problem in found[:50] if problem.startswith("row 151 (id p150), column 'age'")]


def test_row_numbers_follow_the_table_whatever_its_index() -> None:
    frame = make_frame(age="x")
    frame.index = pd.Index(range(100, 108))
    assert problems_of(frame)[0].startswith("row 1 (id p0)")


def test_typed_columns_are_checked_like_texts() -> None:
    # As Parquet and databases give them: integers with gaps, booleans, times, dictionary-encoded texts.
    frame = make_frame()
    frame["age"] = pd.array([None, *range(41, 48)], dtype="Int64")
    frame["pain"] = frame["pain"] == "yes"
    frame["sex"] = frame["sex"].astype("category")
    frame["trauma"] = [np.nan, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0]
    frame["start"] = pd.to_datetime(frame["start"])
    frame["id"] = range(8)
    frame["crp"] = frame["crp"].astype("float32")
    checked = check_table(FILE, frame, "fit")
    texts = check_table(FILE, make_frame(age="", trauma=""), "fit").assign(id=list("01234567"))
    pd.testing.assert_frame_equal(checked, texts.astype({"id": "str"}))


@pytest.mark.parametrize("cell", [True, pd.Timestamp(2026, 11, 23)])
def test_typed_columns_that_are_no_numbers_are_refused(cell: object) -> None:
    frame = make_frame().assign(age=pd.Series([cell] * 8))
    assert len(problems_of(frame)) == 8


def test_scoring_needs_neither_outcome_nor_group_nor_later_predictors() -> None:
    frame = make_frame().drop(columns=["madrs_end", "site", "start", "madrs_day_1"])
    checked = check_table(FILE, frame, "score")
    assert set(checked.columns) == {"id", "plan", "age", "pain", "sex", "trauma", "madrs_start", "crp"}


def test_scoring_needs_a_plan_in_every_row() -> None:
    with pytest.raises(
        TableError,
        match=r"row 1 \(id p0\), column 'plan': an empty cell is not allowed; allowed: spray, pill",
    ):
        check_table(FILE, make_frame(plan=""), "score")
    with pytest.raises(TableError, match="column 'plan' is missing"):
        check_table(FILE, make_frame().drop(columns="plan"), "score")


def test_later_predictors_are_checked_when_scoring_if_they_are_there() -> None:
    with pytest.raises(TableError, match="column 'madrs_day_1': '99' is not allowed"):
        check_table(FILE, make_frame(madrs_day_1="99"), "score")


def test_the_schema_is_a_pandera_schema_of_the_files_columns() -> None:
    schema = make_schema(FILE, "fit")
    assert isinstance(schema, pa.DataFrameSchema)
    assert set(schema.columns) == set(make_table())


def test_the_table_given_is_not_changed() -> None:
    frame = make_frame(age="")
    before = frame.copy(deep=True)
    check_table(FILE, frame, "fit")
    pd.testing.assert_frame_equal(frame, before)

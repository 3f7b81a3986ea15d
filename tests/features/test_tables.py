import codecs
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from features.errors import TableError
from features.tables import read_table


def write(folder: Path, content: bytes, name: str = "table.csv") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, delimiter: str, encoding: str, newline: str) -> None:
    lines = [["name", "größe"], ["Zoë", "1.5"], ["Anna", ""]]
    text = newline.join(delimiter.join(cells) for cells in lines) + newline
    table = read_table(write(tmp_path, text.encode(encoding)))
    assert table.columns.tolist() == ["name", "größe"]
    # An empty cell stays a text: only the cohort file knows what means missing.
    assert table.to_numpy().tolist() == [["Zoë", "1.5"], ["Anna", ""]]


def test_big_endian_utf16_is_read(tmp_path: Path) -> None:
    content = codecs.BOM_UTF16_BE + "a\tb\n1\t2\n".encode("utf-16-be")
    assert read_table(write(tmp_path, content, "table.txt")).columns.tolist() == ["a", "b"]


def test_quoted_cells_keep_delimiters_newlines_and_quotes(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, b'"a, x","b\ny"\n"1;2","say ""no""\nor yes"\n'))
    assert table.columns.tolist() == ["a, x", "b\ny"]
    assert table.to_numpy().tolist() == [["1;2", 'say "no"\nor yes']]


def test_a_delimiter_inside_a_name_does_not_mislead(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, b"age, years;sex\n40;male\n"))
    assert table.columns.tolist() == ["age, years", "sex"]


def test_a_very_wide_table_is_read(tmp_path: Path) -> None:
    # Its header, taken as one cell by the wrong delimiters, is longer than Python's csv module accepts.
    names = ";".join(f"column_{i}" for i in range(12_000))
    values = ";".join("1" for _ in range(12_000))
    assert read_table(write(tmp_path, f"{names}\n{values}\n".encode())).shape == (1, 12_000)


def test_every_text_column_stays_text(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, b"id,n,flag,day\n007,1.0,true,2026-01-01\n"))
    assert table.to_numpy().tolist() == [["007", "1.0", "true", "2026-01-01"]]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert len(read_table(write(tmp_path, b"\na,b\n\n1,2\n\n3,4\n\n"))) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b"a,b\n", "has no rows, only column names"),
        (b"a,b,a\n1,2,3\n", "column 'a' occurs more than once"),
        (b"a, a\n1,2\n", "column 'a' occurs more than once"),
        (b"a,,b\n1,2,3\n", "column number 2 has no name"),
        (b'a,b\n"1,2\n3,4\n', "a quotation mark .* is opened and never closed"),
        ("a,b\n1,2\n".encode("utf-16-le"), "is not a text table"),
        (b"a,b\x81\n1,2\n", "is in an unknown encoding"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        read_table(write(tmp_path, content))


def test_ragged_rows_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="2 problems") as caught:
        read_table(write(tmp_path, b"a,b\n1,2\n\n3\n4,5,6\n"))
    assert caught.value.problems == ("row 2 has 1 values instead of 2", "row 3 has 3 values instead of 2")


def test_parquet_keeps_types_and_gives_an_index_back_as_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "n": [1.5, None], "flag": [True, False]}).set_index("id")
    frame.to_parquet(tmp_path / "table.parquet")
    table = read_table(str(tmp_path / "table.parquet"))
    assert sorted(table.columns) == ["flag", "id", "n"]
    assert table[["flag", "n"]].dtypes.astype(str).tolist() == ["bool", "float64"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 not really PAR1"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TableError, match="is not a Parquet file, or a damaged one"):
        read_table(write(tmp_path, content, "table.parquet"))


def test_an_unknown_type_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"is of an unknown type; allowed: \.csv, .*\.parquet"):
        read_table(write(tmp_path, b"PK", "table.xlsx"))


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read: No such file"):
        read_table(str(tmp_path / "none.csv"))


@pytest.fixture
def clinic(tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "clinic.db")
    with connection:
        connection.execute("create table visits (id text, age integer, madrs real)")
        connection.execute("insert into visits values ('a', 40, 30.5), ('b', null, 28)")
    connection.close()
    return f"sqlite:///{tmp_path / 'clinic.db'}"


def test_a_query_is_read_with_its_types(clinic: str) -> None:
    table = read_table(clinic, "select id, madrs from visits order by id")
    assert table["id"].tolist() == ["a", "b"]
    assert table["madrs"].tolist() == [30.5, 28.0]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (None, "a database needs a query"),
        ("select absent from visits", "the query failed: .*no such column: absent"),
        ("selec", "the query failed: .*syntax error"),
        ("select id, id from visits", "column 'id' occurs more than once"),
        ("select * from visits where id = 'z'", "has no rows"),
    ],
)
def test_a_query_that_gives_no_table_is_refused(clinic: str, query: str | None, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        read_table(clinic, query)


def test_a_query_for_a_file_is_refused() -> None:
    with pytest.raises(TableError, match="a query needs a database URL"):
        read_table("patients.csv", "select 1")


def test_a_missing_database_file_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no database file"):
        read_table(f"sqlite:///{tmp_path / 'none.db'}", "select 1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "nothing://reader:hush@host/clinic",
        "mssql+pyodbc://reader:hush@host/clinic?password=hush",
        "postgresql://reader:hush@host:port/clinic",
    ],
)
def test_a_password_is_never_printed(address: str) -> None:
    with pytest.raises(TableError, match=r".") as caught:
        read_table(address, "select 1")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None

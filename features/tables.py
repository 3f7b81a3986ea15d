"""Read a table from a file or a database, without guessing what its values mean."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from features.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table"]

_DELIMITERS = ",;\t|"
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_PARQUET_SUFFIXES = (".parquet", ".pq")


def read_table(data: str, query: str | None = None) -> pd.DataFrame:
    """Read a table, one row per patient.

    Parameters
    ----------
    data : str
        Path of a text table (``.csv``, ``.tsv``, ``.txt``: separated by comma, semicolon, tab or bar; UTF-8,
        UTF-16 or Windows-1252) or of a Parquet file, or an SQLAlchemy URL.
    query : str or None
        What to select; with a URL only.

    Returns
    -------
    DataFrame
        Columns of a text table are texts as they stand in it; others keep their types. Missing codes
        are left alone: only `features.schema.check_table` knows which texts are levels.

    Raises
    ------
    TableError
        If it cannot be read, is empty, or has ragged rows or columns of the same name.
    """
    if "://" in data:
        from features.database import read_query  # SQLAlchemy is only loaded for databases

        frame, origin = read_query(data, query)
    else:
        if query is not None:
            raise TableError(data, ["a query needs a database URL, such as sqlite:///clinic.db, as its data"])
        frame, origin = _read_file(Path(data)), data
    repeated = [str(name) for name, count in Counter(frame.columns).items() if count > 1]
    if repeated:
        raise TableError(origin, [f"column {name!r} occurs more than once" for name in repeated])
    if frame.empty:
        raise TableError(origin, ["has no rows, only column names" if len(frame.columns) else "is empty"])
    return frame


def _read_file(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in _TEXT_SUFFIXES + _PARQUET_SUFFIXES:
        known = ", ".join(_TEXT_SUFFIXES + _PARQUET_SUFFIXES)
        raise TableError(str(path), [f"is of an unknown type; allowed: {known}, or a database URL"])
    try:
        if suffix in _PARQUET_SUFFIXES:
            return _read_parquet(path)
        return _read_text(path.read_bytes(), str(path))
    except OSError as exc:
        raise TableError(str(path), [f"cannot be read: {exc.strerror or exc}"]) from exc


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            table = pyarrow.parquet.read_table(file)
    except pa.ArrowException as exc:
        raise TableError(str(path), ["is not a Parquet file, or a damaged one"]) from exc
    # Without pandas' own notes: a column that was an index when written is a column like any other. The
    # options keep one copy of the values in memory instead of two.
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    return frame


def _read_text(content: bytes, origin: str) -> pd.DataFrame:
    text = _decode(content, origin)
    if not text.strip():
        raise TableError(origin, ["is empty"])
    if "\0" in text:
        raise TableError(origin, ["is not a text table; save it as CSV in UTF-8"])
    # Inside quotes a quotation mark is doubled, so an odd one swallows everything that follows it.
    if text.count('"') % 2:
        raise TableError(origin, ['a quotation mark (") is opened and never closed'])
    delimiter, names = _split_header(text)
    unnamed = [str(i) for i, name in enumerate(names, start=1) if not name.strip()]
    if unnamed:
        raise TableError(origin, [f"column number {number} has no name" for number in unnamed])
    ragged: list[pyarrow.csv.InvalidRow] = []

    def note_row(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            BytesIO(text.encode("utf-8")),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),  # threads would lose the row numbers
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note_row
            ),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowException as exc:
        raise TableError(origin, [f"cannot be read as a table: {exc}"]) from exc
    if ragged:
        raise TableError(
            origin,
            # The reader counts the header as row 1; people count the first patient.
            [
                f"row {r.number - 1} has {r.actual_columns} values instead of {r.expected_columns}"
                for r in ragged
            ],
        )
    frame: pd.DataFrame = table.to_pandas()
    return frame.rename(columns=str.strip)


def _decode(content: bytes, origin: str) -> str:
    """Decode UTF-16 with its byte order mark, UTF-8 with or without one, and else Windows-1252."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError(origin, ["is in an unknown encoding; save it as CSV in UTF-8"])


def _split_header(text: str) -> tuple[str, list[str]]:
    """Take the delimiter that splits the header into most names; if in doubt, the first row into as many."""
    first_rows = {delimiter: _split_rows(text, delimiter) for delimiter in _DELIMITERS}

    def rate(delimiter: str) -> tuple[int, bool]:
        header, *rows = first_rows[delimiter]
        return len(header), all(len(row) == len(header) for row in rows)

    best = max(_DELIMITERS, key=rate)
    return best, first_rows[best][0]


def _split_rows(text: str, delimiter: str) -> list[list[str]]:
    start = text[:1_000_000].lstrip("\r\n")
    try:
        return list(islice(csv.reader(StringIO(start, newline=""), delimiter=delimiter), 2))
    except csv.Error:  # a cell of more than 100,000 characters: not this delimiter
        return [[start]]

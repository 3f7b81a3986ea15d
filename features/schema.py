"""Check a table against its cohort file, and give its columns their types."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from features.cohort_file_model import MAINTENANCE
from features.columns import parse_binary, parse_dates, parse_levels, parse_numbers, parse_texts, simplify
from features.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.cohort_file import CohortFile, Predictor

__all__ = ["Purpose", "check_table", "make_schema"]

Purpose = Literal["fit", "score"]

LARGEST = 1e15
"""Beyond it a float no longer holds every whole number and a half; no clinical measure comes near."""


def make_schema(cohort_file: CohortFile, purpose: Purpose) -> pa.DataFrameSchema:
    """Make the pandera schema of a cohort's tables.

    Parameters
    ----------
    cohort_file : CohortFile
    purpose : {"fit", "score"}
        For "fit" all columns of the file are needed. For "score" neither outcome, durability, group nor date
        are, nor predictors of later landmarks; but every patient must have a plan if the file has plans.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        Checks the cells as they were read; it changes nothing.
    """
    fit = purpose == "fit"
    checks: dict[str, list[pa.Check]] = {}
    if cohort_file.row_id:
        checks[cohort_file.row_id] = [_present(), _unique()]
    if fit:
        outcome = cohort_file.outcome
        scores = [outcome.baseline, outcome.endpoint]
        scores += cohort_file.futility.checks if cohort_file.futility else ()
        for column in scores:
            checks[column] = [_number(outcome.scale.minimum, outcome.scale.maximum)]
        if durability := cohort_file.durability:
            checks[durability.weeks] = [_number(0, None)]
            checks[durability.relapsed] = [_binary()]
            checks[durability.maintenance] = [_level(MAINTENANCE)]
        if cohort_file.group:
            checks[cohort_file.group] = [_present()]
        if cohort_file.date:
            checks[cohort_file.date] = [_date()]
    if cohort_file.plan:
        checks[cohort_file.plan.column] = [_level(cohort_file.plan_levels, required=not fit)]
    for predictor in cohort_file.predictors:
        checks.setdefault(predictor.name, []).append(_predictor(predictor))
    later = {p.name for p in cohort_file.predictors if p not in cohort_file.baseline_predictors}
    return pa.DataFrameSchema(
        {
            name: pa.Column(checks=column_checks, nullable=True, required=fit or name not in later)
            for name, column_checks in checks.items()
        },
        unique_column_names=True,
    )


def check_table(
    cohort_file: CohortFile, frame: pd.DataFrame, purpose: Purpose, *, origin: str = "table"
) -> pd.DataFrame:
    """Check a table and give its columns their types.

    Parameters
    ----------
    cohort_file : CohortFile
    frame : DataFrame
        As `features.tables.read_table` gives it, or with typed columns.
    purpose : {"fit", "score"}
        See `make_schema`.
    origin : str
        Where the table comes from, for messages.

    Returns
    -------
    DataFrame
        The columns that the schema names, rows in the same order: float64 for numbers, scores and binary
        (0 and 1), categorical with the file's levels for category, ordinal and plan, text for id and
        group, datetime64 for the date; missing codes are missing values.

    Raises
    ------
    TableError
        With every problem: row (the first patient is row 1), id, column, value and what is allowed.
    """
    schema = make_schema(cohort_file, purpose)
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise TableError(origin, [f"column {name!r} occurs more than once" for name in repeated])
    frame = frame.set_axis(pd.Index(names), axis=1)
    wanted = [name for name in schema.columns if name in names]
    cells = pd.DataFrame({name: simplify(frame[name].reset_index(drop=True)) for name in wanted}, copy=False)
    try:
        schema.validate(cells, lazy=True, inplace=True)  # checks change nothing: no need for a copy
    except SchemaErrors as exc:
        raise TableError(origin, _describe(exc.failure_cases, cells, cohort_file, names)) from exc
    return _convert(cohort_file, cells)


def _convert(cohort_file: CohortFile, cells: pd.DataFrame) -> pd.DataFrame:
    """Give checked cells their types."""
    outcome, plan = cohort_file.outcome, cohort_file.plan
    converters: dict[str | None, Callable[[pd.Series], object]] = {
        cohort_file.row_id: parse_texts,
        cohort_file.group: parse_texts,
        cohort_file.date: lambda column: parse_dates(column)[0],
        outcome.baseline: lambda column: parse_numbers(column).values,
        outcome.endpoint: lambda column: parse_numbers(column).values,
        **dict.fromkeys(
            cohort_file.futility.checks if cohort_file.futility else (),
            lambda column: parse_numbers(column).values,
        ),
        plan.column if plan else None: partial(_to_levels, levels=cohort_file.plan_levels),
    }
    if durability := cohort_file.durability:
        converters |= {
            durability.weeks: lambda column: parse_numbers(column).values,
            durability.relapsed: lambda column: parse_binary(column).values,
            durability.maintenance: partial(_to_levels, levels=MAINTENANCE),
        }
    converters |= {predictor.name: _converter(predictor) for predictor in cohort_file.predictors}
    return pd.DataFrame({name: converters[str(name)](cells[name]) for name in cells.columns}, copy=False)


def _converter(predictor: Predictor) -> Callable[[pd.Series], object]:
    if predictor.levels:
        return partial(_to_levels, levels=predictor.levels)
    parse = parse_binary if predictor.kind == "binary" else parse_numbers
    return lambda column: parse(column).values


def _to_levels(column: pd.Series, levels: tuple[str, ...]) -> pd.Categorical[str]:
    codes = np.nan_to_num(parse_levels(column, levels).values, nan=-1).astype(np.int64)
    return pd.Categorical.from_codes(codes, categories=pd.Index(levels))


def _check(allowed: str, accept: Callable[[pd.Series], object]) -> pa.Check:
    """Make a check of whole columns; its text, what is allowed, ends up in the message."""
    return pa.Check(
        lambda cells: pd.Series(accept(cells), index=cells.index, dtype=bool), error=allowed, ignore_na=False
    )


def _number(low: float | None, high: float | None) -> pa.Check:
    least, most = (-LARGEST if low is None else low), (LARGEST if high is None else high)

    def accept(cells: pd.Series) -> object:
        values, readable = parse_numbers(cells)
        return readable & (np.isnan(values) | ((values >= least) & (values <= most)))

    if high is None:
        limits = "of ordinary size" if low is None else f"of at least {low:g}"
    else:
        limits = f"from {least:g} to {high:g}"
    return _check(f"a number {limits}, with a decimal point", accept)


def _level(levels: tuple[str, ...], *, required: bool = False) -> pa.Check:
    def accept(cells: pd.Series) -> object:
        values, readable = parse_levels(cells, levels)
        return readable & ~np.isnan(values) if required else readable

    return _check(", ".join(levels), accept)


def _predictor(predictor: Predictor) -> pa.Check:
    if predictor.levels:
        return _level(predictor.levels)
    if predictor.kind == "binary":
        return _binary()
    return _number(*(predictor.valid or (None, None)))


def _binary() -> pa.Check:
    return _check("0 or 1, true or false, yes or no", lambda cells: parse_binary(cells).readable)


def _date() -> pa.Check:
    return _check("a date such as 2026-11-23", lambda cells: parse_dates(cells)[1])


def _present() -> pa.Check:
    return _check("a value in every row", lambda cells: parse_texts(cells).notna())


def _unique() -> pa.Check:
    def accept(cells: pd.Series) -> object:
        ids = parse_texts(cells)
        return ~ids.duplicated(keep=False) | ids.isna()

    return _check("an id that no other row has", accept)


def _describe(
    failures: pd.DataFrame, cells: pd.DataFrame, cohort_file: CohortFile, names: list[str]
) -> list[str]:
    """Turn pandera's failure cases into sentences, missing columns first.

    Then come up to 5 cells of each column, row by row, and then all others: one column that is wrong in every
    row must not push the mistakes of other columns off the printed list.
    """
    absent = failures["check"] == "column_in_dataframe"
    problems = [_describe_absent(str(name), names) for name in failures.loc[absent, "failure_case"]]
    # A baseline score that is also a predictor is checked twice.
    at_cells = failures[~absent].drop_duplicates(["index", "column", "check"])
    at_cells = at_cells.sort_values("index", kind="stable")
    at_cells = at_cells.iloc[np.argsort(at_cells.groupby("column").cumcount() >= 5, kind="stable")]
    given = {column: cells[column].to_numpy(object) for column in at_cells["column"].unique()}
    row_id = cohort_file.row_id if cohort_file.row_id in cells.columns else None
    ids = parse_texts(cells[row_id]).to_numpy(object) if row_id else None
    for row, column, allowed in zip(at_cells["index"], at_cells["column"], at_cells["check"], strict=True):
        value = given[column][row]
        shown = "an empty cell" if pd.isna(value) or not str(value) else repr(_shorten(str(value)))
        known = ids is not None and column != row_id and not pd.isna(ids[row])
        who = f" ({row_id} {ids[row]})" if ids is not None and known else ""
        problems.append(f"row {row + 1}{who}, column {column!r}: {shown} is not allowed; allowed: {allowed}")
    return problems


def _describe_absent(column: str, names: list[str]) -> str:
    nearest = get_close_matches(column, names, n=1)
    return f"column {column!r} is missing" + (f"; the table has {nearest[0]!r}" if nearest else "")


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."

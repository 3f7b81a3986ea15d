"""Every plan for every patient of a table, safety first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from features.cohort import make_ids
from features.columns import parse_binary, parse_numbers, simplify
from features.encoding import encode_frame
from features.errors import TableError, UserError
from features.safety import load_rules
from features.schema import check_table
from features.screening import CohortScreen
from features.tables import read_table
from models.plan_scorer import compare_plans
from models.registry import load_located, locate
from training.files import check_suffix, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from features.safety import Rule
    from features.screening import Screened
    from models.care_model import CareModel

__all__ = ["PLAN_COLUMNS", "PlansTable", "plans_table", "run_plans"]

_CHUNK: Final = 20_000  # patients at a time: bounds the memory of a large batch
_PARTS: Final = ("probability", "low", "high")
PLAN_COLUMNS: Final = (
    "plan",
    *(f"response_{part}" for part in _PARTS),
    "propensity",
    "comparable_patients",
    "sufficient",
    "difference",
    "difference_low",
    "difference_high",
    "recommended",
    "safety",
)
"""Columns after the id. Numbers are empty beside anything in `safety`; where `sufficient` is not true, there
are neither probabilities nor differences."""


class PlansTable(NamedTuple):
    """A batch's output, and the questions behind it.

    Parameters
    ----------
    table : DataFrame
        One row per patient and plan.
    unanswered : mapping of str to int
        Patients of whom a safety question is not answered, by question; all questions that were asked.
    """

    table: pd.DataFrame
    unanswered: Mapping[str, int]


def run_plans(model: str, data: str, query: str | None, out: Path) -> PlansTable:
    """Compare all plans for a table and write the result.

    Parameters
    ----------
    model : str
        See `models.registry.locate`.
    data, query : str
        See `features.tables.read_table`. A column with the name of a safety question holds its answers.
    out : Path

    Returns
    -------
    PlansTable

    Raises
    ------
    UserError
        If the model, the table or the name of the output is at fault. Nothing is written then.
    """
    check_suffix(out)
    loaded = load_located(locate(model))
    result = plans_table(loaded, read_table(data, query), origin=data if query is None else "query")
    write_table(result.table, out)
    return result


def plans_table(model: CareModel, frame: pd.DataFrame, *, origin: str = "table") -> PlansTable:
    """Compare all plans for every row of a table.

    Parameters
    ----------
    model : CareModel
    frame : DataFrame
        As `features.tables.read_table` gives it. The patients' own plan is of no account and may be absent.
    origin : str
        Where the table comes from, for messages.

    Returns
    -------
    PlansTable

    Raises
    ------
    UserError
        If the model has no plans to compare.
    TableError
        If the table is not what the cohort file says, or holds an answer that its question does not allow.
    """
    file, plan = model.cohort_file, model.cohort_file.plan
    if plan is None or model.plans is None:
        raise UserError("this version has no plans to compare; `score` predicts its patients")
    screen = CohortScreen(file)
    checked, answers = _check(file, frame.assign(**{plan.column: plan.reference}), screen, origin)
    rows = encode_frame(file, checked)
    screened = screen.screen_rows(rows, answers)
    offered, texts = _offered(screened, len(rows), len(file.plan_levels))
    chunks = [
        _compare(model, rows[start : start + _CHUNK], offered[start : start + _CHUNK])
        for start in range(0, len(rows), _CHUNK)
    ]
    table = pd.concat(chunks, ignore_index=True) if chunks else _compare(model, rows, offered)
    table["safety"] = texts.ravel()
    table.insert(0, "plan", np.tile(np.array(file.plan_levels, dtype=object), len(rows)))
    table.insert(0, file.row_id or "row", np.repeat(make_ids(file, checked), len(file.plan_levels)))
    return PlansTable(table, screened.unanswered)


def _check(
    file: CohortFile, frame: pd.DataFrame, screen: CohortScreen, origin: str
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Check the cohort's columns and the answers; one error holds all problems of both."""
    answers, problems = _read_answers(file, frame, screen)
    try:
        checked = check_table(file, frame, "score", origin=origin)
    except TableError as exc:
        raise TableError(origin, [*exc.problems, *problems]) from exc
    if problems:
        raise TableError(origin, problems)
    return checked, answers


def _read_answers(
    file: CohortFile, frame: pd.DataFrame, screen: CohortScreen
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Answers by question, from the columns that carry a question's name and are none of the cohort's."""
    own = {p.name for p in file.predictors} | {file.outcome.baseline, file.outcome.endpoint, file.row_id}
    asked = {rule.name for rule in screen.questions}
    answers: dict[str, NDArray[np.float64]] = {}
    problems: list[str] = []
    for rule in load_rules():
        if rule.name not in frame.columns or rule.name in own or isinstance(frame[rule.name], pd.DataFrame):
            continue  # a column that occurs twice is an error of the table
        cells = simplify(frame[rule.name].reset_index(drop=True))
        values, readable = parse_binary(cells) if rule.valid is None else parse_numbers(cells)
        good = readable & (np.isnan(values) | _allowed(rule, values))
        problems += [
            f"row {row + 1}, column {rule.name!r}: {str(cells.iloc[row])!r} is not allowed; "
            f"allowed: {rule.allowed}"
            for row in np.flatnonzero(~good).tolist()
        ]
        if rule.name in asked:
            answers[rule.name] = values
    return answers, problems


def _allowed(rule: Rule, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    low, high = rule.valid or (0, 1)
    allowed: NDArray[np.bool_] = (values >= low) & (values <= high) & (values == np.floor(values))
    return allowed


def _offered(screened: Screened, patients: int, plans: int) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """Which plans are offered to whom, and why the others are not, each of shape (n, n_plans)."""
    danger, against = np.full((patients, plans), "", object), np.full((patients, plans), "", object)
    for name, fires in screened.danger.items():
        _note(danger, np.broadcast_to(fires[:, None], danger.shape), name)
    for name, fires in screened.contraindications.items():
        _note(against, fires, name)
    texts = np.where(against != "", "contraindicated: " + against, "")
    texts = np.where(danger != "", "danger: " + danger, texts)  # outranks
    return (texts == "").astype(bool), texts.astype(object)


def _note(texts: NDArray[np.object_], where: NDArray[np.bool_], name: str) -> None:
    texts[where] = [f"{text}, {name}" if text else name for text in texts[where]]


def _compare(model: CareModel, rows: NDArray[np.float64], offered: NDArray[np.bool_]) -> pd.DataFrame:
    """Columns between plan and safety, plans of the first patient first."""
    found = compare_plans(model, rows, offered)
    plans = offered.shape[1]
    shown = offered.ravel()
    support = found.support
    columns: dict[str, object] = {
        f"response_{part}": found.outcomes.response[i].ravel() for i, part in enumerate(_PARTS)
    }
    columns["propensity"] = np.where(shown, support.propensity.ravel(), np.nan)
    columns["comparable_patients"] = pd.array(support.comparable.ravel(), dtype="Int64")
    columns["sufficient"] = pd.array(support.sufficient.ravel(), dtype="boolean")
    columns |= {
        name: found.outcomes.difference[i].ravel()
        for i, name in enumerate(("difference", "difference_low", "difference_high"))
    }
    columns["recommended"] = (found.recommended[:, None] == np.arange(plans)).ravel()
    table = pd.DataFrame(columns)
    table.loc[~shown, ["comparable_patients", "sufficient"]] = pd.NA
    return table

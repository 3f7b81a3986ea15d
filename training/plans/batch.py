"""Every plan for every patient of a table, safety first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from features.cohort import make_ids
from features.encoding import encode_frame
from features.errors import UserError
from features.screening import CohortScreen
from features.tables import read_table
from models.plan_scorer import compare_plans
from models.registry import load_located, locate
from training.files import check_suffix, write_table
from training.safety_columns import check_with_answers, name_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

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
    checked, answers = check_with_answers(
        file, frame.assign(**{plan.column: plan.reference}), screen, origin=origin
    )
    rows = encode_frame(file, checked)
    screened = screen.screen_rows(rows, answers)
    texts = name_blocks(screened)
    offered = (texts == "").astype(bool)
    chunks = [
        _compare(model, rows[start : start + _CHUNK], offered[start : start + _CHUNK])
        for start in range(0, len(rows), _CHUNK)
    ]
    table = pd.concat(chunks, ignore_index=True) if chunks else _compare(model, rows, offered)
    table["safety"] = texts.ravel()
    table.insert(0, "plan", np.tile(np.array(file.plan_levels, dtype=object), len(rows)))
    table.insert(0, file.row_id or "row", np.repeat(make_ids(file, checked), len(file.plan_levels)))
    return PlansTable(table, screened.unanswered)


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

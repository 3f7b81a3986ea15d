"""Answers of the safety screen in a table: columns named like a question, and what they withhold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.columns import parse_binary, parse_numbers, simplify
from features.encoding import encode_frame
from features.errors import TableError
from features.safety import load_rules
from features.schema import check_table
from features.screening import CohortScreen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from features.safety import Rule
    from features.screening import Screened

__all__ = ["check_with_answers", "name_blocks", "withhold"]


def check_with_answers(
    file: CohortFile, frame: pd.DataFrame, screen: CohortScreen, *, origin: str
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Check the cohort's columns and the answers; one error holds all problems of both.

    Parameters
    ----------
    file : CohortFile
    frame : DataFrame
        As `features.tables.read_table` gives it.
    screen : CohortScreen
        Of the same cohort.
    origin : str
        Where the table comes from, for messages.

    Returns
    -------
    checked : DataFrame
        From `features.schema.check_table`, to be predicted.
    answers : dict of str to ndarray of shape (n,)
        By question: yes as 1, NaN where not answered. Questions without a column of their own are absent; a
        column that is the cohort's is none.

    Raises
    ------
    TableError
        If a cell of either is not allowed.
    """
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


def name_blocks(screened: Screened) -> NDArray[np.object_]:
    """Name what stands against each plan.

    Parameters
    ----------
    screened : Screened

    Returns
    -------
    ndarray of shape (n, n_plans), or (n, 1) without plans
        "danger: NAMES", "contraindicated: NAMES", or empty; a danger sign outranks.
    """
    patients = len(next(iter(screened.danger.values())))
    plans = max(1, *(fires.shape[1] for fires in screened.contraindications.values()), 0)
    danger, against = (np.full((patients, plans), "", object) for _ in range(2))
    for name, fires in screened.danger.items():
        _note(danger, np.broadcast_to(fires[:, None], danger.shape), name)
    for name, fires in screened.contraindications.items():  # without plans there are none
        _note(against, fires, name)
    texts = np.where(against != "", "contraindicated: " + against, "")
    return np.where(danger != "", "danger: " + danger, texts).astype(object)


def _note(texts: NDArray[np.object_], where: NDArray[np.bool_], name: str) -> None:
    texts[where] = [f"{text}, {name}" if text else name for text in texts[where]]


def withhold(
    predictions: pd.DataFrame,
    file: CohortFile,
    checked: pd.DataFrame,
    answers: dict[str, NDArray[np.float64]],
) -> pd.DataFrame:
    """Take away every number beside a danger sign, or a contraindication of the patient's own plan.

    Parameters
    ----------
    predictions : DataFrame
        From `training.scoring.score_frame`.
    file : CohortFile
    checked : DataFrame
    answers : dict of str to ndarray
        Both from `check_with_answers`.

    Returns
    -------
    DataFrame
        The same where nothing was answered and no predictor can stand against a plan; otherwise with a last
        column `safety` that says why a row has no numbers.
    """
    screen = CohortScreen(file)
    if not len(checked) or not (answers or screen.predictors_can_block):
        return predictions
    rows = encode_frame(file, checked)
    texts = name_blocks(screen.screen_rows(rows, answers))
    own = rows[:, -1].astype(np.intp) if file.plan is not None else np.zeros(len(rows), dtype=np.intp)
    reason = texts[np.arange(len(rows)), own]
    blocked = reason != ""
    result = predictions.assign(safety=reason)
    numbers = [name for name in map(str, result) if name.endswith(("_probability", "_low", "_high"))]
    result.loc[blocked, numbers] = np.nan
    if "verdict" in result:
        result["verdict"] = result["verdict"].astype(object).where(~blocked, "")
    return result

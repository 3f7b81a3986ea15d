"""Batch predictions: a checked table in, a table of predictions out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from features.cohort import make_ids
from features.encoding import encode_frame
from features.errors import UserError
from models.response_model import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.care_model import CareModel
    from models.response_model import ResponseModel

__all__ = ["model_at", "output_columns", "score_frame"]

_CHUNK: Final = 50_000  # rows at a time: bounds the memory of a large batch


def model_at(model: CareModel, landmark: str) -> ResponseModel:
    """Give the model of a landmark.

    Parameters
    ----------
    model : CareModel
    landmark : str

    Returns
    -------
    ResponseModel

    Raises
    ------
    UserError
        If the version has no model of this landmark.
    """
    if landmark not in model.landmarks:
        known = ", ".join(model.landmarks)
        raise UserError(f"--landmark {landmark}: this version has no such landmark; it has: {known}")
    return model.landmarks[landmark]


def output_columns(model: ResponseModel, *, probabilities_only: bool = False) -> list[str]:
    """Columns of a batch's output after the id, in order.

    Parameters
    ----------
    model : ResponseModel
    probabilities_only : bool

    Returns
    -------
    list of str
    """
    plan = ["plan"] if model.cohort_file.plan is not None else []
    if probabilities_only:
        return [*plan, *(f"{name}_probability" for name in OUTCOMES)]
    parts = [f"{name}_{part}" for name in OUTCOMES for part in ("probability", "low", "high")]
    return [*plan, *parts, "verdict", "missing"]


def score_frame(
    model: ResponseModel, frame: pd.DataFrame, *, probabilities_only: bool = False
) -> pd.DataFrame:
    """Predict every row of a table that `features.schema.check_table` let through.

    Parameters
    ----------
    model : ResponseModel
    frame : DataFrame
        Typed columns, one row a patient.
    probabilities_only : bool
        Leave out intervals, verdicts and the list of missing inputs, which take longer.

    Returns
    -------
    DataFrame
        `ID, plan, response_probability, …` (see `output_columns`), in the order of the rows; the id
        is the cohort file's `row_id`, or `row` counted from 0.
    """
    rows = encode_frame(model.cohort_file, frame)
    chunks = [
        _score_rows(model, rows[start : start + _CHUNK], probabilities_only=probabilities_only)
        for start in range(0, len(rows), _CHUNK)
    ]
    result = pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame()
    result.insert(0, model.cohort_file.row_id or "row", make_ids(model.cohort_file, frame))
    if model.cohort_file.plan is not None:
        levels = pd.array(model.cohort_file.plan_levels, dtype="str")
        result.insert(1, "plan", pd.Series(levels.take(rows[:, -1].astype(np.intp))))
    return result


def _score_rows(model: ResponseModel, rows: NDArray[np.float64], *, probabilities_only: bool) -> pd.DataFrame:
    inputs = model.inputs(rows)
    table: dict[str, NDArray[np.float64] | NDArray[np.str_] | Sequence[str]] = {}
    for name in OUTCOMES:
        if probabilities_only:
            table[f"{name}_probability"] = model.outcomes[name].probability(inputs)
        else:
            predicted = model.outcomes[name].predict(inputs)
            table |= {f"{name}_{part}": predicted[i] for i, part in enumerate(("probability", "low", "high"))}
    if not probabilities_only:
        names = [predictor.name for predictor in model.cohort_file.baseline_predictors]
        bounds = model.outcomes["response"].choice.bounds
        table["verdict"] = bounds.verdicts(model.outcomes["response"].probability(inputs))
        table["missing"] = _missing_names(inputs.missing, names)
    return pd.DataFrame(table)


def _missing_names(missing: NDArray[np.bool_], names: list[str]) -> list[str]:
    """Names of each row's missing inputs, joined by a space; each pattern is written once."""
    patterns, which = np.unique(np.packbits(missing, axis=1), axis=0, return_inverse=True)
    unpacked = np.unpackbits(patterns, axis=1, count=len(names)).astype(bool)
    texts = [" ".join(name for name, gone in zip(names, row, strict=True) if gone) for row in unpacked]
    return [texts[i] for i in which.ravel()]

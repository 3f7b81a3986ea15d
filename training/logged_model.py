"""The MLflow flavour of a care model, which predicts from baseline: loaded by `mlflow.pyfunc`, no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.schema import check_table
from models.storage import load_model
from training.scoring import score_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from models.response_model import ResponseModel

__all__ = ["LOADER", "LoggedModel"]

LOADER: Final = "training.logged_model"
"""This module, by which MLflow loads what was logged."""


class LoggedModel:
    """A response model behind MLflow's `predict`.

    Parameters
    ----------
    model : ResponseModel
    """

    def __init__(self, model: ResponseModel) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Check a table of patients against the cohort file and predict it.

        Parameters
        ----------
        frame : DataFrame
            Baseline predictors and plan, named as in the cohort file. Without the row id's column, rows are
            numbered from 0.
        params : ignored

        Returns
        -------
        DataFrame
            As `python -m training score` writes it.

        Raises
        ------
        TableError
            If a value is not allowed.
        """
        row_id = self.model.cohort_file.row_id
        if row_id is not None and row_id not in frame:
            frame = frame.assign(**{row_id: [str(row) for row in range(len(frame))]})
        return score_frame(self.model, check_table(self.model.cohort_file, frame, "score"))


def _load_pyfunc(path: str) -> LoggedModel:
    """Entry point by which MLflow loads the model's folder."""
    return LoggedModel(load_model(Path(path)).baseline)

"""The model that MLflow logged, read without running anything that was logged beside it.

MLflow's own loader imports whatever module `MLmodel` names, from whatever folder it names. No digest covers
that file, and validation holds the signing key: so it is read as data, must say what `training.tracking`
writes and nothing else, and the model is read from the files that the digest covers.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Protocol

from features.errors import ArtefactError
from models.registry import FOLDER
from models.storage import load_model
from training.logged_model import LOADER, LoggedModel

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from models.registry import Located

__all__ = ["load_logged"]

_FLAVOR: Final = {"loader_module": LOADER, "data": f"data/{FOLDER}", "code": None, "streamable": False}
_UNUSED: Final = {"env", "python_version"}
"""What MLflow writes into the flavour about environments that others may build."""
_BESIDE: Final = {
    "MLmodel",
    "conda.yaml",
    "data",
    "python_env.yaml",
    "registered_model_meta",
    "requirements.txt",
}
"""What MLflow puts into the folder of a logged model."""


class Predicts(Protocol):
    """A model behind MLflow's `predict`."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predict a table of patients."""


def load_logged(located: Located) -> Predicts:
    """Load what MLflow logged, by its signature and the files of the version's digest.

    Parameters
    ----------
    located : Located

    Returns
    -------
    Predicts
        With MLflow's own check of the input against the logged signature.

    Raises
    ------
    ArtefactError
        If `MLmodel` or the folder holds anything that was not logged by a fit, or the files are not those
        that were registered.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel

    root = located.folder.parents[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's notes on its own internals
        meta = Model.load(str(root / "MLmodel"))
        _check_flavor(meta.flavors)
        _check_folder(root)
        logged = LoggedModel(load_model(located.folder, located.digest).baseline)
        wrapped: Any = PyFuncModel(model_meta=meta, model_impl=logged)  # its types allow more than tables
    answers: Predicts = wrapped
    return answers


def _check_flavor(flavors: dict[str, Any]) -> None:
    found = {name: dict(values) for name, values in flavors.items()}
    values = found.pop("python_function", {})
    stated = {key: value for key, value in values.items() if key not in _UNUSED}
    wrong = [key for key in _FLAVOR if stated.pop(key, None) != _FLAVOR[key]]
    if other := sorted([*wrong, *stated, *found]):
        raise ArtefactError(f"MLmodel was not written by a fit: {', '.join(other)}")


def _check_folder(root: Path) -> None:
    beside = sorted(path.name for path in root.iterdir() if path.name not in _BESIDE)
    beside += sorted(f"data/{path.name}" for path in (root / "data").iterdir() if path.name != FOLDER)
    if beside:
        raise ArtefactError(f"beside the logged model lies what no fit has written: {', '.join(beside)}")

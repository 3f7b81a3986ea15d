"""A response model as plain values, arrays and XGBoost's own files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb

from features.encoder import Encoder
from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.response_model import Choice, OutcomeModel, ResponseModel
from models.scores import AverageScore, LinearScore, Score, TreeScore
from models.uncertainty import Uncertainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile

__all__ = ["Arrays", "Files", "pack_model", "under", "unpack_model"]

Arrays = dict[str, "NDArray[Any]"]
Files = Mapping[str, bytes]


def pack_model(prefix: str, model: ResponseModel, folder: Path, arrays: Arrays) -> dict[str, Any]:
    """Take a model apart.

    Parameters
    ----------
    prefix : str
        Sets its arrays and files apart from those of other models.
    model : ResponseModel
    folder : Path
        Where boosters are written.
    arrays : dict of str to ndarray
        To which its arrays are added.

    Returns
    -------
    dict
        Values that JSON can write.
    """
    arrays |= {f"{prefix}-encoder/{name}": value for name, value in _learned(model.encoder).items()}
    return {name: _pack_outcome(f"{prefix}-{name}", m, folder, arrays) for name, m in model.outcomes.items()}


def unpack_model(
    prefix: str, packed: Mapping[str, Any], cohort_file: CohortFile, files: Files, arrays: Arrays
) -> ResponseModel:
    """Put a model together again.

    Parameters
    ----------
    prefix, packed, arrays
        As for `pack_model`, which gave `packed`.
    cohort_file : CohortFile
        As it is at the model's landmark.
    files : mapping of str to bytes
        What `pack_model` wrote, by name.

    Returns
    -------
    ResponseModel
    """
    encoder = Encoder(cohort_file)
    for name, value in under(f"{prefix}-encoder", arrays).items():
        setattr(encoder, name, int(value) if value.ndim == 0 else value)
    outcomes = {
        name: _unpack_outcome(f"{prefix}-{name}", part, files, arrays) for name, part in packed.items()
    }
    return ResponseModel(encoder, outcomes)


def under(prefix: str, arrays: Arrays) -> Arrays:
    """Give the arrays whose names start with the prefix and a slash, by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}


def _pack_outcome(name: str, model: OutcomeModel, folder: Path, arrays: Arrays) -> dict[str, Any]:
    choice = model.choice
    shared = model.score is model.uncertainty.centre
    centre = _pack_score(f"{name}-centre", model.uncertainty.centre, folder, arrays)
    arrays |= {
        f"{name}/uncertainty/covariance": model.uncertainty.covariance,
        f"{name}/uncertainty/missing": model.uncertainty.missing,
        f"{name}/uncertainty/contrast_covariance": model.uncertainty.contrast_covariance,
        f"{name}/uncertainty/contrast_missing": model.uncertainty.contrast_missing,
        f"{name}/uncertainty/scales": model.uncertainty.scales,
        f"{name}/uncertainty/parameters": model.uncertainty.parameters,
    }
    return {
        "candidate": choice.candidate,
        "params": choice.params,
        "recalibration": [choice.recalibration.intercept, choice.recalibration.slope],
        "bounds": [choice.bounds.response_from, choice.bounds.non_response_to],
        "score": centre if shared else _pack_score(f"{name}-score", model.score, folder, arrays),
        "centre": centre,
    }


def _unpack_outcome(name: str, packed: Mapping[str, Any], files: Files, arrays: Arrays) -> OutcomeModel:
    choice = Choice(
        packed["candidate"],
        packed["params"],
        Recalibration(*packed["recalibration"]),
        ConformalBounds(*packed["bounds"]),
    )
    centre = _unpack_score(packed["centre"], files, arrays)
    if not isinstance(centre, LinearScore):
        raise TypeError("the posterior's centre is not linear")
    own = packed["score"] != packed["centre"]
    return OutcomeModel(
        choice,
        _unpack_score(packed["score"], files, arrays) if own else centre,
        Uncertainty(centre, **under(f"{name}/uncertainty", arrays)),
    )


def _pack_score(name: str, score: Score, folder: Path, arrays: Arrays) -> dict[str, Any]:
    match score:
        case LinearScore():
            arrays[f"score/{name}"] = score.weights
            return {"kind": "linear", "name": name, "reference": score.reference}
        case TreeScore():
            score.booster.save_model(folder / f"{name}.ubj")
            return {"kind": "trees", "name": name, "reference": score.reference, "forest": score.forest}
        case AverageScore():
            members = [_pack_score(f"{name}-{i}", m, folder, arrays) for i, m in enumerate(score.members)]
            return {"kind": "average", "members": members}
    raise TypeError(f"no way to save a {type(score).__name__}")


def _unpack_score(packed: Mapping[str, Any], files: Files, arrays: Arrays) -> Score:
    match packed["kind"]:
        case "linear":
            return LinearScore(arrays[f"score/{packed['name']}"], packed["reference"])
        case "trees":
            booster = xgb.Booster(model_file=bytearray(files[f"{packed['name']}.ubj"]))
            return TreeScore(booster, packed["forest"], packed["reference"])
        case "average":
            return AverageScore(tuple(_unpack_score(m, files, arrays) for m in packed["members"]))
    raise ValueError(f"unknown kind of score: {packed['kind']}")


def _learned(encoder: Encoder) -> Arrays:
    """What fitting left on the encoder: scikit-learn's attributes that end in `_`."""
    return {name: np.asarray(value) for name, value in vars(encoder).items() if name.endswith("_")}

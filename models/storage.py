"""A model on disk: plain arrays, XGBoost's own files and the cohort file; never pickle.

A folder holds `cohort.toml` (as the data scientist wrote it), `model.json` (structure and numbers),
`arrays.npz` (read with `allow_pickle=False`), a `.ubj` file for each booster, and `manifest.json` with
the SHA-256 of every other file. The model's digest is the SHA-256 of `manifest.json`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost as xgb

from features.cohort_file import parse_cohort_file
from features.errors import ArtefactError, CohortFileError
from features.preprocessing import EncodePredictors
from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.response_model import Choice, OutcomeModel, ResponseModel
from models.scores import AverageScore, LinearScore, Score, TreeScore
from models.uncertainty import Uncertainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FORMAT", "digest_of", "load_model", "save_model"]

FORMAT: Final = 1
"""Version of the layout; a folder of another one is refused."""
_MANIFEST: Final = "manifest.json"

_UNREADABLE = (
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OSError,
    zipfile.BadZipFile,
    CohortFileError,
    xgb.core.XGBoostError,
)
"""Whatever files that are not what they should be can raise in the libraries that read them."""

Arrays = dict[str, "NDArray[Any]"]


def save_model(model: ResponseModel, folder: Path) -> str:
    """Write a model into an empty or new folder.

    Parameters
    ----------
    model : ResponseModel
    folder : Path

    Returns
    -------
    str
        The model's digest, hexadecimal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {f"encoder/{name}": value for name, value in _learned(model.encoder).items()}
    outcomes = {name: _pack_outcome(name, m, folder, arrays) for name, m in model.outcomes.items()}
    (folder / "cohort.toml").write_text(model.cohort_file.text, encoding="utf-8")
    (folder / "model.json").write_text(
        json.dumps({"format": FORMAT, "outcomes": outcomes}, indent=1, sort_keys=True), encoding="utf-8"
    )
    _write_arrays(arrays, folder / "arrays.npz")
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != _MANIFEST}
    (folder / _MANIFEST).write_text(
        json.dumps({"format": FORMAT, "files": files}, indent=1), encoding="utf-8"
    )
    return digest_of(folder)


def load_model(folder: Path, digest: str | None = None) -> ResponseModel:
    """Read a model back after checking that no file is missing, changed or foreign.

    Parameters
    ----------
    folder : Path
    digest : str, optional
        What `save_model` returned; without it the files are only held against their own manifest.

    Returns
    -------
    ResponseModel

    Raises
    ------
    ArtefactError
        If the folder is not a whole, unchanged model of this format.
    """
    _check_files(folder, digest)
    try:
        text = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        cohort_file = parse_cohort_file((folder / "cohort.toml").read_text(encoding="utf-8"), "cohort.toml")
        with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        encoder = EncodePredictors(cohort_file)
        for name, value in _under("encoder", arrays).items():
            setattr(encoder, name, int(value) if value.ndim == 0 else value)
        outcomes = {
            name: _unpack_outcome(name, packed, folder, arrays) for name, packed in text["outcomes"].items()
        }
    except _UNREADABLE as exc:
        raise ArtefactError(f"the model in {folder} cannot be read: {type(exc).__name__}: {exc}") from exc
    return ResponseModel(encoder, outcomes)


def digest_of(folder: Path) -> str:
    """Digest of a saved model: the SHA-256 of its manifest, hexadecimal.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str

    Raises
    ------
    ArtefactError
        If there is no manifest.
    """
    if not (folder / _MANIFEST).is_file():
        raise ArtefactError(f"{folder} holds no model: {_MANIFEST} is missing")
    return _sha256(folder / _MANIFEST)


def _check_files(folder: Path, digest: str | None) -> None:
    found = digest_of(folder)
    if digest is not None and found != digest:
        raise ArtefactError(
            f"the model in {folder} is not the one that was registered: its digest is {found[:12]}…, "
            f"expected {digest[:12]}…"
        )
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        stated, files = manifest["format"], dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ArtefactError(f"{folder / _MANIFEST} is not a manifest: {exc}") from exc
    if stated != FORMAT:
        raise ArtefactError(f"the model in {folder} has format {stated}; this version reads format {FORMAT}")
    for name, sha256 in files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ArtefactError(f"the model in {folder} is not whole: {name} is missing")
        if _sha256(path) != sha256:
            raise ArtefactError(f"the model in {folder} was changed after it was saved: {name}")


def _pack_outcome(name: str, model: OutcomeModel, folder: Path, arrays: Arrays) -> dict[str, Any]:
    choice = model.choice
    shared = model.score is model.uncertainty.centre
    centre = _pack_score(f"{name}-centre", model.uncertainty.centre, folder, arrays)
    arrays |= {
        f"{name}/uncertainty/covariance": model.uncertainty.covariance,
        f"{name}/uncertainty/missing": model.uncertainty.missing,
        f"{name}/uncertainty/scales": model.uncertainty.scales,
    }
    return {
        "candidate": choice.candidate,
        "params": choice.params,
        "recalibration": [choice.recalibration.intercept, choice.recalibration.slope],
        "bounds": [choice.bounds.response_from, choice.bounds.non_response_to],
        "score": centre if shared else _pack_score(f"{name}-score", model.score, folder, arrays),
        "centre": centre,
    }


def _unpack_outcome(name: str, packed: Mapping[str, Any], folder: Path, arrays: Arrays) -> OutcomeModel:
    choice = Choice(
        packed["candidate"],
        packed["params"],
        Recalibration(*packed["recalibration"]),
        ConformalBounds(*packed["bounds"]),
    )
    centre = _unpack_score(packed["centre"], folder, arrays)
    if not isinstance(centre, LinearScore):
        raise TypeError("the posterior's centre is not linear")
    own = packed["score"] != packed["centre"]
    return OutcomeModel(
        choice,
        _unpack_score(packed["score"], folder, arrays) if own else centre,
        Uncertainty(centre, **_under(f"{name}/uncertainty", arrays)),
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


def _unpack_score(packed: Mapping[str, Any], folder: Path, arrays: Arrays) -> Score:
    match packed["kind"]:
        case "linear":
            return LinearScore(arrays[f"score/{packed['name']}"], packed["reference"])
        case "trees":
            booster = xgb.Booster(model_file=folder / f"{packed['name']}.ubj")
            return TreeScore(booster, packed["forest"], packed["reference"])
        case "average":
            return AverageScore(tuple(_unpack_score(m, folder, arrays) for m in packed["members"]))
    raise ValueError(f"unknown kind of score: {packed['kind']}")


def _write_arrays(arrays: Arrays, path: Path) -> None:
    """Write what `np.load` reads; `np.savez` would put the time into the file, and so into the digest."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def _learned(encoder: EncodePredictors) -> Arrays:
    """What fitting left on the encoder: scikit-learn's attributes that end in `_`."""
    return {name: np.asarray(value) for name, value in vars(encoder).items() if name.endswith("_")}


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""A care model on disk: plain arrays, XGBoost's own files and the cohort file; never pickle.

A folder holds `cohort.toml` (as the data scientist wrote it), `model.json` (structure and numbers),
`arrays.npz` (read with `allow_pickle=False`), a `.ubj` file for each booster, and `manifest.json` with
the SHA-256 of every other file. The model's digest is the SHA-256 of `manifest.json`. The one file that may
stand beside them is `record.json`, the signed record of the validation of exactly these files.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost as xgb

from features.cohort_file import parse_cohort_file
from features.cohort_file_model import BASELINE
from features.errors import ArtefactError, CohortFileError
from models.care_model import CareModel
from models.durability import DurabilityModel
from models.learned_from import LearnedFrom
from models.packing import Arrays, pack_model, under, unpack_model
from models.plan_model import PlanModel
from models.record import RECORD_FILE
from models.stopping import StoppingRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.cohort_file import CohortFile
    from models.care_model import Part

__all__ = ["FORMAT", "digest_of", "load_model", "save_model"]

FORMAT: Final = 4
"""Version of the layout; a folder of another one is refused."""
_MANIFEST: Final = "manifest.json"
_BESIDE: Final = {_MANIFEST, RECORD_FILE}
"""Files that are no part of the model itself."""

_NOT_SEEN: Final = "-encoder/seen_"
"""Percentiles of the predictors: a category has none, which is NaN."""
_UNBOUNDED: Final = ("part-plans/groups/ranges", "part-plans/groups/threshold")
"""A category has no range of values, and a cut that parts off missing values alone lies at infinity."""

_UNREADABLE = (
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    KeyError,
    TypeError,
    ValueError,
    OSError,
    zipfile.BadZipFile,
    CohortFileError,
    xgb.core.XGBoostError,
)
"""Whatever files that are not what they should be can raise in the libraries that read them."""

_PARTS: Final[dict[str, type[Part]]] = {
    "plans": PlanModel,
    "durability": DurabilityModel,
    "stopping": StoppingRule,
    "learned_from": LearnedFrom,
}
"""Parts of a care model beside its response models, by field."""


def save_model(model: CareModel, folder: Path) -> str:
    """Write a model into an empty or new folder.

    Parameters
    ----------
    model : CareModel
    folder : Path

    Returns
    -------
    str
        The model's digest, hexadecimal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {}
    places = {name: place for place, name in enumerate(model.cohort_file.landmarks)}
    # Names of landmarks are the user's own; their places in the course are good names for files.
    landmarks = {
        name: pack_model(str(places[name]), part, folder, arrays) for name, part in model.landmarks.items()
    }
    parts = {name: _pack_part(name, getattr(model, name), arrays) for name in _PARTS}
    (folder / "cohort.toml").write_text(model.cohort_file.text, encoding="utf-8")
    text = {"format": FORMAT, "landmarks": landmarks, "parts": parts}
    (folder / "model.json").write_text(json.dumps(text, indent=1, sort_keys=True), encoding="utf-8")
    _write_arrays(arrays, folder / "arrays.npz")
    own = [path for path in sorted(folder.iterdir()) if path.name not in _BESIDE]
    files = {path.name: _sha256(path.read_bytes()) for path in own}
    (folder / _MANIFEST).write_text(
        json.dumps({"format": FORMAT, "files": files}, indent=1), encoding="utf-8"
    )
    return digest_of(folder)


def load_model(folder: Path, digest: str | None = None) -> CareModel:
    """Read a model back after checking that no file is missing, changed or foreign.

    Parameters
    ----------
    folder : Path
    digest : str, optional
        What `save_model` returned; without it the files are only held against their own manifest.

    Returns
    -------
    CareModel

    Raises
    ------
    ArtefactError
        If the folder is not a whole, unchanged model of this format.
    """
    files = _read_files(folder, digest)
    try:
        text = json.loads(files["model.json"])
        cohort_file = parse_cohort_file(files["cohort.toml"].decode(), "cohort.toml")
        with np.load(io.BytesIO(files["arrays.npz"]), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        _check_numbers(arrays, text["landmarks"])
        landmarks = {
            name: unpack_model(str(place), packed, _file_at(cohort_file, name), files, arrays)
            for place, name in enumerate(cohort_file.landmarks)
            if (packed := text["landmarks"].pop(name, None)) is not None
        }
        if BASELINE not in landmarks or text["landmarks"]:
            raise ValueError("its landmarks are not those of its cohort file")
        parts = {name: _unpack_part(name, text["parts"][name], arrays) for name in _PARTS}
    except _UNREADABLE as exc:
        raise ArtefactError(f"the model in {folder} cannot be read: {type(exc).__name__}: {exc}") from exc
    return CareModel(landmarks, **parts)


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
    return _sha256(_read_manifest(folder))


def _read_manifest(folder: Path) -> bytes:
    path = folder / _MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no model: {_MANIFEST} is missing")
    return path.read_bytes()


def _read_files(folder: Path, digest: str | None) -> dict[str, bytes]:
    """Read every file once: what is checked is what is used, whatever happens to the folder meanwhile."""
    manifest = _read_manifest(folder)
    found = _sha256(manifest)
    if digest is not None and found != digest:
        raise ArtefactError(
            f"the model in {folder} is not the one that was registered: its digest is {found[:12]}…, "
            f"expected {digest[:12]}…"
        )
    try:
        read = json.loads(manifest)
        stated, listed = read["format"], dict(read["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ArtefactError(f"{folder / _MANIFEST} is not a manifest: {exc}") from exc
    if stated != FORMAT:
        raise ArtefactError(
            f"the model in {folder} has format {stated}; this version reads format {FORMAT}: fit it again"
        )
    files = {}
    for name, sha256 in listed.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ArtefactError(f"the model in {folder} is not whole: {name} is missing")
        files[name] = path.read_bytes()
        if _sha256(files[name]) != sha256:
            raise ArtefactError(f"the model in {folder} was changed after it was saved: {name}")
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in _BESIDE | files.keys())
    if foreign:
        raise ArtefactError(f"the folder {folder} holds what is not part of its model: {foreign[0]}")
    return files


def _check_numbers(arrays: Arrays, text: object) -> None:
    """Refuse numbers that are not finite where none may be: whatever is worked out of them is none either."""
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        odd = ~np.isfinite(array)
        if name.endswith(_NOT_SEEN):
            odd &= ~np.isnan(array)
        elif name.endswith(_UNBOUNDED):
            odd &= ~np.isinf(array)
        if odd.any():
            raise ValueError(f"{name} holds numbers that are not finite")
    if not all(map(math.isfinite, _numbers(text))):
        raise ValueError("model.json holds numbers that are not finite")


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value


def _file_at(cohort_file: CohortFile, landmark: str) -> CohortFile:
    """Cohort file of a landmark's model; the baseline's is the whole file, as it was written."""
    return cohort_file if landmark == BASELINE else cohort_file.at(landmark)


def _pack_part(name: str, part: Part | None, arrays: Arrays) -> dict[str, Any] | None:
    if part is None:
        return None
    text, own = part.pack()
    arrays |= {f"part-{name}/{key}": value for key, value in own.items()}
    return text


def _unpack_part(name: str, text: dict[str, Any] | None, arrays: Arrays) -> Any:
    return None if text is None else _PARTS[name].unpack(text, under(f"part-{name}", arrays))


def _write_arrays(arrays: Arrays, path: Path) -> None:
    """Write what `np.load` reads; `np.savez` would put the time into the file, and so into the digest."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Where a saved model comes from: a folder, or a version in the MLflow registry."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from features.errors import ArtefactError, RegistryError
from models.record import LOCAL, SignedRecord, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

    from models.care_model import CareModel

__all__ = [
    "DIGEST_TAG",
    "FOLDER",
    "RECORD_TAGS",
    "Located",
    "connect",
    "load_located",
    "locate",
    "record_of",
    "tracking_uri",
]

DIGEST_TAG: Final = "artefact_digest"
FOLDER: Final = "response_model"
"""Name of the model's folder inside the logged MLflow model's `data/`."""
RECORD_TAGS: Final = {
    "text": "validation_record",
    "signature": "validation_signature",
    "key_id": "validation_key",
}
"""Tags of a version that hold its signed record, by field of `SignedRecord`."""


@dataclass(frozen=True, slots=True)
class Located:
    """A model that was found, not yet read.

    Parameters
    ----------
    name : str
        Registered name, or the folder's.
    version : str
        Registry version; `local` for a folder.
    folder : Path
    digest : str
        As recorded when the version was registered; a folder's own for a folder.
    record : SignedRecord or None
        Of its validation, not yet verified.
    """

    name: str
    version: str
    folder: Path
    digest: str
    record: SignedRecord | None = None


def tracking_uri() -> str:
    """Address of the tracking store: `MLFLOW_TRACKING_URI`, or a SQLite file in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('.mlflow/mlflow.db').absolute()}"


def connect() -> MlflowClient:
    """Open the tracking store and make sure that it answers.

    Returns
    -------
    MlflowClient

    Raises
    ------
    RegistryError
        If the store cannot be reached or read.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its default waits for minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each small file
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    uri = tracking_uri()
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
    except Exception as exc:  # MLflow raises its own, SQLAlchemy's and requests' errors
        raise RegistryError(
            f"the tracking store does not answer ({type(exc).__name__}); "
            "check MLFLOW_TRACKING_URI and that its server runs"
        ) from exc
    return client


def locate(uri: str, *, known: Located | None = None, into: Path | None = None) -> Located:
    """Find a model by folder, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Parameters
    ----------
    uri : str
    known : Located, optional
        Found before: given back, and nothing is fetched, if the registry still says the same.
    into : Path, optional
        Folder for a copy of a version's files; without it they are used where a local store has them.

    Returns
    -------
    Located

    Raises
    ------
    RegistryError
        If the store does not answer or knows no such model, version or alias.
    ArtefactError
        If the folder holds no model or the version has no digest.
    RecordError
        If the `record.json` in the folder is not one.
    """
    if not uri.startswith("models:/"):
        from models.storage import digest_of

        folder = Path(uri)
        return Located(folder.resolve().name, LOCAL, folder, digest_of(folder), read_record(folder))
    name, _, alias = uri.removeprefix("models:/").partition("@")
    if not alias:
        name, _, version = name.partition("/")
        if not version.isdigit():
            raise RegistryError(f"{uri} is not a model: write models:/NAME@ALIAS or models:/NAME/VERSION")
    client = connect()
    try:
        found = (
            client.get_model_version_by_alias(name, alias)
            if alias
            else client.get_model_version(name, version)
        )
    except Exception as exc:
        raise RegistryError(f"the registry holds no {uri}; `make mlflow` shows what it holds") from exc
    digest = found.tags.get(DIGEST_TAG)
    if not digest:
        raise ArtefactError(f"version {found.version} of {name} has no recorded digest; fit it again")
    version, record = str(found.version), record_of(found.tags)
    if known is not None and known == Located(name, version, known.folder, digest, record):
        return known
    return Located(name, version, _download(name, version, into), digest, record)


def record_of(tags: Mapping[str, str]) -> SignedRecord | None:
    """Give the record in the tags of a version, not yet verified; None without one.

    Parameters
    ----------
    tags : mapping of str to str

    Returns
    -------
    SignedRecord or None
    """
    if not any(tag in tags for tag in RECORD_TAGS.values()):
        return None
    # A part that is missing is empty, which no signature fits.
    return SignedRecord(**{name: tags.get(tag, "") for name, tag in RECORD_TAGS.items()})


def load_located(located: Located) -> CareModel:
    """Read a located model, checked against its digest.

    Parameters
    ----------
    located : Located

    Returns
    -------
    CareModel

    Raises
    ------
    ArtefactError
        If files are missing, changed or foreign.
    """
    from models.storage import load_model

    return load_model(located.folder, located.digest)


def _download(name: str, version: str, into: Path | None) -> Path:
    import mlflow

    target = None if into is None else mkdtemp(dir=into, prefix=f"version-{version}-")
    try:
        whole = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=target))
    except Exception as exc:
        raise ArtefactError(
            f"the files of version {version} of {name} cannot be fetched ({type(exc).__name__}); "
            "were they moved or deleted?"
        ) from exc
    return whole / "data" / FOLDER

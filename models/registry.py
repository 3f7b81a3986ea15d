"""Where a saved model comes from: a folder, or a version in the MLflow registry."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.errors import ArtefactError, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from models.care_model import CareModel

__all__ = ["DIGEST_TAG", "FOLDER", "Located", "connect", "load_located", "locate", "tracking_uri"]

DIGEST_TAG: Final = "artefact_digest"
FOLDER: Final = "response_model"
"""Name of the model's folder inside the logged MLflow model's `data/`."""


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
    """

    name: str
    version: str
    folder: Path
    digest: str


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


def locate(uri: str) -> Located:
    """Find a model by folder, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Parameters
    ----------
    uri : str

    Returns
    -------
    Located

    Raises
    ------
    RegistryError
        If the store does not answer or knows no such model, version or alias.
    ArtefactError
        If the folder holds no model or the version has no digest.
    """
    if not uri.startswith("models:/"):
        from models.storage import digest_of

        folder = Path(uri)
        return Located(folder.resolve().name, "local", folder, digest_of(folder))
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
    return Located(name, str(found.version), _download(name, str(found.version)), digest)


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


def _download(name: str, version: str) -> Path:
    import mlflow

    try:
        whole = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}"))
    except Exception as exc:
        raise ArtefactError(
            f"the files of version {version} of {name} cannot be fetched ({type(exc).__name__}); "
            "were they moved or deleted?"
        ) from exc
    return whole / "data" / FOLDER

"""A registered version, with what its run says of how it was made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from features.errors import ArtefactError, RegistryError, UserError
from models.registry import connect, load_located, locate
from models.response_model import OUTCOMES

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from models.care_model import CareModel
    from models.registry import Located

__all__ = ["Version", "read_champion", "read_version"]

_CHAMPION: Final = "champion"


@dataclass(frozen=True)
class Version:
    """A version that was read and whose files are those that were registered.

    Parameters
    ----------
    located : Located
    model : CareModel
    run_id : str
    data_digest : str
        Of what it was fitted on.
    seed : int
        Of the fit.
    candidate_fixed : str or None
        Candidate that the fit was told to use.
    winners : tuple of mapping of str to str
        What the search chose, by outcome, in each outer fold of the fit: all of a repeat, then of the next.
    """

    located: Located
    model: CareModel
    run_id: str
    data_digest: str
    seed: int
    candidate_fixed: str | None
    winners: tuple[Mapping[str, str], ...]


def read_version(uri: str) -> Version:
    """Read a registered version and its run.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Returns
    -------
    Version

    Raises
    ------
    UserError
        If the address is that of a folder: it does not say what it was fitted on, and on its own patients
        any overfitted model looks good.
    RegistryError
        If the store does not answer, or does not hold the version or its run.
    ArtefactError
        If files are missing, changed or foreign.
    """
    if not uri.startswith("models:/"):
        raise UserError(
            f"{uri} is a folder, which does not say what it was fitted on; validate a registered version "
            "(models:/NAME/VERSION)"
        )
    located = locate(uri)
    return _read(located, connect())


def read_champion(version: Version) -> Version | None:
    """Read the version that this one is to be compared with.

    Parameters
    ----------
    version : Version

    Returns
    -------
    Version or None
        None if there is no champion, or this version is the champion itself.

    Raises
    ------
    RegistryError, ArtefactError
        If there is one and it cannot be read.
    """
    name = version.located.name
    client = connect()
    try:
        aliases = client.get_registered_model(name).aliases
    except Exception as exc:
        raise RegistryError(f"the registry does not say which version of {name} is champion") from exc
    if str(aliases.get(_CHAMPION, version.located.version)) == version.located.version:
        return None
    champion = locate(f"models:/{name}@{_CHAMPION}")
    try:
        return _read(champion, client)
    except ArtefactError as exc:
        raise ArtefactError(
            f"version {champion.version} of {name} is @{_CHAMPION} and cannot be read, so nothing can be "
            f"compared with it: {exc}. No service can load it either; take the alias from it in MLflow"
        ) from exc


def _read(located: Located, client: MlflowClient) -> Version:
    model = load_located(located)
    try:
        run = client.get_run(str(client.get_model_version(located.name, located.version).run_id))
        digest, seed = run.data.tags["data_digest"], int(run.data.params["seed"])
        fixed = run.data.params["candidate_fixed"]
        outcomes = _load_metrics(str(run.info.run_id))["outcomes"]
        folds = {name: outcomes[name]["candidate_in_each_fold"] for name in OUTCOMES}
    except Exception as exc:  # MLflow raises its own errors; a run of another program lacks the keys
        raise RegistryError(
            f"the run of version {located.version} of {located.name} does not say how it was fitted; "
            "fit it again"
        ) from exc
    run_id = str(run.info.run_id)
    winners = tuple(dict(zip(folds, chosen, strict=True)) for chosen in zip(*folds.values(), strict=True))
    return Version(located, model, run_id, digest, seed, None if fixed == "none" else fixed, winners)


def _load_metrics(run_id: str) -> dict[str, Any]:
    import mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's notes on its own internals
        found: dict[str, Any] = mlflow.artifacts.load_dict(f"runs:/{run_id}/metrics.json")
    return found

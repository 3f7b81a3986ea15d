"""The model that is served: found once at start, then read from local files only."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.care_model import CareModel
    from models.registry import Located
    from models.scorer import Scorer

__all__ = ["Served", "find_model", "load_served", "prepare_process"]


@dataclass(frozen=True, slots=True)
class Served:
    """A loaded model with its place in the registry.

    Parameters
    ----------
    name, version : str
        As in the registry; a folder's name and `local` for a folder.
    digest : str
        SHA-256 that the files were checked against.
    model : CareModel
    scorer : Scorer
        Of the baseline.
    later : mapping of str to Scorer
        Of the later landmarks, in the order of the course.
    """

    name: str
    version: str
    digest: str
    model: CareModel
    scorer: Scorer
    later: Mapping[str, Scorer]


def find_model(uri: str) -> Located:
    """Resolve the model's address, fetch its files, and forget how that was done.

    MLflow takes seconds to import and some 200 MB that a worker never needs again. So it runs in a
    process of its own, which ends as soon as the files are on this machine. Workers get the folder and
    the digest; they never ask the registry, hence all serve the very same version even if the alias
    moves while they start.

    Parameters
    ----------
    uri : str

    Returns
    -------
    Located

    Raises
    ------
    RegistryError
        If the registry does not answer or knows no such model.
    ArtefactError
        If there are no files.
    """
    from models.registry import locate

    if not uri.startswith("models:/"):
        return locate(uri)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # "spawn": a forked child would inherit, and on exit disturb, whatever the parent has opened.
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_prepare_finder) as pool:
        located = pool.submit(locate, uri)
        _import_meanwhile()
        return located.result()


def load_served(located: Located) -> Served:
    """Read a found model, checked against its digest.

    Parameters
    ----------
    located : Located

    Returns
    -------
    Served

    Raises
    ------
    ArtefactError
        If files are missing, changed or foreign.
    """
    from models.registry import load_located
    from models.scorer import Scorer

    model = load_located(located)
    baseline, *later = (Scorer(part, landmark) for landmark, part in model.landmarks.items())
    scorers = {scorer.landmark: scorer for scorer in later}
    return Served(located.name, located.version, located.digest, model, baseline, scorers)


def _prepare_finder() -> None:
    """Fit the process that asks the registry to its one short task."""
    prepare_process()
    gc.disable()  # imports make many objects and no garbage: looking for it takes a fifth of their time


def _import_meanwhile() -> None:
    """Import what serving needs while the other process looks for the model: both take seconds."""
    for name in ("models.scorer", "models.storage", "serving.app", "uvicorn.supervisors"):
        import_module(name)


def prepare_process() -> None:
    """Fit this process to answering one patient at a time; before the model's libraries are imported.

    One thread for XGBoost: a row is too little to share, and threads that wait for each other make it
    ten times slower on a busy machine. And no pandas or pyarrow, as in the service's own install: where
    training is installed too, XGBoost and scikit-learn import them just because they are there, at 70 MB
    and a second for each worker.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("pandas", "pyarrow"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None makes an import of it fail

"""The model that is served: verified, read from local files, and made to answer once."""

from __future__ import annotations

import gc
import math
import os
import sys
from dataclasses import astuple, dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.care_model import CareModel
    from models.registry import Located
    from models.scorer import Scorer

__all__ = [
    "Served",
    "check_record",
    "import_ahead",
    "load_recorded",
    "load_served",
    "prepare_process",
    "warm_up",
]

_SIGNATURES: Final = (
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.serialization",
)


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
    validated : str
        When its validation record was signed; empty if nobody asked for one.
    """

    name: str
    version: str
    digest: str
    model: CareModel
    scorer: Scorer
    later: Mapping[str, Scorer]
    validated: str = ""


def load_served(located: Located, trusted: Path) -> Served:
    """Read a found model that a trusted record vouches for, checked against its digest.

    Parameters
    ----------
    located : Located
    trusted : Path
        Folder of the public keys whose records are believed.

    Returns
    -------
    Served

    Raises
    ------
    RecordError
        If its validation record is missing, failed, forged, signed by another key, or for other files.
    ArtefactError
        If files are missing, changed or foreign.
    """
    validated = check_record(located, trusted)
    return replace(load_recorded(located), validated=validated)


def check_record(located: Located, trusted: Path) -> str:
    """Make sure that a trusted record vouches for a found model, whose files are not read.

    Parameters
    ----------
    located : Located
    trusted : Path
        Folder of the public keys whose records are believed.

    Returns
    -------
    str
        When the record was signed, as it says.

    Raises
    ------
    RecordError
        As `load_served`; or if the keys cannot be read.
    """
    from models.record import verify_record

    values = verify_record(
        located.record, trusted=trusted, name=located.name, version=located.version, digest=located.digest
    )
    return str(values.get("time", "unknown"))


def load_recorded(located: Located) -> Served:
    """Read a found model for a prediction that it once made: against its digest, whoever vouched for it.

    Parameters
    ----------
    located : Located

    Returns
    -------
    Served
        Never to be served: `load_served` is the only way to that.

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


def warm_up(served: Served) -> None:
    """Make the first predictions: they are slow, and a model that cannot answer must not be served.

    Parameters
    ----------
    served : Served

    Raises
    ------
    ArtefactError
        If an answer is not a number: as JSON it would be null, which nobody could tell from "not asked".
    """
    import numpy as np

    from features.encoding import column_names
    from features.errors import ArtefactError

    for scorer in (served.scorer, *served.later.values()):
        columns, predictors = (
            len(column_names(scorer.cohort_file)),
            len(scorer.cohort_file.baseline_predictors),
        )
        for row in ([0.0] * columns, [math.nan] * predictors + [0.0] * (columns - predictors)):
            with np.errstate(all="ignore"):  # what goes wrong on the way is found in the answer
                answer = scorer.answer(row)
            told = [*astuple(answer.response), *astuple(answer.remission)]
            if not all(map(math.isfinite, told)):
                raise ArtefactError(
                    f"version {served.version} of {served.name} gives answers that are not numbers "
                    f"({scorer.landmark}); fit it again"
                )


def import_ahead() -> None:
    """Import what serving needs, while the watcher looks for the model: both take seconds."""
    gc.disable()  # imports make many objects and no garbage: looking for it takes a tenth of their time
    for name in ("models.scorer", "models.storage", "serving.app", "uvicorn.supervisors", *_SIGNATURES):
        import_module(name)
    gc.freeze()  # modules live as long as the process: no later search goes through them again
    gc.enable()


def prepare_process() -> None:
    """Fit this process to answering one patient at a time; before the model's libraries are imported.

    One thread for XGBoost: a row is too little to share, and threads that wait for each other make it
    ten times slower on a busy machine. And none of what only training needs: XGBoost imports pandas, pyarrow
    and scikit-learn just because they are there, at 130 MB and two seconds for each worker.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("pandas", "pyarrow", "sklearn"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None makes an import of it fail

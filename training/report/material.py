"""What a report is made of: what was logged of a version, and the model itself; never a patient's row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from features.errors import RecordError, RegistryError, UserError
from models.keys import trusted_keys
from models.record import LOCAL, changed_files, verify_record
from models.registry import connect, load_located, locate

if TYPE_CHECKING:
    from features.cohort_file import CohortFile
    from models.care_model import CareModel
    from models.registry import Located

__all__ = ["Material", "Record", "Version", "gather"]

VALIDATION: Final = "validation/validation.json"
VERDICTS: Final = "validation/gates.json"


@dataclass(frozen=True)
class Version:
    """Which model a report is of.

    Parameters
    ----------
    name, number : str
    digest : str
        Of its files.
    run_id : str
        MLflow run that made it.
    fitted : str
        When, in UTC, to the minute.
    software : mapping of str to str
        Versions of what it was fitted with.
    parameters : mapping of str to str
        Of the run.
    """

    name: str
    number: str
    digest: str
    run_id: str
    fitted: str
    software: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """The signed record of the validation, as this machine sees it.

    Parameters
    ----------
    values : mapping of str to Any
        What the record says; empty without one.
    verified : bool
        Whether its signature is by a trusted key, it is for these very files, and all gates passed.
    problem : str
        Why it was not verified; empty if it was.
    same_figures : bool
        Whether figures, verdicts and metrics in this report are those that were signed.
    """

    values: Mapping[str, Any]
    verified: bool
    problem: str
    same_figures: bool


@dataclass(frozen=True)
class Material:
    """Everything a report is made of.

    Parameters
    ----------
    version : Version
    model : CareModel
    metrics : mapping of str to Any
        `metrics.json` of the fit.
    validation : mapping of str to Any or None
        `validation.json`; None if the version was never validated.
    verdicts : tuple of mapping
        Every gate that was judged, as `gates.json` holds it.
    record : Record
    """

    version: Version
    model: CareModel
    metrics: Mapping[str, Any]
    validation: Mapping[str, Any] | None
    verdicts: tuple[Mapping[str, Any], ...]
    record: Record

    @property
    def cohort_file(self) -> CohortFile:
        """The cohort file the version was fitted with."""
        return self.model.cohort_file

    @property
    def simulated(self) -> bool:
        """Whether the patients it was fitted on, or validated on, are simulated."""
        validated_on = (self.validation or {}).get("cohort", {}).get("provenance")
        return "simulated" in (self.cohort_file.provenance, validated_on)


def gather(uri: str) -> Material:
    """Read what was logged of a registered version, and the model.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Returns
    -------
    Material

    Raises
    ------
    UserError
        If it is a folder, which has no run with figures; if the version, its run or its files are not there.
    """
    located = locate(uri)
    if located.version == LOCAL:
        raise UserError(f"{uri} is a folder; a report is made of a registered version, whose run has figures")
    model = load_located(located)
    client = connect()
    run_id = client.get_model_version(located.name, located.version).run_id
    if not run_id:
        raise RegistryError(f"version {located.version} of {located.name} names no run")
    run = client.get_run(run_id)
    artifacts = {str(item.path) for item in client.list_artifacts(run_id)}
    if "metrics.json" not in artifacts:
        raise RegistryError(
            f"run {run_id} of version {located.version} of {located.name} has no metrics.json"
        )
    metrics, of_metrics = _read(run_id, "metrics.json")
    inside = {str(item.path) for item in client.list_artifacts(run_id, "validation")}
    validation, digest = _read(run_id, VALIDATION) if VALIDATION in inside else (None, "")
    judged, of_verdicts = _read(run_id, VERDICTS) if VERDICTS in inside else ({"gates": ()}, "")
    digests = {"validation.json": digest, "gates.json": of_verdicts, "metrics.json": of_metrics}
    software, _ = _read(run_id, "versions.json") if "versions.json" in artifacts else ({}, "")
    version = Version(
        located.name,
        located.version,
        located.digest,
        run_id,
        _utc(run.info.start_time),
        software,
        dict(run.data.params),
    )
    record = _judge_record(located, digests)
    return Material(version, model, metrics, validation, tuple(judged["gates"]), record)


def _read(run_id: str, path: str) -> tuple[dict[str, Any], str]:
    """Read an artifact that is JSON, with the SHA-256 of its bytes."""
    import mlflow

    try:
        text = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)).read_bytes()
        return json.loads(text), hashlib.sha256(text).hexdigest()
    except Exception as exc:
        raise RegistryError(f"{path} of run {run_id} cannot be read ({type(exc).__name__})") from exc


def _judge_record(located: Located, digests: Mapping[str, str]) -> Record:
    if located.record is None:
        return Record({}, False, "this version has no record of a validation", False)
    try:
        values = verify_record(
            located.record,
            trusted=trusted_keys(),
            name=located.name,
            version=located.version,
            digest=located.digest,
        )
    except RecordError as exc:
        stated = _stated(located.record.text)
        return Record(stated, False, str(exc), not changed_files(stated, digests))
    return Record(values, True, "", not changed_files(values, digests))


def _stated(text: str) -> dict[str, Any]:
    """What a record says that was not verified; nothing if it is not even a JSON object."""
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _utc(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"

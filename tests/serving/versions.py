"""Small models as validated versions: in folders, and in a real registry."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import mlflow

from features.cohort import make_cohort
from features.simulation import simulate
from models.care_model import CareModel
from models.keys import make_key
from models.record import SignedRecord, sign
from models.registry import DIGEST_TAG, RECORD_TAGS, Located, connect
from models.storage import save_model
from tests.models.small import small_cohort
from tests.models.small_care import fit_response, shipped_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "ketamine-trd"
CHAMPION = f"models:/{NAME}@champion"

Flaw = Literal["none", "missing", "failed", "forged", "untrusted", "other files", "edited file"]
REASONS: dict[Flaw, str] = {
    "missing": "has no validation record",
    "failed": "did not pass its gates: skill (response): fail",
    "forged": "is forged: its signature does not fit its text",
    "untrusted": "which is not among the 1 trusted keys",
    "other files": "is for other files",
    "edited file": "was changed after it was saved: arrays.npz",
}


@cache
def first_care() -> CareModel:
    return CareModel({"baseline": fit_response(make_cohort(shipped_file(), simulate(300, 1).table))})


@cache
def second_care() -> CareModel:
    """Of the same cohort file, with other answers."""
    return CareModel({"baseline": fit_response(make_cohort(shipped_file(), simulate(300, 2).table))})


@cache
def other_care() -> CareModel:
    """Of another cohort file: other predictors, two plans."""
    return CareModel({"baseline": fit_response(small_cohort(300, 5))})


@dataclass
class Keys:
    """Keys that are trusted, and one that is not.

    Parameters
    ----------
    trusted, unknown : Path
        Folders, each with a pair of keys.
    """

    trusted: Path
    unknown: Path

    @classmethod
    def make(cls, folder: Path) -> Keys:
        for name in ("trusted", "unknown"):
            make_key(folder / name)
        return cls(folder / "trusted", folder / "unknown")

    def record(self, version: str, digest: str, flaw: Flaw = "none") -> SignedRecord | None:
        if flaw == "missing":
            return None
        passed = flaw != "failed"
        gate = {"name": "skill", "outcome": "response", "ok": passed, "verdict": "pass" if passed else "fail"}
        values: dict[str, Any] = {
            "name": NAME,
            "version": version,
            "artefact_digest": "0" * 64 if flaw == "other files" else digest,
            "champion": None,
            "passed": passed,
            "gates": [gate],
        }
        keys = self.unknown if flaw == "untrusted" else self.trusted
        made = sign(values, keys / "validation.key")
        if flaw == "forged":
            return dataclasses.replace(made, text=made.text.replace('"skill"', '"skull"'))
        return made


def edit(folder: Path) -> None:
    """Change one byte of a model, as a bad disk or a bad person would."""
    arrays = folder / "arrays.npz"
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(content)


def save_version(model: CareModel, folder: Path, keys: Keys, version: str, flaw: Flaw = "none") -> Located:
    """A version as the watcher would have fetched it."""
    digest = save_model(model, folder)
    if flaw == "edited file":
        edit(folder)
    return Located(NAME, version, folder, digest, keys.record(version, digest, flaw))


@dataclass
class Registry:
    """A registry in a file.

    Parameters
    ----------
    folder : Path
    keys : Keys
    artefacts : dict of str to Path
        Where the files of each version are.
    """

    folder: Path
    keys: Keys
    artefacts: dict[str, Path] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def environment(self, **more: str) -> dict[str, str]:
        keys = {"TREATMENT_RESPONSE_TRUSTED_KEYS": str(self.keys.trusted)}
        return {"MLFLOW_TRACKING_URI": self.uri, "TREATMENT_RESPONSE_RELOAD_SECONDS": "1"} | keys | more

    def client(self) -> MlflowClient:
        return connect()

    def add(self, model: CareModel, flaw: Flaw = "none") -> str:
        """Log and register a model; give its version."""
        client = self.client()
        files = self.folder / "files" / str(len(list(self.folder.glob("files/*"))))
        digest = save_model(model, files)
        experiment = client.get_experiment_by_name("versions")
        location = (self.folder / "artifacts").as_uri()
        made = (
            client.create_experiment("versions", artifact_location=location)
            if experiment is None
            else experiment.experiment_id
        )
        if experiment is None:
            client.create_registered_model(NAME)
        with mlflow.start_run(experiment_id=made) as run:
            mlflow.log_artifacts(str(files), "model/data/response_model")
        source = f"{run.info.artifact_uri}/model"
        tags = {DIGEST_TAG: digest}
        version = str(client.create_model_version(NAME, source, run.info.run_id, tags=tags).version)
        record = self.keys.record(version, digest, flaw)
        if record is not None:
            for part, value in dataclasses.asdict(record).items():
                client.set_model_version_tag(NAME, version, RECORD_TAGS[part], value)
        self.artefacts[version] = Path(source.removeprefix("file://")) / "data" / "response_model"
        if flaw == "edited file":
            edit(self.artefacts[version])
        return version

    def move(self, version: str) -> None:
        """Make a version the champion, as any client of the registry can."""
        self.client().set_registered_model_alias(NAME, "champion", version)


def write_beside(folder: Path, record: SignedRecord | None) -> None:
    if record is not None:
        (folder / "record.json").write_text(json.dumps(dataclasses.asdict(record)), encoding="utf-8")

"""A store with one good version, and what is done with it through the real command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.care_model import CareModel
from models.registry import DIGEST_TAG, FOLDER, connect, locate
from models.storage import save_model
from tests.features.files import COHORT
from tests.models.small import make_trial
from tests.training.commands import Result, call

NAME = "small"
# Without durability: tests move outcomes from patient to patient, and relapses would not follow.
_DURABILITY = re.compile(r"\[durability\].*?\n\n", re.DOTALL)
_SEX = 'levels = ["female", "male", "none"]'
FILE = _DURABILITY.sub("", COHORT).replace(_SEX, f"{_SEX}\nsubgroup = true")


class Place(NamedTuple):
    """A store with one good version, fitted on `own.csv`; `fresh.csv` holds patients it has not seen."""

    folder: Path
    version: str

    @property
    def uri(self) -> str:
        return f"models:/{NAME}/{self.version}"


def make_table(seed: int) -> pd.DataFrame:
    table = make_trial(900, seed, signal=1.3, sites=12).table
    return table.drop(columns=["weeks", "relapsed", "maintenance"])


def response_of(table: pd.DataFrame) -> pd.Series[bool]:
    return pd.to_numeric(table["madrs_end"]) <= 0.5 * table["madrs_start"].astype(int)


def with_response(table: pd.DataFrame, responds: pd.Series[bool]) -> pd.DataFrame:
    """The same patients with another outcome; who has no endpoint keeps none."""
    start = table["madrs_start"].astype(int)
    end = np.where(responds, np.floor(start * 0.3), np.ceil(start * 0.8)).astype(int).astype("str")
    return table.assign(madrs_end=np.where(table["madrs_end"] == "", "", end))


def fit(folder: Path, data: str, cohort: str = "cohort.toml", seed: int = 4) -> str:
    result = call(
        "fit",
        "--cohort",
        folder / cohort,
        "--data",
        folder / data,
        "--candidate",
        "ridge",
        "--seed",
        seed,
    )
    assert result.code == 0, result.err
    found = re.search(r"Version (\d+) of", result.out)
    assert found
    return found.group(1)


def validate(place: Place, uri: str, data: str, cohort: str = "cohort.toml") -> Result:
    return call(
        "validate", "--model", uri, "--cohort", place.folder / cohort, "--data", place.folder / data,
        "--out", place.folder / "out",
    )  # fmt: skip


def stopped_by(place: Place) -> set[str]:
    """Names of the gates that stop the version validated last, from the JSON that it left."""
    return {gate["name"] for gate in verdicts(place) if not gate["ok"]}


def verdicts(place: Place) -> list[dict[str, Any]]:
    values = json.loads((place.folder / "out" / "gates.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = values["gates"]
    return found


def register(
    model: CareModel, like: str, scratch: Path, change: Callable[[Path], object] | None = None
) -> str:
    """Register a version whose files were swapped in, as whoever can write to the registry can."""
    client, good = connect(), locate(f"models:/{NAME}/{like}")
    copy = shutil.copytree(good.folder.parents[1], scratch / "logged")
    shutil.rmtree(copy / "data" / FOLDER)
    digest = save_model(model, copy / "data" / FOLDER)
    if change is not None:
        change(copy)
    run_id = str(client.get_model_version(NAME, like).run_id)
    place = f"made-by-hand-{scratch.name}"
    client.log_artifacts(run_id, str(copy), place)
    source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
    return str(client.create_model_version(NAME, source, run_id, tags={DIGEST_TAG: digest}).version)

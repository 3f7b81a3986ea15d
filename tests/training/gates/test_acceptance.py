"""Good and bad versions through the real command line, with the shipped gates: what stops each, and why.

One good version is fitted once. Faults that are in the data of the validation (a subgroup) are shown on other
data, where the version itself is judged; faults of the version's making are shown on its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from models.calibration import Recalibration
from models.care_model import CareModel
from models.keys import SIGNING_KEY, TRUSTED_KEYS, make_key
from models.record import sign
from models.registry import DIGEST_TAG, FOLDER, connect, load_located, locate
from models.response_model import OutcomeModel, ResponseModel
from models.storage import save_model
from tests.features.files import COHORT
from tests.models.records import store_on_version
from tests.models.small import make_trial
from tests.training.commands import Result, call

pytestmark = pytest.mark.slow

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


def fit(folder: Path, data: str) -> str:
    result = call(
        "fit",
        "--cohort",
        folder / "cohort.toml",
        "--data",
        folder / data,
        "--candidate",
        "ridge",
        "--seed",
        4,
    )
    assert result.code == 0, result.err
    found = re.search(r"Version (\d+) of", result.out)
    assert found
    return found.group(1)


def validate(place: Place, uri: str, data: str) -> Result:
    return call(
        "validate", "--model", uri, "--cohort", place.folder / "cohort.toml", "--data", place.folder / data,
        "--out", place.folder / "out",
    )  # fmt: skip


def stopped_by(place: Place) -> set[str]:
    """Names of the gates that stop the version validated last, from the JSON that it left."""
    values = json.loads((place.folder / "out" / "gates.json").read_text(encoding="utf-8"))
    return {gate["name"] for gate in values["gates"] if not gate["ok"]}


def register(model: CareModel, like: str, scratch: Path) -> str:
    """Register a version whose files were swapped in, as whoever can write to the registry can."""
    client, good = connect(), locate(f"models:/{NAME}/{like}")
    copy = shutil.copytree(good.folder.parents[1], scratch / "logged")
    shutil.rmtree(copy / "data" / FOLDER)
    digest = save_model(model, copy / "data" / FOLDER)
    run_id = str(client.get_model_version(NAME, like).run_id)
    place = f"made-by-hand-{scratch.name}"
    client.log_artifacts(run_id, str(copy), place)
    source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
    return str(client.create_model_version(NAME, source, run_id, tags={DIGEST_TAG: digest}).version)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("gates")
    make_table(1).to_csv(folder / "own.csv", index=False)
    make_table(2).to_csv(folder / "fresh.csv", index=False)
    (folder / "cohort.toml").write_text(FILE, encoding="utf-8")
    key = make_key(folder / "keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'store' / 'mlflow.db'}")
        patch.setenv(SIGNING_KEY, str(key))
        patch.setenv(TRUSTED_KEYS, str(folder / "keys"))
        yield Place(folder, fit(folder, "own.csv"))


@pytest.fixture
def client(place: Place) -> MlflowClient:
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    return MlflowClient()


def test_a_good_version_passes_and_becomes_champion(
    place: Place, client: MlflowClient, tmp_path: Path
) -> None:
    result = validate(place, place.uri, "own.csv")
    assert result.code == 0, result.out + result.err
    assert "All gates are passed." in result.out
    assert "validating: " in result.out
    run_id = str(client.get_model_version(NAME, place.version).run_id)
    logged = {file.path for file in client.list_artifacts(run_id, "validation")}
    names = {"validation.json", "gates.json", "junit.xml", "record.json"}
    assert logged == {f"validation/{name}" for name in names}
    junit = ElementTree.fromstring((place.folder / "out" / "junit.xml").read_text(encoding="utf-8"))
    assert junit.attrib["failures"] == "0"
    promoted = call("promote", "--model", place.uri)
    assert promoted.code == 0, promoted.err
    assert str(client.get_model_version_by_alias(NAME, "champion").version) == place.version


def test_a_version_learned_from_shuffled_outcomes_is_stopped_for_want_of_skill(place: Place) -> None:
    table = make_table(1)
    known = table["madrs_end"] != ""
    shuffled = response_of(table)
    shuffled[known] = np.random.default_rng(0).permutation(shuffled[known])
    with_response(table, shuffled).to_csv(place.folder / "shuffled.csv", index=False)
    uri = f"models:/{NAME}/{fit(place.folder, 'shuffled.csv')}"
    result = validate(place, uri, "shuffled.csv")
    assert result.code == 1, result.err
    assert "skill" in stopped_by(place)
    assert "verdicts stop this version" in result.out
    promoted = call("promote", "--model", uri)
    assert promoted.code == 2
    assert "did not pass its gates: skill (response)" in promoted.err
    # On data of other patients it has no skill either.
    assert validate(place, uri, "fresh.csv").code == 1
    assert "skill" in stopped_by(place)


def test_an_overconfident_version_is_stopped_on_other_data_and_on_its_own(
    place: Place, tmp_path: Path
) -> None:
    good = load_located(locate(place.uri))
    bold = replace(good, landmarks={name: sharpen(model) for name, model in good.landmarks.items()})
    version = register(bold, place.version, tmp_path)
    uri = f"models:/{NAME}/{version}"
    assert validate(place, uri, "fresh.csv").code == 1
    assert stopped_by(place) >= {"slope_not_too_flat", "calibration"}
    # On its own data the procedure is good; but it does not give these files.
    result = validate(place, uri, "own.csv")
    assert result.code == 1
    assert stopped_by(place) == {"reproduced"}
    promoted = call("promote", "--model", uri)
    assert promoted.code == 2
    assert f"version {version} of small did not pass its gates: reproduced: fail" in promoted.err


def sharpen(model: ResponseModel) -> ResponseModel:
    """The same ranking, with logits three times as far from each other."""

    def bold(outcome: OutcomeModel) -> OutcomeModel:
        line = outcome.choice.recalibration
        choice = replace(outcome.choice, recalibration=Recalibration(3 * line.intercept, 3 * line.slope))
        return replace(outcome, choice=choice)

    return replace(model, outcomes={name: bold(outcome) for name, outcome in model.outcomes.items()})


def test_a_version_worse_than_the_champion_is_stopped(place: Place, client: MlflowClient) -> None:
    rng, table = np.random.default_rng(0), make_table(1)
    # Two strong predictors tell nothing: it has skill, and less of it.
    for name in ("pain", "age"):
        table[name] = rng.permutation(table[name])
    table.to_csv(place.folder / "poor.csv", index=False)
    uri = f"models:/{NAME}/{fit(place.folder, 'poor.csv')}"
    if "champion" in client.get_registered_model(NAME).aliases:
        client.delete_registered_model_alias(NAME, "champion")
    validate(place, uri, "fresh.csv")
    alone = stopped_by(place)
    client.set_registered_model_alias(NAME, "champion", place.version)
    try:
        result = validate(place, uri, "fresh.csv")
    finally:
        client.delete_registered_model_alias(NAME, "champion")
    assert result.code == 1
    # Nothing but the comparison has changed.
    assert stopped_by(place) - alone == {"champion"}
    assert "against the champion" in result.out
    promoted = call("promote", "--model", uri)
    assert promoted.code == 2
    assert "champion (response): fail" in promoted.err


def test_a_version_that_fails_one_subgroup_is_stopped(place: Place) -> None:
    table = make_table(2)
    odd = table["sex"] == "none"
    with_response(table, response_of(table) ^ odd).to_csv(place.folder / "odd.csv", index=False)
    result = validate(place, place.uri, "odd.csv")
    assert result.code == 1
    assert "subgroup_discrimination" in stopped_by(place)
    assert "fail: subgroup_discrimination, response: sex = none: auroc" in " ".join(result.out.split())
    # The same patients with their own outcomes.
    assert validate(place, place.uri, "fresh.csv").code == 0


def test_a_version_with_one_byte_changed_is_stopped_by_validate_and_promote(
    place: Place, tmp_path: Path
) -> None:
    version = register(load_located(locate(place.uri)), place.version, tmp_path)
    uri = f"models:/{NAME}/{version}"
    store_on_version(sign(passing(place, version), place.folder / "keys" / "validation.key"), NAME, version)
    stored = locate(uri).folder / "arrays.npz"
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    for copy in (place.folder / "store").rglob("made-by-hand-*/data/*/arrays.npz"):
        copy.write_bytes(bytes(content))
    for result in (validate(place, uri, "fresh.csv"), call("promote", "--model", uri)):
        assert result.code == 2
        assert "was changed after it was saved: arrays.npz" in result.err


def passing(place: Place, version: str) -> dict[str, object]:
    digest = locate(f"models:/{NAME}/{version}").digest
    return {"name": NAME, "version": version, "artefact_digest": digest, "passed": True, "gates": []}


def test_a_version_without_a_record_or_with_a_forged_one_is_not_promoted(
    place: Place, client: MlflowClient, tmp_path: Path
) -> None:
    version = register(load_located(locate(place.uri)), place.version, tmp_path)
    uri, key = f"models:/{NAME}/{version}", place.folder / "keys" / "validation.key"
    values = passing(place, version)
    failed = sign({**values, "passed": False}, key)
    forged = replace(failed, text=failed.text.replace('"passed":false', '"passed":true'))
    foreign = sign(values, make_key(tmp_path / "others"))
    borrowed = sign({**values, "version": "77"}, key)
    refused = {"has no validation record": None, "did not pass its gates": failed, "is forged": forged}
    refused |= {"not among the 1 trusted keys": foreign, "was made for version 77 of small": borrowed}
    refused |= {"is for other files": sign({**values, "artefact_digest": "0" * 64}, key)}
    for reason, record in refused.items():
        if record is not None:
            store_on_version(record, NAME, version)
        result = call("promote", "--model", uri)
        assert result.code == 2, reason
        assert f"version {version} of small" in result.err
        assert reason in result.err
    assert "champion" not in client.get_registered_model(NAME).aliases or (
        str(client.get_model_version_by_alias(NAME, "champion").version) != version
    )
    # The same files with an honest record are let through: nothing else was in the way.
    store_on_version(sign(values, key), NAME, version)
    assert call("promote", "--model", uri).code == 0


def test_a_file_of_gates_of_ones_own_decides(place: Place) -> None:
    gates = place.folder / "gates.toml"
    text = 'format = 1\n[gates.hard]\nmetric = "auroc"\nat_least = 0.99\njudged_on = "upper"\nfor = "all"\n'
    gates.write_text(text, encoding="utf-8")
    options = ["--cohort", place.folder / "cohort.toml", "--data", place.folder / "fresh.csv"]
    options += ["--gates", gates, "--out", place.folder / "out"]
    result = call("validate", "--model", place.uri, *options)
    assert result.code == 1
    assert stopped_by(place) == {"hard"}
    gates.write_text(text.replace("auroc", "auroca").replace("at_least", "at_lest"), encoding="utf-8")
    result = call("validate", "--model", place.uri, *options)
    assert result.code == 2
    for part in ("did you mean 'auroc'?", "exactly one bound is needed", "unknown key 'at_lest'"):
        assert part in result.err

"""What a fit leaves in the tracking store: everything that is promised, and no patient."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from features.cohort import make_cohort
from features.schema import check_table
from features.tables import read_table
from models.keys import TRUSTED_KEYS
from models.registry import load_located, locate
from models.response_model import OUTCOMES
from tests.features.files import COHORT
from tests.models.records import sign_version
from tests.models.small import FILE, make_trial
from tests.training.commands import call
from tests.training.conftest import PLANTED, FittedStore
from training.fit import data_digest
from training.metrics import METRICS
from training.scoring import output_columns, score_frame


@pytest.fixture
def client(store: FittedStore) -> MlflowClient:
    mlflow.set_tracking_uri(store.uri)
    return MlflowClient()


def artefacts(store: FittedStore, client: MlflowClient) -> list[Path]:
    """Every file of the run, of the logged model, and of whatever else stands beside the store."""
    return [p for p in (store.folder / "store").rglob("*") if p.is_file() and p.suffix != ".db"]


def test_there_is_one_finished_run(store: FittedStore, client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    params, metrics, tags = run.data.params, run.data.metrics, run.data.tags
    assert params["seed"] == "3"
    assert params["candidate_fixed"] == params["response_candidate"] == "ridge"
    for outcome in OUTCOMES:
        for metric in METRICS:
            low, value, high = (metrics[f"{outcome}_{metric}{end}"] for end in ("_low", "", "_high"))
            assert low <= value <= high, metric
        for metric in ("auroc", "brier", "log_loss", "auroc_gain", "log_loss_gain"):
            low, value, high = (metrics[f"day_1_{outcome}_{metric}{end}"] for end in ("_low", "", "_high"))
            assert low <= value <= high, metric
    assert tags["provenance"] == "observational"
    assert tags["data_digest"] == data_digest(make_cohort(FILE, read_table(str(store.folder / "cohort.csv"))))


def test_the_run_holds_figures_cohort_file_and_versions(store: FittedStore, client: MlflowClient) -> None:
    paths = {p.name: p for p in artefacts(store, client)}
    for outcome in OUTCOMES:
        for figure in ("calibration", "roc", "candidates"):
            content = paths[f"{outcome}_{figure}.png"].read_bytes()
            assert content.startswith(b"\x89PNG")
            assert len(content) > 5000
    assert paths["cohort.toml"].read_text(encoding="utf-8") == COHORT
    versions = json.loads(paths["versions.json"].read_text(encoding="utf-8"))
    assert versions["numpy"] == np.__version__
    assert {"python", "mlflow", "xgboost-cpu", "treatment-response"} <= set(versions)
    json.loads(paths["metrics.json"].read_text(encoding="utf-8"))


def test_no_artefact_holds_a_patient(store: FittedStore, client: MlflowClient) -> None:
    numbers = [float(PLANTED["age"]), float(PLANTED["crp"])]
    needles = [PLANTED["id"].encode(), b"patient-0", *(PLANTED[name].encode() for name in ("age", "crp"))]
    needles += [struct.pack(kind, number) for kind in ("<d", "<f", ">d", ">f") for number in numbers]
    files = artefacts(store, client)
    assert len(files) >= 12
    for path in files:
        content = path.read_bytes()
        assert not [needle for needle in needles if needle in content], path
    # The same needles are found where patients are, so the search can fail.
    assert all(n in (store.folder / "cohort.csv").read_bytes() for n in needles[:4])


def test_no_database_row_holds_a_patient(store: FittedStore) -> None:
    content = (store.folder / "store" / "mlflow.db").read_bytes()
    assert PLANTED["id"].encode() not in content
    assert PLANTED["crp"].encode() not in content


def test_no_artefact_is_a_pickle(store: FittedStore, client: MlflowClient) -> None:
    suffixes = {p.suffix for p in artefacts(store, client)}
    assert suffixes.isdisjoint({".pkl", ".pickle", ".joblib", ".cloudpickle"})
    assert not any(p.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05") for p in artefacts(store, client))


def test_a_version_is_registered_as_challenger_with_its_digest(
    store: FittedStore, client: MlflowClient
) -> None:
    version = client.get_model_version_by_alias("small", "challenger")
    assert str(version.version) == "1"
    located = locate(store.model)
    assert version.tags["artefact_digest"] == located.digest
    assert version.tags["provenance"] == "observational"
    load_located(located)


def test_the_signature_names_inputs_and_outputs(store: FittedStore, client: MlflowClient) -> None:
    signature = mlflow.models.get_model_info(store.model).signature
    assert signature is not None
    inputs = signature.inputs.input_names()
    assert {p.name for p in FILE.baseline_predictors} | {"plan"} <= set(inputs)
    assert "madrs_day_1" not in inputs
    assert "madrs_end" not in inputs
    model = load_located(locate(store.model)).baseline
    assert signature.outputs.input_names() == ["id", *output_columns(model)]


@pytest.mark.parametrize("typed", [False, True])
def test_the_logged_model_predicts_what_score_does(
    store: FittedStore, client: MlflowClient, typed: bool
) -> None:
    logged = mlflow.pyfunc.load_model(store.model)
    table = make_trial(50, 33).table
    checked = check_table(FILE, table, "score")
    expected = score_frame(load_located(locate(store.model)).baseline, checked)
    # As a data scientist has it: numbers as numbers, levels as text.
    given = checked.assign(sex=table["sex"].replace("", None), trauma=table["trauma"].replace("", None))
    given = given.assign(plan=table["plan"]) if typed else given.astype({"plan": "str"})
    found = logged.predict(given)
    assert list(found.columns) == list(expected.columns)
    for column in expected:
        if expected[column].dtype == np.float64:
            np.testing.assert_allclose(found[column], expected[column], rtol=0, atol=1e-6)
        elif column != "id":
            assert found[column].tolist() == expected[column].tolist(), column


def test_score_by_alias_writes_what_the_model_says(store: FittedStore, tmp_path: Path) -> None:
    make_trial(50, 33).table.to_csv(tmp_path / "in.csv", index=False)
    result = call("score", "--model", store.model, "--data", tmp_path / "in.csv", "--out", tmp_path / "p.csv")
    assert result.code == 0, result.err
    assert "50 predictions" in result.out
    found = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    frame = check_table(FILE, make_trial(50, 33).table, "score")
    expected = score_frame(load_located(locate(store.model)).baseline, frame)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-12)


def test_out_of_fold_files_are_those_that_are_promised(store: FittedStore) -> None:
    table = pd.read_csv(store.folder / "out" / "predictions.csv")
    assert list(table) == [
        "id",
        "repeat",
        "fold",
        "landmark",
        "outcome",
        "observed",
        "probability",
        "low",
        "high",
    ]
    assert table["landmark"].unique().tolist() == ["baseline", "day_1"]
    assert set(table["outcome"]) == set(OUTCOMES)
    # 240 patients, two outcomes, two repeats and one more at day 1; those without an endpoint too.
    assert len(table) == 240 * 6  # all have a value of day 1: nobody has left care before
    assert set(table["observed"].dropna()) == {0, 1}
    assert table["observed"].isna().any()
    metrics = json.loads((store.folder / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["patients"]["rows"] == 240
    assert metrics["outcomes"]["response"]["candidate"] == "ridge"
    part = table[(table["outcome"] == "response") & table["observed"].notna()]
    part = part[part["landmark"] == "baseline"]
    brier = [((p["observed"] - p["probability"]) ** 2).mean() for _, p in part.groupby("repeat")]
    assert metrics["outcomes"]["response"]["metrics"]["brier"]["value"] == pytest.approx(np.mean(brier))


def test_what_fit_prints_names_version_flow_and_figures(store: FittedStore) -> None:
    assert "Patients: 240 rows; excluded: none" in store.printed
    assert "is @challenger" in store.printed
    for text in ("auroc", "brier skill", "calibration slope", "ici", "ridge", "day_1: response"):
        assert text in store.printed
    # 240 patients are too few for its parameters, and a reader must be told.
    assert "Too small" in store.printed


def test_promote_moves_champion_to_a_version_with_a_passing_record(
    store: FittedStore, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path))
    result = call("promote", "--model", store.model)
    assert result.code == 2
    assert "error: version 1 of small has no validation record" in result.err
    sign_version(store.model, tmp_path)
    result = call("promote", "--model", store.model)
    assert result.code == 0, result.err
    assert "version 1 of small is champion" in result.out
    assert str(client.get_model_version_by_alias("small", "champion").version) == "1"

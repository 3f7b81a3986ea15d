"""The whole validation of a registered version, on its own data and on others."""

import json
import os
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.cohort import Cohort, make_cohort
from features.cohort_file import parse_cohort_file
from features.errors import ArtefactError, RegistryError, UserError
from models.registry import locate
from models.response_model import OUTCOMES
from tests.features.files import COHORT
from tests.models.small import make_trial
from tests.training.commands import call
from tests.training.conftest import FittedStore
from tests.training.validation.work import do_work
from training.fit import data_digest
from training.metrics import METRICS
from training.patients import Patients
from training.tracking import promote
from training.validation.artefact import make_rival_jobs
from training.validation.results import Validation, to_plain
from training.validation.run import validate_version
from training.validation.same_patients import is_same_data
from training.validation.task import Task
from training.validation.version import read_version


@cache
def own(store: str, model: str) -> tuple[Validation, tuple[tuple[int, int], ...]]:
    steps: list[tuple[int, int]] = []
    assert os.environ["MLFLOW_TRACKING_URI"] == store
    found = validate_version(model, _own_cohort(store), lambda done, of: steps.append((done, of)))
    return found, tuple(steps)


@cache
def _own_cohort(store: str) -> Cohort:
    folder = store.removeprefix("sqlite:///").removesuffix("store/mlflow.db")
    table = pd.read_csv(folder + "cohort.csv", dtype="str", keep_default_na=False)
    return make_cohort(parse_cohort_file(COHORT, "cohort.toml"), table)


@pytest.mark.slow
def test_own_data_validate_the_procedure_and_repeat_the_fit(store: FittedStore) -> None:
    found, _ = own(store.uri, store.model)
    assert found.same_data
    assert found.data_digest == data_digest(_own_cohort(store.uri))
    assert found.checks["reproduced"][0], found.checks["reproduced"][1]
    assert found.checks["digest"][0]
    for name in OUTCOMES:
        designs = found.outcomes[name].designs
        assert [d.key for d in designs] == [
            "nested_cv",
            "leave_group_out",
            "leave_period_out",
            "optimism",
            "bootstrap_optimism",
        ]
        assert all(set(d.metrics) == {*METRICS, "net_benefit_gain"} for d in designs if d.patients)
        # All patients of the small cohort start on one day: the period design says so and claims nothing.
        assert designs[2].how.startswith("Not possible")
        assert found.outcomes[name].instability is not None
        assert found.outcomes[name].candidate == "ridge"
        assert "candidate ridge, as the fit was told" in designs[0].how


@pytest.mark.slow
def test_the_first_design_gives_the_figures_of_the_fit(store: FittedStore) -> None:
    found, _ = own(store.uri, store.model)
    logged = json.loads((store.folder / "out" / "metrics.json").read_text())
    for name in OUTCOMES:
        fitted = logged["outcomes"][name]["metrics"]
        for metric, of_the_fit in fitted.items():
            found_now = found.outcomes[name].designs[0].metrics[metric]
            assert found_now.value == pytest.approx(of_the_fit["value"], abs=1e-9), metric


@pytest.mark.slow
def test_later_landmarks_have_the_figures_of_the_fit(store: FittedStore) -> None:
    found, _ = own(store.uri, store.model)
    logged = json.loads((store.folder / "out" / "metrics.json").read_text())
    for name in OUTCOMES:
        (day,) = found.outcomes[name].landmarks
        assert (day.key, day.title) == ("day_1", "Day 1")
        assert "what folds learn from each other" in day.how
        fitted = logged["landmarks"]["day_1"]["outcomes"][name]
        assert (day.patients, day.events) == (fitted["patients"], fitted["events"])
        assert day.metrics["auroc"].value == pytest.approx(fitted["metrics"]["auroc"]["value"], abs=1e-9)


@pytest.mark.slow
def test_progress_counts_to_its_end(store: FittedStore) -> None:
    _, steps = own(store.uri, store.model)
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert {of for _, of in steps} == {len(steps)}


@pytest.mark.slow
def test_nothing_of_a_patient_is_in_the_values(store: FittedStore) -> None:
    found, _ = own(store.uri, store.model)
    text = str(to_plain(found))
    for planted in ("patient-of-whom-nothing-may-be-found", "47.1234567", "2.718281828"):
        assert planted not in text


def test_a_comment_in_the_cohort_file_does_not_make_other_data(store: FittedStore) -> None:
    # On "other" data the version itself would be judged, on patients whom it knows by heart.
    version, cohort = read_version(store.model), _own_cohort(store.uri)
    edited = replace(cohort, file=replace(cohort.file, text="# edited\n" + cohort.file.text))
    assert is_same_data(version, edited)
    other = replace(cohort, response=1 - cohort.response)
    assert not is_same_data(version, other)


@pytest.mark.slow
def test_other_data_validate_the_version_itself(store: FittedStore) -> None:
    cohort = make_cohort(parse_cohort_file(COHORT, "cohort.toml"), make_trial(300, 77).table)
    found = validate_version(store.model, cohort)
    assert not found.same_data
    assert "reproduced" not in found.checks
    response = found.outcomes["response"]
    assert [d.key for d in response.designs] == [
        "external",
        "external_recalibrated_in_large",
        "external_recalibrated",
    ]
    model = read_version(store.model).model.baseline
    known = ~np.isnan(cohort.response)
    p = model.outcomes["response"].probability(model.inputs(cohort.rows[known]))
    brier = float(np.mean((cohort.response[known] - p) ** 2))
    assert response.designs[0].metrics["brier"].value == pytest.approx(brier, abs=1e-12)
    later = read_version(store.model).model.landmarks["day_1"]
    p = later.outcomes["response"].probability(later.inputs(cohort.at("day_1").rows[known]))
    brier = float(np.mean((cohort.response[known] - p) ** 2))
    assert response.landmarks[0].metrics["brier"].value == pytest.approx(brier, abs=1e-12)
    assert response.landmarks[0].how.startswith("the version as it is")
    assert response.instability is None
    assert response.learning == ()


def test_its_own_patients_in_another_order_are_not_other_patients(store: FittedStore) -> None:
    # What an overfitted version says of them would be taken for what it says of strangers.
    folder = store.folder
    table = pd.read_csv(folder / "cohort.csv", dtype="str", keep_default_na=False)
    table[::-1].to_csv(folder / "turned.csv", index=False)
    result = call(
        "validate", "--model", store.model, "--cohort", folder / "cohort.toml",
        "--data", folder / "turned.csv", "--out", folder / "refused",
    )  # fmt: skip
    assert result.code == 2
    assert "the version has learned from about 100% of these patients" in result.err
    assert not (folder / "refused").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"landmark": "day_2"}, "Not possible: the cohort file has no landmark day_1"),
        ({"unit": "grams"}, "Not possible: predictor 'madrs_day_1' has another kind, unit or levels"),
    ],
)
def test_a_landmark_that_the_data_do_not_offer_says_why(
    store: FittedStore, changes: dict[str, str], why: str
) -> None:
    cohort = make_cohort(parse_cohort_file(COHORT, "cohort.toml"), make_trial(300, 77).table)
    predictors = tuple(
        replace(p, **changes) if p.name == "madrs_day_1" else p  # type: ignore[arg-type]
        for p in cohort.file.predictors
    )
    landmarks = tuple(
        changes.get("landmark", name) if name == "day_1" else name for name in cohort.file.landmarks
    )
    other = replace(cohort, file=replace(cohort.file, predictors=predictors, landmarks=landmarks))
    for outcome in validate_version(store.model, other).outcomes.values():
        (day,) = outcome.landmarks
        assert day.how == why
        assert not day.metrics


@pytest.mark.slow
def test_one_new_site_validates_the_version(store: FittedStore) -> None:
    table = make_trial(600, 78).table
    here = table[table["site"] == table["site"].iloc[0]]
    found = validate_version(store.model, make_cohort(parse_cohort_file(COHORT, "cohort.toml"), here))
    for name in OUTCOMES:
        first = found.outcomes[name].designs[0]
        assert "all of one site" in first.how
        assert np.isfinite([first.metrics["auroc"].low, first.metrics["ici"].high]).all()


@pytest.mark.slow
def test_a_champion_is_compared_on_the_same_patients(
    store: FittedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A registry of its own: other tests rely on which version is the challenger.
    shutil.copy(store.uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    result = call(
        "fit", "--cohort", store.folder / "cohort.toml", "--data", store.folder / "cohort.csv",
        "--candidate", "prevalence", "--seed", 3,
    )  # fmt: skip
    assert result.code == 0, result.err
    promote("small", "2")
    cohort = make_cohort(parse_cohort_file(COHORT, "cohort.toml"), make_trial(300, 77).table)
    found = validate_version("models:/small/1", cohort)
    assert found.model["champion"] == "2"
    # The challenger knows the predictors, the champion nothing but the plan.
    assert found.model["champion_digest"] == read_version("models:/small/2").located.digest
    compared = found.outcomes["response"].champion
    assert compared is not None
    assert (compared.patients, compared.events) == (
        found.outcomes["response"].designs[0].patients,
        found.outcomes["response"].designs[0].events,
    )
    assert compared.metrics["auroc"].low > 0
    assert compared.metrics["brier"].high < 0
    itself = validate_version("models:/small/2", cohort)
    assert (itself.model["champion"], itself.model["champion_digest"]) == ("", "")
    assert itself.outcomes["response"].champion is None


def test_without_folds_a_champion_that_learned_from_the_patients_is_not_asked_from_memory(
    store: FittedStore,
) -> None:
    version, cohort = read_version(store.model), _own_cohort(store.uri)
    patients = Patients.from_cohort(cohort)
    nobody = {name: 0 * y for name, y in patients.outcomes.items()}
    weights = np.ones((1, len(patients.known)))
    task = Task(version, version, cohort, replace(patients, outcomes=nobody), weights, 3)
    answered = do_work(make_rival_jobs(task, version))
    assert isinstance(answered, str)
    assert "for its procedure there are no folds: cannot cross-validate: 0 patients" in answered


def test_a_champion_that_cannot_be_read_is_named(
    store: FittedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(store.uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    result = call(
        "fit", "--cohort", store.folder / "cohort.toml", "--data", store.folder / "cohort.csv",
        "--candidate", "prevalence", "--seed", 3,
    )  # fmt: skip
    assert result.code == 0, result.err
    promote("small", "2")
    (locate("models:/small/2").folder / "manifest.json").write_text('{"format": 3, "files": {}}')
    with pytest.raises(
        ArtefactError, match=r"version 2 of small is @champion and cannot be read.* take the alias"
    ):
        validate_version("models:/small/1", _own_cohort(store.uri))


def test_a_folder_is_refused(store: FittedStore) -> None:
    with pytest.raises(UserError, match="is a folder, which does not say what it was fitted on"):
        validate_version(str(store.folder), _own_cohort(store.uri))


def test_an_unknown_version_is_refused(store: FittedStore) -> None:
    with pytest.raises(RegistryError, match="the registry holds no models:/small/99"):
        validate_version("models:/small/99", _own_cohort(store.uri))

"""Facts about a version: reproduced, one answer from everywhere, compatible, whole."""

import shutil
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.cohort import Cohort, make_cohort
from features.cohort_file import CohortFile
from features.encoding import encode_frame
from features.errors import ArtefactError
from features.schema import check_table
from models.calibration import Recalibration
from models.care_model import CareModel
from models.conformal import ConformalBounds
from models.inputs import Inputs
from models.registry import FOLDER, Located, load_located, locate
from models.response_model import OutcomeModel, ResponseModel
from models.scorer import Scorer
from models.storage import save_model
from tests.features.files import make_file
from tests.models.small import FILE, care_model, small_cohort
from tests.models.small_care import unsure
from tests.training.conftest import FittedStore
from tests.training.validation.work import do_work
from training.validation.checks import check_finite, decode_rows, make_reproduction_jobs, run_checks
from training.validation.schema_check import check_schema


@cache
def fitted_cohort(folder: Path) -> Cohort:
    return make_cohort(FILE, pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False))


def edited(model: CareModel, landmark: str = "baseline") -> CareModel:
    """Make the answers of one outcome more extreme, as an overconfident version's are."""
    own = model.landmarks[landmark]
    response = own.outcomes["response"]
    recalibration = response.choice.recalibration
    steeper = Recalibration(recalibration.intercept, 1.5 * recalibration.slope)
    outcome = replace(response, choice=replace(response.choice, recalibration=steeper))
    changed = ResponseModel(own.encoder, {**own.outcomes, "response": outcome})
    return replace(model, landmarks={**model.landmarks, landmark: changed})


def log(model: CareModel, folder: Path) -> Located:
    """A version as a fit logs it, in a folder instead of a store."""
    digest = save_model(model, folder / FOLDER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's notes on its own internals
        mlflow.pyfunc.save_model(
            folder / "logged",
            loader_module="training.logged_model",
            data_path=str(folder / FOLDER),
            pip_requirements=[],
        )
    return Located("small", "1", folder / "logged" / "data" / FOLDER, digest)


def test_fitting_anew_gives_the_version_at_every_landmark(store: FittedStore) -> None:
    model = load_located(locate(store.model))
    is_so, told = do_work(make_reproduction_jobs(model, fitted_cohort(store.folder), 3, "ridge"))
    assert is_so, told
    assert "2 landmark(s)" in told


@pytest.mark.parametrize("landmark", ["baseline", "day_1"])
def test_an_edited_version_is_not_reproduced(store: FittedStore, landmark: str) -> None:
    model = edited(load_located(locate(store.model)), landmark)
    is_so, told = do_work(make_reproduction_jobs(model, fitted_cohort(store.folder), 3, "ridge"))
    assert not is_so
    assert "answers differ by" in told


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_number_that_is_none_is_found_and_hides_no_other(store: FittedStore, odd: float) -> None:
    model, cohort = load_located(locate(store.model)), fitted_cohort(store.folder)
    # One row alone gives NaN; all others would show that the model was edited.
    own = edited(model).landmarks["baseline"]
    response = own.outcomes["response"]

    class Once(OutcomeModel):
        def predict(self, inputs: Inputs) -> NDArray[np.float64]:
            answers = super().predict(inputs)
            answers[1, 0] = odd
            return answers

    for outcome in (response, model.baseline.outcomes["response"]):
        hidden = Once(outcome.choice, outcome.score, outcome.uncertainty)
        changed = ResponseModel(own.encoder, {**own.outcomes, "response": hidden})
        version = replace(model, landmarks={**model.landmarks, "baseline": changed})
        is_so, told = do_work(make_reproduction_jobs(version, cohort, 3, "ridge"))
        assert (is_so, "answers differ by inf at most" in told) == (False, True)
    bounds = replace(response.choice, bounds=ConformalBounds(odd, 0.5))
    changed = ResponseModel(own.encoder, {**own.outcomes, "response": replace(response, choice=bounds)})
    version = replace(model, landmarks={**model.landmarks, "baseline": changed})
    assert not do_work(make_reproduction_jobs(version, cohort, 3, "ridge"))[0]


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")  # that is the fault
def test_a_version_that_answers_no_number_anywhere_answers_not_alike(tmp_path: Path) -> None:
    # Scorer, batch and logged model agree on it, and nobody is told anything.
    folder = tmp_path / "model"
    located = log(unsure(care_model("ridge")), folder)
    is_so, told = run_checks(located, load_located(located), small_cohort())["logged_answers"]
    assert (is_so, "differ by inf at most" in told) == (False, True)


def test_an_answer_that_is_no_number_is_refused_before_the_work(store: FittedStore) -> None:
    model, cohort = load_located(locate(store.model)), fitted_cohort(store.folder)
    check_finite(model, cohort)
    said = r"answers are not numbers: response at day_1, 240 of 240 patients"
    with pytest.raises(ArtefactError, match=said):
        check_finite(unsure(model, "day_1"), cohort)


def test_a_version_that_does_not_say_whom_it_learned_from_is_not_reproduced(store: FittedStore) -> None:
    model, cohort = load_located(locate(store.model)), fitted_cohort(store.folder)
    noted = model.learned_from
    assert noted is not None
    moved = replace(noted, taken=np.roll(noted.taken, 1))
    for edited_note in (None, moved, replace(noted, alike=1.0)):
        version = replace(model, learned_from=edited_note)
        is_so, told = do_work(make_reproduction_jobs(version, cohort, 3, "ridge"))
        assert (is_so, told.startswith("the version was not learned from whom it says")) == (False, True)


def test_another_seed_or_candidate_is_not_the_version(store: FittedStore) -> None:
    model = load_located(locate(store.model))
    cohort = fitted_cohort(store.folder)
    assert not do_work(make_reproduction_jobs(model, cohort, 4, "ridge"))[0]
    is_so, told = do_work(make_reproduction_jobs(model, cohort, 3, "prevalence"))
    assert not is_so
    assert told.startswith("fitting anew chooses prevalence for ")
    assert told.endswith("at baseline; the version has ridge")


def test_a_cohort_from_which_nothing_can_be_fitted_does_not_reproduce(store: FittedStore) -> None:
    cohort = fitted_cohort(store.folder)
    hopeless = replace(cohort, groups=np.zeros(len(cohort.rows), dtype=np.intp))
    model = load_located(locate(store.model))
    is_so, told = do_work(make_reproduction_jobs(model, hopeless, 3, "ridge"))
    assert not is_so
    assert told == "the baseline model cannot be fitted to these data"


def test_a_registered_version_answers_alike_from_everywhere(store: FittedStore) -> None:
    located = locate(store.model)
    found = run_checks(located, load_located(located), fitted_cohort(store.folder))
    assert set(found) == {"digest", "logged_answers", "schema"}
    assert all(is_so for is_so, _ in found.values()), found
    assert found["logged_answers"][1].startswith(
        "400 patients with and without missing values, 2 landmark(s): logged model"
    )
    assert found["digest"][1] == f"files match {located.digest}"


def test_no_patients_value_stands_in_the_evidence(store: FittedStore) -> None:
    located = locate(store.model)
    told = str(run_checks(located, load_located(located), fitted_cohort(store.folder)))
    assert "47.12" not in told
    assert "2.718" not in told


def test_another_model_than_the_logged_one_is_found(store: FittedStore) -> None:
    # What is validated must be what is served: here the files and the model in memory differ.
    located = locate(store.model)
    model = edited(load_located(located))
    is_so, told = run_checks(located, model, fitted_cohort(store.folder))["logged_answers"]
    assert not is_so
    assert "differ by" in told


def test_a_later_landmark_that_is_served_otherwise_is_found(
    store: FittedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    located = locate(store.model)
    model, cohort = load_located(located), fitted_cohort(store.folder)
    prepare = Scorer.__init__

    def prepare_another(self: Scorer, own: ResponseModel, landmark: str) -> None:
        prepare(self, edited(model, "day_1").landmarks["day_1"] if landmark == "day_1" else own, landmark)

    monkeypatch.setattr(Scorer, "__init__", prepare_another)
    is_so, told = run_checks(located, model, cohort)["logged_answers"]
    assert not is_so
    assert "differ by" in told


def test_one_byte_changed_is_found(tmp_path: Path) -> None:
    digest = save_model(care_model("ridge"), tmp_path / "model")
    located = Located("small", "7", tmp_path / "model", digest)
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    assert run_checks(located, care_model("ridge"), small_cohort())["digest"][0]
    file = tmp_path / "copy" / "arrays.npz"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    changed = replace(located, folder=tmp_path / "copy")
    is_so, told = run_checks(changed, care_model("ridge"), small_cohort())["digest"]
    assert not is_so
    assert "was changed after it was saved: arrays.npz" in told


def test_files_that_mlflow_cannot_read_are_a_failed_check(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "response_model"
    digest = save_model(care_model("ridge"), folder)
    located = Located("small", "7", folder, digest)  # registered, it says, yet nothing was logged
    is_so, told = run_checks(located, care_model("ridge"), small_cohort())["logged_answers"]
    assert not is_so
    assert "does not answer" in told


@pytest.mark.parametrize("candidate", ["ridge", "elastic_net", "random_forest", "xgboost", "average"])
def test_every_candidate_answers_alike(tmp_path: Path, candidate: str) -> None:
    located = log(care_model(candidate), tmp_path)
    model = load_located(located)
    is_so, told = run_checks(located, model, small_cohort())["logged_answers"]
    assert is_so, told


def test_decoded_rows_encode_to_themselves() -> None:
    cohort = small_cohort(300, 4)
    frame = check_table(FILE, decode_rows(FILE, cohort.rows), "score")
    np.testing.assert_array_equal(encode_frame(FILE, frame), cohort.rows)


def changed(old: str, new: str) -> tuple[bool, str]:
    return check_schema(make_file(old, new), FILE)


def test_the_same_inputs_and_more_of_them_are_compatible() -> None:
    assert check_schema(FILE, FILE) == (True, "all 7 predictors of the champion are there and mean the same")
    assert changed("valid = [18, 100]", "valid = [12, 110]")[0]
    assert changed('["female", "male", "none"]', '["none", "female", "male", "other"]')[0]
    assert changed("[predictors.crp]", '[predictors.bmi]\nkind = "number"\n[predictors.crp]')[0]
    assert changed('pill = "A pill"', 'pill = "A pill"\ndrip = "A drip"')[0]
    assert check_schema(FILE, None) == (True, "there is no champion to be compatible with")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('[predictors.crp]\nkind = "number"\n', "", "predictor 'crp' is gone"),
        ('unit = "years"', 'unit = "months"', "predictor 'age': unit is months, the champion's is years"),
        ("valid = [18, 100]", "valid = [18, 80]", "predictor 'age': valid from 18 to 80"),
        (', "none"]', "]", "predictor 'sex': level none is gone"),
        ("levels = [0, 1, 2]", "levels = [2, 1, 0]", "predictor 'trauma': its levels are in another order"),
        ("levels = [0, 1, 2]", "levels = [0, 1]", "predictor 'trauma': level 2 is gone"),
        ('reference = "pill"', 'reference = "spray"', "plan: reference is 'spray', the champion's is 'pill'"),
        ('landmark = "day_1"', "", "predictor 'madrs_day_1': landmark is baseline, the champion's is day_1"),
        ('scale = "MADRS"', 'scale = "HAMD17"', "the outcome is on HAMD17"),
        ('[outcome]', '[outcome]\nresponse_reduction = 0.3', "response is a fall of 0.3"),
        ("minimum_baseline = 20", "minimum_baseline = 28", "patients below a baseline of 28 are not meant"),
    ],
)  # fmt: skip
def test_an_input_that_is_gone_or_means_something_else_is_named(old: str, new: str, told: str) -> None:
    is_so, found = changed(old, new)
    assert not is_so
    assert told in found


def test_an_outcome_of_another_day_is_another_outcome() -> None:
    # Nothing but the column's name says which day it is.
    earlier = replace(FILE, outcome=replace(FILE.outcome, endpoint="madrs_day_7"))
    is_so, told = check_schema(earlier, FILE)
    assert not is_so
    assert (
        told == f"the outcome's endpoint is column 'madrs_day_7', the champion's is {FILE.outcome.endpoint!r}"
    )


def test_patients_with_a_lower_baseline_may_be_added() -> None:
    assert changed("minimum_baseline = 20", "minimum_baseline = 10")[0]
    assert changed("minimum_baseline = 20\n", "")[0]


def test_landmarks_that_go_or_change_places_are_named() -> None:
    longer = replace(FILE, landmarks=(*FILE.landmarks, "day_8"))
    assert check_schema(longer, FILE)[0]
    assert check_schema(FILE, longer) == (False, "landmark day_8 is gone")
    turned = replace(longer, landmarks=("baseline", "day_8", "day_1"))
    assert check_schema(turned, longer) == (False, "the landmarks stand in another order")


def test_a_plan_that_comes_or_goes_is_named() -> None:
    def without(file: CohortFile) -> CohortFile:
        return replace(file, plan=None)

    assert check_schema(without(FILE), FILE) == (False, "plan 'plan' is gone")
    assert check_schema(FILE, without(FILE)) == (False, "plan 'plan' is needed; the champion has none")
    assert not changed('spray = "A spray"', 'drops = "Drops"')[0]


def test_everything_that_differs_is_listed() -> None:
    is_so, found = check_schema(
        make_file('[predictors.age]\nkind = "number"\nunit = "years"', '[predictors.age]\nkind = "number"'),
        replace(FILE, outcome=replace(FILE.outcome, response_reduction=0.4)),
    )
    assert not is_so
    assert "unit is None" in found
    assert "; response is a fall of 0.5, the champion's of 0.4" in found

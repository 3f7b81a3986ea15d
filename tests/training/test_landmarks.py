"""Models of later landmarks: who they are learned from, what they may see, and how they compare."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from features.cohort import make_cohort
from features.errors import UserError
from features.schema import check_table
from models.storage import save_model
from tests.features.files import make_file
from tests.models.small import FILE, care_model, make_trial
from tests.training.commands import call
from training.fit import Fit, data_digest, fit_cohort
from training.landmarks import find_landmarks
from training.run import out_of_fold_table, run_score
from training.scoring import score_frame
from training.summary import summarise


def with_day_1(patients: int = 240, seed: int = 21) -> pd.DataFrame:
    """Patients whose first day tells much of the endpoint, and of whom some left care before it."""
    table, rng = make_trial(patients, seed).table, np.random.default_rng(seed)
    start = table["madrs_start"].astype(int)
    end = pd.to_numeric(table["madrs_end"].replace("", None)).fillna(20)
    day_1 = (start + 0.6 * (end - start) + rng.normal(0, 4, patients)).clip(0, 60).round(1)
    left = (table["madrs_end"] == "") & (rng.random(patients) < 0.5)
    return table.assign(madrs_day_1=day_1.astype("str").where(~left, ""))


@cache
def fitted() -> Fit:
    return fit_cohort(make_cohort(FILE, with_day_1()), seed=3, only="ridge")


def test_a_cohort_at_a_landmark_has_what_is_known_by_then() -> None:
    cohort = make_cohort(FILE, with_day_1())
    at = cohort.at("day_1")
    assert [p.name for p in at.file.baseline_predictors][-1] == "madrs_day_1"
    assert at.rows.shape == (len(cohort.rows), cohort.rows.shape[1] + 1)
    # The plan stays last; everything known before stays where it was.
    np.testing.assert_array_equal(at.rows[:, -1], cohort.rows[:, -1])
    np.testing.assert_array_equal(at.rows[:, :6], cohort.rows[:, :6])
    np.testing.assert_array_equal(cohort.at("baseline").rows, cohort.rows)
    assert at.file.text == cohort.file.text


def test_patients_are_in_care_while_anything_of_them_is_observed() -> None:
    table = with_day_1()
    cohort = make_cohort(FILE, table)
    gone = ((table["madrs_day_1"] == "") & (table["madrs_end"] == "")).to_numpy()
    assert 0 < gone.sum() < len(table)
    np.testing.assert_array_equal(cohort.in_care("day_1"), ~gone)
    assert cohort.in_care("baseline").all()


def test_a_landmark_is_validated_on_the_same_folds_and_patients() -> None:
    fit = fitted()
    found, cohort = fit.landmarks["day_1"], fit.cohort
    keys = ["outcome", "repeat", "fold", "patient"]
    before, now = (
        v.out_of_fold[v.out_of_fold["observed"].notna()][keys].reset_index(drop=True)
        for v in (fit.validated, found.validated)
    )
    pd.testing.assert_frame_equal(now, before[before["repeat"] == 0].reset_index(drop=True))
    assert set(found.validated.out_of_fold["patient"]) == set(np.flatnonzero(cohort.in_care("day_1")))
    assert (found.in_care, found.with_endpoint) == (cohort.in_care("day_1").sum(), cohort.flow.with_endpoint)
    assert found.validated.winners == {name: ["ridge"] * 5 for name in fit.validated.winners}


def test_gains_over_baseline_are_those_of_the_same_patients() -> None:
    fit = fitted()
    report = fit.landmarks["day_1"].outcomes["response"]

    def area(table: pd.DataFrame) -> float:
        known = table[(table["outcome"] == "response") & table["observed"].notna() & (table["repeat"] == 0)]
        folds = [fold for _, fold in known.groupby("fold")]
        areas = [roc_auc_score(fold["observed"], fold["probability"]) for fold in folds]
        pairs = [fold["observed"].sum() * (1 - fold["observed"]).sum() for fold in folds]
        return float(np.average(areas, weights=pairs))

    now, before = (area(v.out_of_fold) for v in (fit.landmarks["day_1"].validated, fit.validated))
    assert report.metrics["auroc"].value == pytest.approx(now, abs=1e-9)
    assert report.gains["auroc"].value == pytest.approx(now - before, abs=1e-9)
    # This first day tells much: the gain is beyond doubt, in every figure.
    assert all(gain.low > 0 for gain in report.gains.values())


def test_figures_of_landmarks_are_in_the_summary_and_the_table() -> None:
    fit = fitted()
    found = summarise(fit)["landmarks"]["day_1"]
    assert found["patients_in_care"] == int(fit.cohort.in_care("day_1").sum())
    assert found["outcomes"]["response"]["gain_over_baseline"]["auroc"]["low"] > 0
    table = out_of_fold_table(fit)
    # Two outcomes, two repeats; at day 1 one repeat, and without those who have left.
    assert table["landmark"].value_counts().to_dict() == {
        "baseline": 960,
        "day_1": 2 * found["patients_in_care"],
    }


def test_columns_of_a_later_landmark_do_not_reach_the_model_of_an_earlier_one() -> None:
    table, rng = with_day_1(), np.random.default_rng(4)
    shuffled = table.assign(madrs_day_1=rng.permutation(table["madrs_day_1"].to_numpy()))
    other = fit_cohort(make_cohort(FILE, shuffled), seed=3, only="ridge")
    rows = fitted().cohort.rows
    for name, model in fitted().model.baseline.outcomes.items():
        again = other.model.baseline.outcomes[name]
        expected = model.predict(fitted().model.baseline.inputs(rows))
        np.testing.assert_array_equal(again.predict(other.model.baseline.inputs(rows)), expected)
    pd.testing.assert_frame_equal(other.validated.out_of_fold, fitted().validated.out_of_fold)
    # The same shuffle does reach the model of day 1, and the digest of the data.
    assert other.landmarks["day_1"].outcomes["response"].gains["auroc"].value < 0.1
    assert data_digest(other.cohort) != data_digest(fitted().cohort)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(scores=st.lists(st.integers(0, 60).map(str) | st.just(""), min_size=5, max_size=5))
def test_no_value_of_a_later_column_changes_a_baseline_prediction_of_a_table(scores: list[str]) -> None:
    table, model = make_trial(5, 9).table, care_model("average").baseline
    plain = score_frame(model, check_table(FILE, table.drop(columns="madrs_day_1"), "score"))
    given_later = score_frame(model, check_table(FILE, table.assign(madrs_day_1=scores), "score"))
    pd.testing.assert_frame_equal(given_later, plain)


def test_a_landmark_of_which_hardly_anything_is_known_is_left_out_with_a_warning() -> None:
    table = with_day_1()
    few = table.assign(madrs_day_1=table["madrs_day_1"].where(np.arange(len(table)) < 40, ""))
    found, warnings = find_landmarks(make_cohort(FILE, few))
    assert found == []
    assert len(warnings) == 1
    assert warnings[0].startswith("Landmark day_1: left out. ")
    fit = fit_cohort(make_cohort(FILE, few), seed=3, only="ridge")
    assert list(fit.model.landmarks) == ["baseline"]
    assert warnings[0] in fit.warnings
    assert summarise(fit)["landmarks"] == {}
    empty = make_cohort(FILE, table.assign(madrs_day_1=""))
    assert find_landmarks(empty)[0] == []


def test_a_landmark_without_a_predictor_is_passed_over() -> None:
    file = make_file('order = ["baseline", "day_1"]', 'order = ["baseline", "day_1", "week_2"]')
    assert find_landmarks(make_cohort(file, with_day_1())) == (["day_1"], [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("care")
    save_model(care_model("ridge"), folder / "model")
    make_trial(30, 8).table.to_csv(folder / "in.csv", index=False)
    return folder


def test_score_predicts_from_the_landmark_that_is_asked_for(folder: Path) -> None:
    table = make_trial(30, 8).table
    for landmark, model in care_model("ridge").landmarks.items():
        out = folder / f"{landmark}.csv"
        result = call(
            "score", "--model", folder / "model", "--data", folder / "in.csv", "--out", out,
            "--landmark", landmark,
        )  # fmt: skip
        assert result.code == 0, result.err
        expected = score_frame(model, check_table(model.cohort_file, table, "score"))
        found = pd.read_csv(out, keep_default_na=False)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-12)
    call("score", "--model", folder / "model", "--data", folder / "in.csv", "--out", folder / "plain.csv")
    assert (folder / "plain.csv").read_bytes() == (folder / "baseline.csv").read_bytes()
    assert (folder / "plain.csv").read_bytes() != (folder / "day_1.csv").read_bytes()


def test_score_refuses_a_landmark_that_the_version_does_not_have(folder: Path) -> None:
    with pytest.raises(UserError, match=r"--landmark week_9: .* it has: baseline, day_1"):
        run_score(str(folder / "model"), str(folder / "in.csv"), None, folder / "o.csv", landmark="week_9")
    assert not (folder / "o.csv").exists()


def test_score_at_a_landmark_needs_its_columns(folder: Path) -> None:
    make_trial(30, 8).table.drop(columns="madrs_day_1").to_csv(folder / "short.csv", index=False)
    data = str(folder / "short.csv")
    assert run_score(str(folder / "model"), data, None, folder / "fine.csv") == 30
    with pytest.raises(UserError, match="column 'madrs_day_1' is missing"):
        run_score(str(folder / "model"), data, None, folder / "o.csv", landmark="day_1")

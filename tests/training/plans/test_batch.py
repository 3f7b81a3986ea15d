"""Every plan for every patient of a table: columns, empty cells, safety columns, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.encoding import encode_frame
from features.errors import TableError, UserError
from features.schema import check_table
from features.simulation import simulate
from features.tables import read_table
from models.care_model import CareModel
from models.plan_outcomes import predict_plans
from models.storage import save_model
from tests.models.small import make_trial, small_model
from tests.models.small_care import shipped_care, small_care
from tests.training.commands import call
from training.plans import batch
from training.plans.batch import PLAN_COLUMNS, plans_table
from training.run import run_score

PROMISED = [
    "id", "plan", "response_probability", "response_low", "response_high", "propensity",
    "comparable_patients", "sufficient", "difference", "difference_low", "difference_high", "recommended",
    "safety",
]  # fmt: skip
NUMBERS = [name for name in PLAN_COLUMNS if name.startswith(("response", "difference"))]
SUPPORT = ["propensity", "comparable_patients", "sufficient"]


def patients(n: int = 57, **columns: str) -> pd.DataFrame:
    return make_trial(n, 8).table.assign(**columns)


def test_columns_and_rows_are_those_that_are_promised() -> None:
    table = plans_table(small_care(), patients()).table
    assert list(table) == PROMISED
    assert table["plan"].tolist() == ["spray", "pill"] * 57
    assert table["id"].tolist() == np.repeat(patients()["id"].to_numpy(), 2).tolist()
    assert (table["safety"] == "").all()


def test_numbers_stand_where_support_suffices_and_nowhere_else() -> None:
    table = plans_table(small_care(), patients().assign(age="99")).table
    odd = plans_table(small_care(), patients()).table
    assert not table["sufficient"].any()  # nobody of 99 was treated
    assert table[NUMBERS].isna().all(axis=None)
    assert table[SUPPORT].notna().all(axis=None)
    enough = odd["sufficient"].astype(bool)
    assert enough.any()
    for name in NUMBERS[:3]:
        assert (odd[name].notna() == enough).all()
    reference = (
        odd.loc[odd["plan"] == "pill", ["id", "sufficient"]].set_index("id")["sufficient"].astype(bool)
    )
    both = enough & odd["id"].map(reference)
    assert (odd["difference"].notna() == both).all()
    assert (odd.loc[odd["recommended"], "sufficient"]).all()


def test_own_plan_is_of_no_account_and_may_be_absent() -> None:
    whole = plans_table(small_care(), patients()).table
    for frame in (patients().drop(columns="plan"), patients(plan="pill"), patients(plan="")):
        pd.testing.assert_frame_equal(plans_table(small_care(), frame).table, whole)


def test_probabilities_are_those_of_the_outcome_models() -> None:
    table = plans_table(small_care(), patients()).table
    rows = encode_frame(small_care().cohort_file, check_table(small_care().cohort_file, patients(), "score"))
    expected = predict_plans(small_care().baseline, rows).response[0].ravel()
    shown = table["sufficient"].to_numpy(bool)
    np.testing.assert_allclose(table.loc[shown, "response_probability"], expected[shown], atol=1e-12)


def test_the_size_of_a_chunk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plans_table(small_care(), patients(pregnancy="no")).table
    for chunk in (1, 56, 57):
        monkeypatch.setattr(batch, "_CHUNK", chunk)
        table = plans_table(small_care(), patients(pregnancy="no")).table
        pd.testing.assert_frame_equal(table, whole, rtol=0, atol=1e-12)


def test_safety_outranks_every_number() -> None:
    frame = patients(6)
    frame["suicidal_plan_or_intent"] = ["yes", "", "no", "0", "1", "true"]
    frame["cssrs_ideation"] = ["5", "", "3", "0", "", "0"]
    frame["pregnancy"] = ["yes", "yes", "no", "", "", "0"]
    frame["breast_feeding"] = ["", "yes", "", "", "", ""]
    table, unanswered = plans_table(small_care(), frame)
    texts = table.groupby("id", sort=False)["safety"].agg(list).tolist()
    # No regimen says what the plans of the small file are, so that every rule concerns both.
    assert texts == [
        ["danger: suicidal_plan_or_intent, cssrs_ideation"] * 2,
        ["contraindicated: pregnancy, breast_feeding"] * 2,
        [""] * 2,
        [""] * 2,
        ["danger: suicidal_plan_or_intent"] * 2,
        ["danger: suicidal_plan_or_intent"] * 2,
    ]
    blocked = table["safety"] != ""
    assert table.loc[blocked, [*NUMBERS, *SUPPORT]].isna().all(axis=None)
    assert not table.loc[blocked, "recommended"].any()
    assert table.loc[~blocked, SUPPORT].notna().all(axis=None)
    assert (unanswered["suicidal_plan_or_intent"], unanswered["cssrs_ideation"]) == (1, 2)
    assert (unanswered["pregnancy"], unanswered["psychosis"]) == (2, 6)


def test_contraindication_takes_away_only_the_plans_that_it_concerns() -> None:
    frame = simulate(20, 3).table.assign(pregnancy="yes")
    table = plans_table(shipped_care(), frame).table
    assert set(table.loc[table["safety"] == "", "plan"]) == {"oral_antidepressant"}
    assert not table["recommended"].any()  # a single plan that is left over is no choice


def test_predictor_of_the_cohort_answers_the_question_of_its_name() -> None:
    frame = simulate(20, 3).table.assign(diabetes="")
    frame.loc[:4, "diabetes"] = "1"
    assert plans_table(shipped_care(), frame).unanswered["diabetes"] == 15


def test_bad_answers_are_refused_with_the_tables_own_problems() -> None:
    frame = patients(4)
    frame.loc[1, "age"] = "170"
    frame["pregnancy"] = ["yes", "maybe", "", "no"]
    frame["madrs_item_10"] = ["7", "2.5", "NA", "6"]
    with pytest.raises(TableError, match="4 problems") as caught:
        plans_table(small_care(), frame, origin="new.csv")
    allowed = "a whole number from 0 to 6, or nothing if not known"
    assert caught.value.problems[1:] == (
        f"row 1, column 'madrs_item_10': '7' is not allowed; allowed: {allowed}",
        f"row 2, column 'madrs_item_10': '2.5' is not allowed; allowed: {allowed}",
        "row 2, column 'pregnancy': 'maybe' is not allowed; allowed: true or false, or nothing if not known",
    )
    assert "'170' is not allowed" in caught.value.problems[0]


def test_typed_columns_answer_as_text_does() -> None:
    frame = patients(3)
    typed = frame.assign(
        pregnancy=pd.array([True, False, None], dtype="boolean"), madrs_item_10=[5.0, np.nan, 0.0]
    )
    text = frame.assign(pregnancy=["true", "false", ""], madrs_item_10=["5", "", "0"])
    pd.testing.assert_frame_equal(
        plans_table(small_care(), typed).table, plans_table(small_care(), text).table
    )


def test_empty_table_gives_an_empty_table() -> None:
    table = plans_table(small_care(), patients(3).iloc[:0]).table
    assert list(table) == PROMISED
    assert len(table) == 0


def test_model_without_plans_is_refused() -> None:
    with pytest.raises(UserError, match="no plans to compare; `score` predicts"):
        plans_table(CareModel({"baseline": small_model("ridge")}), patients(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(small_care(), folder)
    return folder


def test_command_writes_both_formats_and_says_what_is_open(folder: Path, tmp_path: Path) -> None:
    frame = patients(5)
    frame["recent_suicide_attempt"] = ["yes", "no", "no", "", "no"]
    frame.to_csv(tmp_path / "in.csv", index=False)
    for suffix in ("csv", "parquet"):
        out = tmp_path / f"out.{suffix}"
        result = call("plans", "--model", folder, "--data", tmp_path / "in.csv", "--out", out)
        assert result.code == 0, result.err
        assert "10 rows, one per patient and plan" in result.out
        assert "danger sign in 1 patients: no plan for them; arrange an urgent evaluation now" in result.out
        assert "recent_suicide_attempt (1)" in result.out
        assert "psychosis (5)" in result.out
    csv = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    parquet = pd.read_parquet(tmp_path / "out.parquet")
    assert list(csv) == list(parquet) == PROMISED
    assert csv.loc[0, "response_probability"] == ""
    assert csv.loc[0, "safety"] == "danger: recent_suicide_attempt"
    assert set(csv["recommended"].astype(str)) <= {"True", "False"}
    assert len(read_table(str(tmp_path / "out.csv"))) == 10


def test_command_refuses_a_bad_answer_in_one_message(folder: Path, tmp_path: Path) -> None:
    patients(2, pregnancy="perhaps").to_csv(tmp_path / "in.csv", index=False)
    arguments = ("--model", folder, "--data", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    result = call("plans", *arguments)
    assert result.code == 2
    assert "column 'pregnancy': 'perhaps' is not allowed" in result.err
    assert not (tmp_path / "out.csv").exists()


def test_score_gives_no_number_beside_a_danger_sign_or_a_contraindication_of_the_own_plan(
    folder: Path, tmp_path: Path
) -> None:
    frame = patients(4, plan="pill")
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame.assign(phq9_item_9=["3", "2", "", ""], pregnancy=["", "", "yes", "no"]).to_csv(
        tmp_path / "asked.csv", index=False
    )
    for name in ("plain", "asked"):
        assert run_score(str(folder), str(tmp_path / f"{name}.csv"), None, tmp_path / f"{name}_out.csv") == 4
    plain, asked = (
        pd.read_csv(tmp_path / f"{name}_out.csv", keep_default_na=False) for name in ("plain", "asked")
    )
    assert list(asked) == [*plain, "safety"]
    assert asked["safety"].tolist() == ["danger: phq9_item_9", "", "contraindicated: pregnancy", ""]
    numbers = [name for name in map(str, plain) if name.startswith(("response", "remission", "verdict"))]
    assert (asked.loc[[0, 2], numbers] == "").all(axis=None)
    pd.testing.assert_frame_equal(asked.loc[[1, 3], list(plain)].astype(str), plain.loc[[1, 3]].astype(str))


def test_contraindication_of_another_plan_leaves_the_own_plans_number(tmp_path: Path) -> None:
    save_model(shipped_care(), tmp_path / "shipped")
    frame = simulate(60, 3).table.assign(pregnancy="yes")
    frame.to_csv(tmp_path / "in.csv", index=False)
    run_score(str(tmp_path / "shipped"), str(tmp_path / "in.csv"), None, tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    own = table["plan"] == "oral_antidepressant"
    assert own.any()
    assert (table["response_probability"].notna() == own).all()

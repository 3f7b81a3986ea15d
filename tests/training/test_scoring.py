"""Batch predictions: columns, ids, formats, chunks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.cohort_file import parse_cohort_file
from features.encoding import encode_frame
from features.errors import UserError
from features.preprocessing import EncodePredictors
from features.schema import check_table
from features.tables import read_table
from models.response_model import OUTCOMES, ResponseModel
from models.scorer import Scorer
from models.storage import save_model
from tests.features.files import COHORT
from tests.models.small import FILE, care_model, make_trial, small_model
from training import scoring
from training.files import write_table
from training.run import run_score
from training.scoring import output_columns, score_frame

COLUMNS = [
    "plan",
    *(
        f"{outcome}_{part}"
        for outcome in ("response", "remission")
        for part in ("probability", "low", "high")
    ),
    "verdict",
    "missing",
]


def checked(patients: int = 57) -> pd.DataFrame:
    return check_table(FILE, make_trial(patients, 8).table, "score")


def test_columns_are_those_that_are_promised() -> None:
    model = small_model("ridge")
    assert list(score_frame(model, checked())) == ["id", *COLUMNS]
    assert output_columns(model) == COLUMNS
    short = ["plan", "response_probability", "remission_probability"]
    assert list(score_frame(model, checked(), probabilities_only=True)) == ["id", *short]


def test_each_row_is_what_the_scorer_answers() -> None:
    model = small_model("average")
    scorer, frame = Scorer(model), checked()
    table = score_frame(model, frame)
    assert table["id"].tolist() == frame["id"].tolist()
    for i, row in enumerate(encode_frame(FILE, frame)):
        answer, line = scorer.answer(row.tolist(), drivers=False), table.iloc[i]
        for outcome, likelihood in (("response", answer.response), ("remission", answer.remission)):
            for part in ("probability", "low", "high"):
                assert line[f"{outcome}_{part}"] == pytest.approx(getattr(likelihood, part), abs=1e-12)
        assert line["verdict"] == answer.verdict
        assert tuple(line["missing"].split()) == answer.missing
        assert line["plan"] == FILE.plan_levels[int(row[-1])]


def test_probabilities_alone_are_those_of_the_whole_table() -> None:
    model = small_model("random_forest")
    whole, short = score_frame(model, checked()), score_frame(model, checked(), probabilities_only=True)
    for outcome in OUTCOMES:
        np.testing.assert_array_equal(short[f"{outcome}_probability"], whole[f"{outcome}_probability"])


def test_the_size_of_a_chunk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model("average")
    whole = score_frame(model, checked())
    for chunk in (1, 10, 56, 57, 58):
        monkeypatch.setattr(scoring, "_CHUNK", chunk)
        pd.testing.assert_frame_equal(score_frame(model, checked()), whole, rtol=0, atol=1e-12)


def test_without_a_row_id_rows_are_counted_from_zero() -> None:
    file = parse_cohort_file(COHORT.replace('row_id = "id"\n', ""), "small.toml")
    fitted = small_model("ridge")
    encoder = EncodePredictors(file)
    for name, value in vars(fitted.encoder).items():
        if name.endswith("_"):
            setattr(encoder, name, value)
    table = score_frame(
        ResponseModel(encoder, fitted.outcomes), check_table(file, make_trial(9, 8).table, "score")
    )
    assert table["row"].tolist() == list(range(9))
    assert list(table) == ["row", *COLUMNS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(care_model("ridge"), folder)
    return folder


def test_csv_and_parquet_say_the_same(folder: Path, tmp_path: Path) -> None:
    make_trial(57, 8).table.to_csv(tmp_path / "in.csv", index=False)
    checked().to_parquet(tmp_path / "in.parquet", index=False)
    for suffix in ("csv", "parquet"):
        assert run_score(str(folder), str(tmp_path / f"in.{suffix}"), None, tmp_path / f"out.{suffix}") == 57
    csv = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    parquet = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False, rtol=0, atol=1e-14)
    pd.testing.assert_frame_equal(parquet, score_frame(small_model("ridge"), checked()), check_dtype=False)


def test_what_was_written_reads_back(tmp_path: Path) -> None:
    table = score_frame(small_model("ridge"), checked())
    for suffix in ("csv", "parquet"):
        write_table(table, tmp_path / f"t.{suffix}")
        assert len(read_table(str(tmp_path / f"t.{suffix}"))) == 57
    assert {p.name for p in tmp_path.iterdir()} == {"t.csv", "t.parquet"}


def test_a_patient_with_gaps_has_their_names_in_the_table() -> None:
    frame = make_trial(3, 8, gaps=False).table
    frame.loc[1, ["age", "crp"]] = ""
    table = score_frame(small_model("ridge"), check_table(FILE, frame, "score"))
    assert table["missing"].tolist() == ["", "age crp", ""]


def test_a_wrong_suffix_is_refused_before_the_model_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"out\.xlsx: the name must end in \.csv or \.parquet"):
        run_score("nowhere", "nothing.csv", None, tmp_path / "out.xlsx")
    with pytest.raises(UserError, match=r"the folder .*absent does not exist"):
        run_score("nowhere", "nothing.csv", None, tmp_path / "absent" / "out.csv")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old", encoding="utf-8")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_table(pd.DataFrame({"a": [1]}), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]

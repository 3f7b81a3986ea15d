"""Every kind of bad input: exit code 2, a message with what is wrong and what is allowed, nothing written."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from models.registry import connect
from models.storage import save_model
from tests.features.files import COHORT
from tests.models.small import care_model, make_trial
from tests.training.commands import call

FIT = ["fit", "--cohort", "cohort.toml", "--data", "cohort.csv", "--out", "out"]
VALIDATE = ["validate", "--model", "model", "--cohort", "cohort.toml", "--data", "cohort.csv"]
SCORE = ["score", "--model", "model", "--data", "cohort.csv", "--out", "predictions.csv"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def cells(column: str, value: str, rows: int | None = 1) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Overwrite the first rows of a column, or all of them."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        changed = table.copy()
        changed.loc[changed.index[:rows], column] = value
        return changed

    return change


def predictor(name: str) -> Callable[[str], str]:
    return lambda text: text + f'\n[predictors.{name}]\nkind = "number"\n'


@dataclass(frozen=True)
class Bad:
    """One bad input: what is changed, and a pattern of what is said."""

    name: str
    message: str
    arguments: list[str] = field(default_factory=lambda: FIT)
    cohort: Callable[[str], str] | None = None
    table: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    content: bytes | None = None
    prepare: Callable[[Path], object] | None = None
    store: str | None = None


def swap(arguments: list[str], option: str, value: str) -> list[str]:
    at = arguments.index(option) + 1
    return [*arguments[:at], value, *arguments[at + 1 :]]


def corrupt(folder: Path) -> None:
    path = folder / "model" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-9] + b"nonsense!")


BAD = [
    Bad("cohort file that is not TOML", r"cohort\.toml: is not TOML", cohort=lambda _: 'name = "x'),
    Bad("cohort file that is absent", r"no\.toml: cannot be read", swap(FIT, "--cohort", "no.toml")),
    Bad(
        "cohort file with several mistakes",
        r"problems.*scale.*age.*kind",
        cohort=lambda t: t.replace('"MADRS"', '"MADRAS"').replace(
            'kind = "number"\nunit', 'kind = "digit"\nunit'
        ),
    ),
    Bad("unknown key", "colour", cohort=lambda t: 'colour = "red"\n' + t),
    Bad(
        "id as predictor",
        r"\[predictors\.id\]: this column is the row_id, which cannot",
        cohort=predictor("id"),
    ),
    Bad("endpoint as predictor", r"the \[outcome\] endpoint, which cannot", cohort=predictor("madrs_end")),
    Bad("group as predictor", r"the group, which cannot be a predictor", cohort=predictor("site")),
    Bad("absent column", "column 'crp'", table=lambda t: t.drop(columns="crp")),
    Bad("misspelt column", "'age'.*'agee'", table=lambda t: t.rename(columns={"age": "agee"})),
    Bad(
        "unknown level",
        r"row 1 \(id patient-000000\), column 'sex': 'woman'.*female",
        table=cells("sex", "woman"),
    ),
    Bad("unknown plan", r"column 'plan': 'tea'.*spray", table=cells("plan", "tea")),
    Bad("impossible value", r"column 'age': '200'.*18 to 100", table=cells("age", "200")),
    Bad("impossible score", r"column 'madrs_end': '61'.*0 to 60", table=cells("madrs_end", "61")),
    Bad("decimal comma", r"column 'crp': '12,5'.*decimal point", table=cells("crp", "12,5")),
    Bad("40 digits", "column 'crp': '1111.*ordinary size", table=cells("crp", "1" * 40)),
    Bad("infinity", "column 'crp': 'inf'", table=cells("crp", "inf")),
    Bad("no number", r"column 'pain': 'some'.*0 or 1", table=cells("pain", "some")),
    Bad("empty file", r"cohort\.csv: is empty", content=b""),
    Bad("header only", "has no rows", table=lambda t: t.iloc[:0]),
    Bad("no text table", "is not a text table", content=b"PK\x00\x01\x02\x00binary"),
    Bad("ragged row", "row 1 has 3 values instead of 2", content=b"id,age\n1,2,3\n"),
    Bad("absent table", r"no\.csv: cannot be read", swap(FIT, "--data", "no.csv")),
    Bad("table of unknown type", "is of an unknown type", swap(FIT, "--data", "cohort.toml")),
    Bad("query without a database", "a query needs a database URL", [*FIT, "--query", "select 1"]),
    Bad("duplicate ids", "column 'id'.*no other row has", table=cells("id", "same", 2)),
    Bad("missing id", "column 'id'", table=cells("id", "")),
    Bad("one class only", "response: 0 with and .* without", table=cells("madrs_end", "44", None)),
    Bad(
        "fewer than 2 events",
        "response: 1 with and ",
        table=lambda t: cells("madrs_end", "0")(cells("madrs_end", "44", None)(t)),
    ),
    Bad("no endpoint at all", "response: 0 with and 0 without", table=cells("madrs_end", "", None)),
    Bad("empty column", "column 'crp' is empty; leave it out", table=cells("crp", "", None)),
    Bad("constant column", "column 'age' is 44 for all patients", table=cells("age", "44", None)),
    Bad("one plan only", "column 'plan' is 'pill' for all patients", table=cells("plan", "pill", None)),
    Bad("one site only", "and 1 groups; at least 2 of each are needed", table=cells("site", "here", None)),
    Bad(
        "all below the minimum",
        "no patient is left of 60; excluded: 60 with",
        table=cells("madrs_start", "10", None),
    ),
    Bad(
        "unknown candidate",
        "--candidate magic is not known; allowed: prevalence, ridge",
        [*FIT, "--candidate", "magic"],
    ),
    Bad(
        "results where a file is",
        "out",
        prepare=lambda folder: (folder / "out").write_text("a file", encoding="utf-8"),
    ),
    Bad("store that does not answer", "the tracking store does not answer", store="http://127.0.0.1:{port}"),
    Bad("absent model", r"nowhere holds no model", swap(SCORE, "--model", "nowhere")),
    Bad("corrupt model", r"was changed after it was saved: arrays\.npz", SCORE, prepare=corrupt),
    Bad(
        "unknown alias",
        "the registry holds no models:/none@champion",
        swap(SCORE, "--model", "models:/none@champion"),
    ),
    Bad("no address of a model", "write models:/NAME@ALIAS", swap(SCORE, "--model", "models:/none")),
    Bad(
        "unknown suffix", r"p\.xlsx: the name must end in \.csv or \.parquet", swap(SCORE, "--out", "p.xlsx")
    ),
    Bad("absent folder", "the folder .* does not exist", swap(SCORE, "--out", "no/p.csv")),
    Bad("patient without a plan", "column 'plan'", SCORE, table=cells("plan", "")),
    Bad("absent column to score", "column 'age'", SCORE, table=lambda t: t.drop(columns="age")),
    Bad(
        "promoting a folder", "only a registered version can become champion", ["promote", "--model", "model"]
    ),
    Bad(
        "promoting nothing", "the registry holds no models:/none/1", ["promote", "--model", "models:/none/1"]
    ),
    Bad("validating a folder", "is a folder; write models:/NAME/VERSION", VALIDATE),
    Bad(
        "validating nothing",
        "the registry holds no models:/none@challenger",
        swap(VALIDATE, "--model", "models:/none@challenger"),
    ),
    Bad(
        "gates that are none",
        r"cohort\.toml: \d+ problems .*format: is missing.*at least one \[gates\.NAME\] is needed",
        [*VALIDATE, "--gates", "cohort.toml"],
    ),
    Bad("validation into a file", "cohort.csv is a file; name a folder", [*VALIDATE, "--out", "cohort.csv"]),
    Bad(
        "unknown population",
        "moon",
        ["simulate", "--patients", "9", "--out", "s.csv", "--population", "moon"],
    ),
    Bad(
        "unknown suffix to simulate",
        r"s\.txt: the name must end in",
        ["simulate", "--patients", "9", "--out", "s.txt"],
    ),
    Bad(
        "unknown suffix of the truth",
        r"t\.txt: the name must end in",
        ["simulate", "--patients", "9", "--out", "s.csv", "--truth", "t.txt"],
    ),
    Bad("no patients", "patients", ["simulate", "--patients", "0", "--out", "s.csv"]),
    Bad("seed that is no number", "seed", [*FIT, "--seed", "x"]),
]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store made once: its tables take seconds to make."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        connect()
    return uri


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def recorded(store: str) -> tuple[int, int]:
    """Number of runs and of registered models in a store."""
    mlflow.set_tracking_uri(store)
    client = MlflowClient()
    experiments = [e.experiment_id for e in client.search_experiments()]
    return len(client.search_runs(experiments)), len(client.search_registered_models())


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input_is_refused_with_its_reason_and_nothing_is_written(
    bad: Bad, empty_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (bad.store or empty_store).format(port=free_port()))
    table = make_trial(60, 5).table
    (tmp_path / "cohort.toml").write_text((bad.cohort or str)(COHORT), encoding="utf-8")
    (bad.table(table) if bad.table else table).to_csv(tmp_path / "cohort.csv", index=False)
    if bad.content is not None:
        (tmp_path / "cohort.csv").write_bytes(bad.content)
    save_model(care_model("ridge"), tmp_path / "model")
    if bad.prepare:
        bad.prepare(tmp_path)
    before, known = listing(tmp_path), recorded(empty_store)

    result = call(*bad.arguments)

    assert result.code == 2, result.out + result.err
    # Mistakes in options are framed and broken into lines by typer.
    said = " ".join(result.err.replace("│", " ").split())
    assert re.search(bad.message, said), result.err
    assert "Traceback" not in result.err
    assert listing(tmp_path) == before
    assert recorded(empty_store) == known


def test_the_table_has_at_least_as_many_cases_as_were_asked_for() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 25


def test_the_input_that_is_changed_is_a_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each case above could fail for another reason."""
    monkeypatch.chdir(tmp_path)
    make_trial(60, 5).table.to_csv("cohort.csv", index=False)
    save_model(care_model("ridge"), tmp_path / "model")
    result = call(*SCORE)
    assert result.code == 0, result.err
    assert (tmp_path / "predictions.csv").is_file()

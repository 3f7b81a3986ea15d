"""Severe findings stop the command `fit` before the long work; acknowledged ones are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from features.errors import UserError
from tests.features.files import COHORT
from tests.models.small import make_trial
from tests.training.commands import call
from tests.training.diagnostics import planted
from tests.training.diagnostics.planted import Planted
from training.diagnostics.findings import Finding
from training.diagnostics.run import CHECKS, check_findings

# Without plans, landmarks and durability, which take long and bear on nothing here.
SHORT = (
    COHORT.split("[plan]")[0]
    + COHORT[COHORT.index("[predictors.age]") :].split("[predictors.madrs_day_1]")[0]
)
DOCS = Path(__file__).parents[3] / "docs" / "diagnostics.md"


def finding(check: str = "duplicates", where: str = "rows", *, severe: bool = True) -> Finding:
    return Finding(check, severe, where, "3 pairs.", "Keep one.")


@pytest.mark.usefixtures("store_uri")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: planted.noisy_copy(6.0), "separates_outcome:inventory", id="noisy copy"),
        pytest.param(planted.week_4_at_baseline, "after_landmark:madrs_week_4", id="score of week 4"),
        pytest.param(planted.id_by_outcome, "id_tells_outcome:patient_id", id="id by outcome"),
        pytest.param(planted.record_number, "identifier:record_number", id="record number by outcome"),
        pytest.param(planted.duplicated, "duplicates:rows", id="patients twice"),
    ],
)
def test_fit_stops_before_the_long_work_and_names_the_fault(
    make: Callable[[], Planted], expected: str, tmp_path: Path
) -> None:
    cohort, data = make().write(tmp_path)
    result = call("fit", "--cohort", cohort, "--data", data, "--out", tmp_path / "out")
    assert result.code == 2
    check, where = expected.split(":")
    assert f"- {check} ({where}): " in result.err
    assert f"--acknowledge {expected}" in result.err
    assert "cross-validating" not in result.out
    assert not (tmp_path / "out").exists()
    assert not [m for m in mlflow.search_registered_models() if m.name == "ketamine-trd"]


def fit_small(folder: Path, text: str, table: pd.DataFrame, *options: str) -> tuple[int, str, str]:
    cohort, data = Planted(text, table).write(folder)
    return call(
        "fit", "--cohort", cohort, "--data", data, "--out", folder / "out", "--candidate", "ridge", *options
    )


@pytest.mark.usefixtures("store_uri")
def test_acknowledged_finding_is_recorded_in_figures_and_run(tmp_path: Path) -> None:
    table = make_trial(160, 8).table
    twice = pd.concat([table, table.head(4).assign(id=["a", "b", "c", "d"])], ignore_index=True)
    code, printed, problem = fit_small(tmp_path, SHORT, twice, "--acknowledge", "duplicates")
    assert code == 0, problem
    assert "duplicates (rows): 4 pairs of rows (8 of 164 patients)" in " ".join(printed.split())
    assert "Severe, acknowledged." in " ".join(printed.split())
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    recorded = {f["check"]: f for f in figures["findings"]}
    assert recorded["duplicates"]["severe"]
    assert recorded["duplicates"]["acknowledged"]
    version = MlflowClient().get_model_version_by_alias("small", "challenger")
    run = mlflow.get_run(str(version.run_id))
    assert run.data.params["acknowledged"] == "duplicates"


@pytest.mark.usefixtures("store_uri")
def test_a_result_too_good_to_be_true_is_not_registered(tmp_path: Path) -> None:
    # Twenty columns that each tell a little about the outcome, none enough to be accused alone.
    trial = make_trial(260, 9, gaps=False)
    responds = trial.table["madrs_end"].astype(int) <= trial.table["madrs_start"].astype(int) / 2
    rng = np.random.default_rng(4)
    clues = {
        f"clue_{i}": np.where(rng.random(260) < 0.66, responds, ~responds).astype(int) for i in range(20)
    }
    text = SHORT + "".join(f'[predictors.{name}]\nkind = "binary"\n' for name in clues)
    code, _, problem = fit_small(tmp_path, text.replace('"small"', '"clues"'), trial.table.assign(**clues))
    assert code == 2
    assert "- implausible_result (response): " in problem
    assert "separates_outcome" not in problem
    assert not (tmp_path / "out").exists()
    assert not [m for m in mlflow.search_registered_models() if m.name == "clues"]


def test_unacknowledged_finding_is_named_with_evidence_advice_and_what_to_type() -> None:
    stopping = (finding(), finding("separates_outcome", "a b"))
    with pytest.raises(
        UserError, match=r"2 severe findings(?s:.*)duplicates \(rows\): 3 pairs\. Keep one\."
    ) as raised:
        check_findings(stopping, [])
    assert "--acknowledge duplicates:rows --acknowledge 'separates_outcome:a b'" in str(raised.value)


def test_acknowledging_one_column_leaves_the_others() -> None:
    stopping = (finding("separates_outcome", "one"), finding("separates_outcome", "two"))
    with pytest.raises(UserError, match=r"1 severe finding;(?s:.*)separates_outcome \(two\)"):
        check_findings(stopping, ["separates_outcome:one"])
    check_findings(stopping, ["separates_outcome"])
    check_findings(stopping, ["separates_outcome:one", "separates_outcome:two"])


def test_notices_stop_nothing() -> None:
    check_findings((finding(severe=False),), [])


def test_misspelt_name_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    absent = tmp_path / "no.toml"
    result = call("fit", "--cohort", absent, "--data", "no.csv", "--acknowledge", "duplicate")
    assert result.code == 2
    assert "--acknowledge duplicate is not known; allowed: separates_outcome" in result.err


def test_every_diagnostic_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [check for check in CHECKS if f"`{check}`" not in text] == []

"""A stored prediction is computed anew from its version and inputs, and agrees to the last digit."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from typer.testing import CliRunner

from features.cohort_file import CohortFile
from models.care_model import CareModel
from models.registry import Located, locate
from models.storage import save_model
from serving.app import create_app
from serving.commands import app
from serving.loading import load_served
from serving.records.chain import RecordsError
from serving.records.database import open_engine, read_url
from serving.records.migrating import prepare_records
from serving.records.replaying import Replayer
from serving.settings import Settings
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care
from tests.serving.records.conftest import Records
from tests.serving.versions import second_care

EACH = 500


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    folder = tmp_path_factory.mktemp("replay")
    prepare_records(f"sqlite:///{folder / 'records.sqlite'}", folder / "records.key")
    return Records(f"sqlite:///{folder / 'records.sqlite'}", folder / "records.key")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Located]:
    cares: list[Callable[[], CareModel]] = [shipped_care, second_care]
    located = []
    for number, make in enumerate(cares):
        folder = tmp_path_factory.mktemp("versions") / f"version-{number}"
        save_model(make(), folder)
        sign_folder(folder)
        located.append(locate(str(folder)))
    return located


@pytest.fixture(scope="module")
def answered(records: Records, versions: list[Located]) -> dict[str, dict[str, Any]]:
    """A thousand answers over two versions, by their id."""
    answers: dict[str, dict[str, Any]] = {}
    for located in versions:
        served = load_served(located, located.folder.parent / f"{located.folder.name}-keys")
        settings = Settings(records=records.address, records_key=records.key, log_level="warning")
        with TestClient(create_app(settings, served)) as client:
            for path, body in requests(served.model.cohort_file, served.model.plans is not None):
                answer = client.post(path, json=body)
                assert answer.status_code == 200, answer.text
                answers[answer.json()["prediction_id"]] = answer.json()
    return answers


def requests(file: CohortFile, plans: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    rng = random.Random(20261123)
    for number in range(EACH):
        patient = {p.name: value(p, rng) for p in file.baseline_predictors if rng.random() < 0.8}
        if plans and number % 10 == 0:
            yield "/v1/plans", {"patient": patient, "start": "2026-12-01"}
            continue
        body = {"patient": patient, "plan": rng.choice(file.plan_levels), "drivers": number % 2 == 0}
        yield (
            "/v1/predict",
            body | ({"safety": {"suicidal_plan_or_intent": False}} if number % 3 == 0 else {}),
        )


def value(predictor: Any, rng: random.Random) -> Any:
    if predictor.kind == "binary":
        return rng.random() < 0.5
    if predictor.levels:
        return rng.choice(predictor.levels)
    return rng.uniform(*(predictor.valid or (0, 100)))


def test_a_thousand_predictions_of_two_versions_agree_to_the_last_digit(
    records: Records, versions: list[Located], answered: dict[str, dict[str, Any]]
) -> None:
    replayers = {located.digest: Replayer(located) for located in versions}
    store = records.store()
    stored = [store.find(prediction_id) for prediction_id in answered]
    store.close()
    found = [(s, replayers[s.digest].replay(s)) for s in stored if s is not None]
    assert len(found) == 2 * EACH
    assert [where for _, where in found if where] == []
    assert {s.digest for s, _ in found} == {located.digest for located in versions}
    assert {s.kind for s, _ in found} == {"predict", "plans"}
    # What was compared is what was answered.
    assert all(json.loads(s.outputs or "") == answered[s.prediction_id] for s, _ in found)


def test_one_bit_that_differs_is_found(
    records: Records, versions: list[Located], answered: dict[str, dict[str, Any]]
) -> None:
    import dataclasses
    import math

    store = records.store()
    stored = store.find(next(i for i, a in answered.items() if a.get("response")))
    store.close()
    assert stored is not None
    outputs = json.loads(stored.outputs or "")
    outputs["response"]["probability"] = math.nextafter(outputs["response"]["probability"], 1)
    changed = dataclasses.replace(stored, outputs=json.dumps(outputs))
    by_digest = {located.digest: located for located in versions}
    assert Replayer(by_digest[stored.digest]).replay(changed) == ["/response/probability"]
    [other] = [located for located in versions if located.digest != stored.digest]
    with pytest.raises(RecordsError, match="was made by other files"):
        Replayer(other).replay(stored)


def test_commands_replay_verify_and_erase(
    records: Records,
    versions: list[Located],
    answered: dict[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TREATMENT_RESPONSE_RECORDS", records.address)
    monkeypatch.setenv("TREATMENT_RESPONSE_RECORDS_KEY", str(records.key))
    run = CliRunner().invoke
    last = str(versions[1].folder)
    ids = list(answered)[-3:]
    replayed = run(app, ["replay", *ids, "--newest", "2", "--model", last])
    assert replayed.exit_code == 0, replayed.output
    assert "5 of 5 predictions, over 1 versions, agree to the last digit" in replayed.output
    whole = run(app, ["verify-audit"])
    assert whole.exit_code == 0
    head = whole.output.split("head ")[1].strip()
    assert f"{2 * EACH} lines, 0 problems" in whole.output

    change = text("UPDATE predictions SET outputs = replace(outputs, :before, :after) WHERE id = :id")
    engine = open_engine(read_url(records.address))
    with engine.begin() as connection:
        values = {"before": '"level":0.9', "after": '"level":0.8', "id": ids[0]}
        connection.execute(change, values)
    engine.dispose()
    differs = run(app, ["replay", *ids, "--model", last])
    assert differs.exit_code == 1
    assert f"{ids[0]} differs at: /response/level, /remission/level" in differs.output
    assert "2 of 3 predictions" in differs.output
    found = run(app, ["verify-audit", "--head", head])
    assert found.exit_code == 1
    assert "was changed" in found.output

    erased = run(app, ["erase", "--older-than", "0"])
    assert erased.output == f"content of {2 * EACH} predictions erased\n"
    with pytest.raises(RecordsError, match="its inputs were not kept, or were erased"):
        run(app, ["replay", ids[1], "--model", last], catch_exceptions=False)


def test_unknown_prediction_cannot_be_replayed(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREATMENT_RESPONSE_RECORDS", records.address)
    monkeypatch.setenv("TREATMENT_RESPONSE_RECORDS_KEY", str(records.key))
    with pytest.raises(RecordsError, match="the records hold no prediction of that id"):
        CliRunner().invoke(app, ["replay", "0" * 36], catch_exceptions=False)


def test_lost_database_is_said_plainly(tmp_path: Path, records: Records) -> None:
    from features.errors import UserError

    missing = Records(f"sqlite:///{tmp_path / 'none.sqlite'}", records.key)
    with pytest.raises(UserError, match="SQLITE_CANTOPEN"):
        missing.store().find("x")

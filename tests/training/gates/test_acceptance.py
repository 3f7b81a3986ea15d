"""Good and bad versions through the real command line, with the shipped gates: what stops each, and why.

One good version is fitted once. Faults that are in the data of the validation (a subgroup) are shown on other
data, where the version itself is judged; faults of the version's making are shown on its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from features.errors import ArtefactError
from models.calibration import Recalibration
from models.keys import TRUSTED_KEYS, make_key
from models.record import changed_files, sign
from models.registry import load_located, locate
from models.response_model import OutcomeModel, ResponseModel
from tests.models.records import store_on_version
from tests.training.commands import call
from tests.training.gates.place import (
    FILE,
    NAME,
    Place,
    fit,
    make_table,
    register,
    response_of,
    stopped_by,
    validate,
    verdicts,
    with_response,
)
from training.validation.logged import load_logged

pytestmark = pytest.mark.slow


@pytest.fixture
def nobody(client: MlflowClient) -> Iterator[None]:
    """No champion, before and after."""
    remove_champion(client)
    yield
    remove_champion(client)


def remove_champion(client: MlflowClient) -> None:
    if "champion" in client.get_registered_model(NAME).aliases:
        client.delete_registered_model_alias(NAME, "champion")


SIGNED_PATHS = {
    "validation.json": "validation/validation.json",
    "gates.json": "validation/gates.json",
    "metrics.json": "metrics.json",
}


def digest_of_logged(run_id: str, path: str) -> str:
    logged = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
    return hashlib.sha256(Path(logged).read_bytes()).hexdigest()


@pytest.mark.usefixtures("nobody")
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
    record = locate(place.uri).record
    assert record is not None
    digests = {name: digest_of_logged(run_id, path) for name, path in SIGNED_PATHS.items()}
    assert changed_files(json.loads(record.text), digests) == ()
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


@pytest.mark.parametrize("data", ["fresh.csv", "own.csv"])
def test_a_version_that_answers_no_number_is_refused_by_validate(
    place: Place, tmp_path: Path, data: str
) -> None:
    good = load_located(locate(place.uri))
    nothing = replace(good, landmarks={name: blur(model, np.nan) for name, model in good.landmarks.items()})
    (tmp_path / "nan").mkdir()
    result = validate(place, f"models:/{NAME}/{register(nothing, place.version, tmp_path / 'nan')}", data)
    assert (result.code, "validating" in result.out) == (2, False)
    assert "holds numbers that are not finite" in result.err
    # Every number is finite, and intervals of an inverted model are not.
    inverted = replace(good, landmarks={name: blur(model, -1e3) for name, model in good.landmarks.items()})
    (tmp_path / "hidden").mkdir()
    result = validate(place, f"models:/{NAME}/{register(inverted, place.version, tmp_path / 'hidden')}", data)
    assert (result.code, "validating" in result.out) == (2, False)
    assert "the version's answers are not numbers: response at baseline" in result.err


def blur(model: ResponseModel, variance: float) -> ResponseModel:
    """Rank the wrong way round, with intervals from this variance."""
    outcome = model.outcomes["response"]
    line, covariance = outcome.choice.recalibration, outcome.uncertainty.covariance
    spread = np.broadcast_to(variance * np.eye(covariance.shape[-1]), covariance.shape)
    choice = replace(outcome.choice, recalibration=Recalibration(line.intercept, -line.slope))
    changed = replace(outcome, choice=choice, uncertainty=replace(outcome.uncertainty, covariance=spread))
    return replace(model, outcomes={**model.outcomes, "response": changed})


@pytest.mark.usefixtures("nobody")
def test_a_version_worse_than_the_champion_is_stopped(place: Place, client: MlflowClient) -> None:
    rng, table = np.random.default_rng(0), make_table(1)
    # Two strong predictors tell nothing: it has skill, and less of it.
    for name in ("pain", "age"):
        table[name] = rng.permutation(table[name])
    table.to_csv(place.folder / "poor.csv", index=False)
    uri = f"models:/{NAME}/{fit(place.folder, 'poor.csv')}"
    validate(place, uri, "fresh.csv")
    alone = stopped_by(place)
    client.set_registered_model_alias(NAME, "champion", place.version)
    result = validate(place, uri, "fresh.csv")
    assert result.code == 1
    # Nothing but the comparison has changed.
    assert stopped_by(place) - alone == {"champion"}
    assert "against the champion" in result.out
    promoted = call("promote", "--model", uri)
    assert promoted.code == 2
    assert "champion (response): fail" in promoted.err


@pytest.mark.usefixtures("nobody")
def test_promotion_asks_for_a_comparison_with_the_champion_that_is_replaced(place: Place) -> None:
    first, second = place.version, fit(place.folder, "own.csv", seed=5)
    for version in (first, second):
        assert validate(place, f"models:/{NAME}/{version}", "fresh.csv").code == 0
    assert call("promote", "--model", f"models:/{NAME}/{second}").code == 0
    stale = call("promote", "--model", place.uri)
    assert stale.code == 2
    assert f"error: version {first} of small was compared with no champion;" in stale.err
    assert f"the champion is now version {second} (files" in stale.err
    assert "validate it again" in stale.err
    # Compared now, on the data of the fit too: the other one learned from them.
    assert validate(place, place.uri, "own.csv").code == 0
    done = call("promote", "--model", place.uri)
    assert (done.code, "way back" in done.out) == (0, False)
    # The other one was never compared with it; but it was in use before.
    back = call("promote", "--model", f"models:/{NAME}/{second}")
    assert back.code == 0, back.err
    assert f"a way back: the record of version {first} names it as the one it replaced" in back.out


NEW_PLANS = 'gas = "A gas"\ndrip = "A drip"\nspray = "A spray"\n'


@pytest.mark.usefixtures("nobody")
def test_a_champion_who_knows_none_of_the_plans_is_no_reason_to_pass(
    place: Place, client: MlflowClient
) -> None:
    (place.folder / "plans.toml").write_text(
        FILE.replace('spray = "A spray"\n', NEW_PLANS),
        encoding="utf-8",
    )
    for name, seed in (("new_plans.csv", 1), ("other_plans.csv", 2)):
        table = make_table(seed)
        table["plan"] = table["plan"].map({"pill": "gas", "spray": "drip"})
        table.to_csv(place.folder / name, index=False)
    uri = f"models:/{NAME}/{fit(place.folder, 'new_plans.csv', 'plans.toml')}"
    alone = validate(place, uri, "other_plans.csv", "plans.toml")
    assert alone.code == 0, alone.out + alone.err
    client.set_registered_model_alias(NAME, "champion", place.version)
    for data in ("new_plans.csv", "other_plans.csv"):
        result = validate(place, uri, data, "plans.toml")
        assert result.code == 1, result.err
        assert stopped_by(place) == {"champion"}
        found = [gate for gate in verdicts(place) if gate["name"] == "champion"]
        assert {(gate["verdict"], gate["ok"], gate["reason"]) for gate in found} == {
            ("too little data to say", False, "the champion would refuse every patient of this cohort")
        }
    promoted = call("promote", "--model", uri)
    assert promoted.code == 2
    assert "champion (response): too little data to say" in promoted.err


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


EVIL = """
import pathlib
pathlib.Path({seen!r}).write_text("it ran")
from training.logged_model import _load_pyfunc
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "loader_module: training.logged_model",
            "loader_module: evil_loader",
            "written by a fit: loader_module",
        ),
        ("code: null", "code: code", "written by a fit: code"),
        ("code: null", "code: null\n    predict_fn: run", "written by a fit: predict_fn"),
        ("flavors:", "flavors:\n  evil_loader: {}", "written by a fit: evil_loader"),
        ("", "", "beside the logged model lies what no fit has written: code"),
    ],
)
def test_no_code_from_the_store_runs_where_the_key_is(
    place: Place, tmp_path: Path, old: str, new: str, said: str
) -> None:
    seen = tmp_path / "seen"

    def plant(logged: Path) -> None:
        meta = logged / "MLmodel"
        text = meta.read_text(encoding="utf-8")
        assert old in text
        if "loader_module" in new:  # as an attacker would, who needs both
            text = text.replace("code: null", "code: code")
        meta.write_text(text.replace(old, new), encoding="utf-8")
        (logged / "code").mkdir()
        (logged / "code" / "evil_loader.py").write_text(EVIL.format(seen=str(seen)), encoding="utf-8")

    version = register(load_located(locate(place.uri)), place.version, tmp_path, plant)
    located = locate(f"models:/{NAME}/{version}")
    with pytest.raises(ArtefactError, match=said if "loader" not in old else "code, loader_module"):
        load_logged(located)
    assert not seen.exists()
    # It would have run: MLflow's own loader does as the file says.
    if "loader_module" in new:
        mlflow.pyfunc.load_model(str(located.folder.parents[1]))
        assert seen.read_text(encoding="utf-8") == "it ran"


def test_a_version_with_code_beside_it_is_stopped(place: Place, tmp_path: Path) -> None:
    good = load_located(locate(place.uri))
    version = register(good, place.version, tmp_path, lambda logged: (logged / "extra.py").touch())
    assert validate(place, f"models:/{NAME}/{version}", "fresh.csv").code == 1
    assert stopped_by(place) == {"logged_answers"}


def passing(place: Place, version: str) -> dict[str, object]:
    digest = locate(f"models:/{NAME}/{version}").digest
    return {
        "name": NAME,
        "version": version,
        "artefact_digest": digest,
        "passed": True,
        "champion": None,
        "gates": [],
    }


@pytest.mark.usefixtures("nobody")
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
    assert "champion" not in client.get_registered_model(NAME).aliases
    # The same files with an honest record are let through: nothing else was in the way.
    store_on_version(sign(values, key), NAME, version)
    assert call("promote", "--model", uri).code == 0


def test_a_cohort_file_that_declares_less_switches_no_gate_off(place: Place) -> None:
    less = FILE.replace('[landmarks]\norder = ["baseline", "day_1"]\n', "").replace('group = "site"\n', "")
    less = less[: less.index("[predictors.madrs_day_1]")].replace("subgroup = true\n", "")
    (place.folder / "less.toml").write_text(less, encoding="utf-8")
    result = validate(place, place.uri, "fresh.csv", "less.toml")
    assert result.code == 1, result.err
    assert stopped_by(place) == {"new_site", "landmark_calibration"}
    found = {gate["name"]: gate for gate in verdicts(place)}
    declares = "the version's cohort file declares {}, and the one given does not"
    assert found["new_site"]["reason"] == declares.format("group = 'site'")
    assert found["landmark_calibration"]["reason"] == declares.format("what is known at day_1")
    # Its own subgroups are judged all the same.
    whom = {gate["for"] for gate in verdicts(place) if gate["name"] == "subgroup_discrimination"}
    assert {"sex = female", "sex = male"} < whom
    # On the data of the fit it is another description of them.
    (place.folder / "less.toml").write_text(FILE.replace("\nsubgroup = true", ""), encoding="utf-8")
    result = validate(place, place.uri, "own.csv", "less.toml")
    assert (result.code, "validating" in result.out) == (2, False)
    assert "the version's own, which declares 'age' a subgroup, 'sex' a subgroup: give the file" in result.err


def test_many_sites_that_are_all_too_small_are_not_no_sites(place: Place) -> None:
    table = make_table(2)
    table.assign(site=[f"site {i // 10}" for i in range(len(table))]).to_csv(
        place.folder / "many.csv", index=False
    )
    result = validate(place, place.uri, "many.csv")
    assert result.code == 1, result.err
    found = [gate for gate in verdicts(place) if gate["name"] == "new_site"]
    assert {(gate["verdict"], gate["ok"], gate["reason"]) for gate in found} == {
        (
            "too little data to say",
            False,
            "none of the 90 groups (site) is large enough to be measured alone",
        )
    }


def test_what_went_wrong_unexpectedly_does_not_look_like_a_verdict(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("not a user's mistake")

    monkeypatch.setattr("training.validation.run.validate_version", fail)
    result = validate(place, place.uri, "fresh.csv")
    assert result.code == 3
    assert "ZeroDivisionError: not a user's mistake" in result.err
    assert "Traceback" in result.err


def test_what_cannot_end_well_is_said_before_the_work(place: Place, tmp_path: Path) -> None:
    start = ["validate", "--model", place.uri, "--cohort", place.folder / "cohort.toml"]
    start += ["--data", place.folder / "fresh.csv"]
    (tmp_path / "file").touch()
    result = call(*start, "--out", tmp_path / "file" / "x")
    assert (result.code, "validating" in result.out) == (2, False)
    assert f"--out {tmp_path}/file/x cannot be written to: {tmp_path}/file: Not a directory" in result.err
    gates = tmp_path / "gates.toml"
    gates.write_text(
        'format = 1\n[gates.own]\nmetric = "reproduced"\nfor = "check"\ndata = "same"\n', "utf-8"
    )
    result = call(*start, "--gates", gates, "--out", tmp_path / "out")
    assert (result.code, "validating" in result.out) == (2, False)
    assert "no gate is asked of other data than those of the fit" in result.err
    table = make_table(2).assign(madrs_end="")
    table.to_csv(place.folder / "unknown.csv", index=False)
    result = validate(place, place.uri, "unknown.csv")
    assert (result.code, "validating" in result.out) == (2, False)
    assert "no patient of this cohort has an endpoint" in result.err


def test_a_key_that_nobody_trusts_is_warned_of(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path))
    result = validate(place, place.uri, "fresh.csv")
    said = (
        f"is not among the 0 trusted keys in {tmp_path}: promote and the service will not believe this record"
    )
    assert " ".join(result.out.split()).count(said) == 2  # before the work, and at its end
    assert call("promote", "--model", place.uri).code == 2
    (tmp_path / "junk.pub").write_text("no key", encoding="utf-8")
    result = validate(place, place.uri, "fresh.csv")
    assert (result.code, "validating" in result.out) == (2, False)
    assert "junk.pub is not a public key in PEM" in result.err


def test_a_file_of_gates_of_ones_own_decides(place: Place) -> None:
    gates = place.folder / "gates.toml"
    text = 'format = 1\n[gates.hard]\nmetric = "auroc"\nat_least = 0.99\njudged_on = "upper"\nfor = "all"\n'
    gates.write_text(text, encoding="utf-8")
    options = ["--cohort", place.folder / "cohort.toml", "--data", place.folder / "fresh.csv"]
    options += ["--gates", gates, "--out", place.folder / "out"]
    result = call("validate", "--model", place.uri, *options)
    assert result.code == 1
    assert stopped_by(place) == {"hard"}
    # A record with room for so many verdicts there is not: said at once, not after the work.
    table = text.partition("\n")[2]
    many = "".join(table.replace("gates.hard", f"gates.hard_{number}") for number in range(40))
    gates.write_text(f"format = 1\n{many}", encoding="utf-8")
    result = call("validate", "--model", place.uri, *options)
    assert (result.code, "validating" in result.out) == (2, False)
    assert "the verdicts of 40 gates may take" in result.err
    gates.write_text(text.replace("auroc", "auroca").replace("at_least", "at_lest"), encoding="utf-8")
    result = call("validate", "--model", place.uri, *options)
    assert result.code == 2
    for part in ("did you mean 'auroc'?", "exactly one bound is needed", "unknown key 'at_lest'"):
        assert part in result.err

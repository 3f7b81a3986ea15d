"""Who may become champion after whom, through the command line: all have passed, by a trusted key."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.errors import RecordError
from models.keys import TRUSTED_KEYS, make_key
from models.record import sign, state_champion
from models.registry import DIGEST_TAG, connect, locate
from tests.models.records import store_on_version
from tests.training.commands import call
from tests.training.conftest import FittedStore
from training.gates.promotion import check_promotion

NAME = "small"


TIME = "2026-11-23T10:00:00+00:00"
SIGNED = f"; its validation was signed {TIME}"


@dataclass
class Line:
    """Versions 1, 2 and 3 of one model.

    Parameters
    ----------
    client : MlflowClient
    keys : Path
    """

    client: MlflowClient
    keys: Path

    def digest(self, version: str) -> str:
        return str(self.client.get_model_version(NAME, version).tags[DIGEST_TAG])

    def record(self, version: str, against: str | None, **changes: object) -> None:
        """Store a record that says that a version passed, compared with a champion."""
        rival = None if against is None else state_champion(against, self.digest(against))
        values = {"name": NAME, "version": version, "artefact_digest": self.digest(version)}
        signed = values | {"champion": rival, "passed": True, "gates": [], "time": TIME} | changes
        store_on_version(sign(signed, self.keys / "validation.key"), NAME, version)

    def promote(self, version: str) -> str:
        """Promote through the command line; what it prints."""
        done = call("promote", "--model", f"models:/{NAME}/{version}")
        assert done.code in (0, 2)
        assert (self.champion() == version) == (done.code == 0)
        return done.out + done.err

    def champion(self) -> str:
        return str(self.client.get_registered_model(NAME).aliases.get("champion", ""))


@pytest.fixture
def line(store: FittedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    # A registry of its own: other tests rely on its versions and aliases.
    shutil.copy(store.uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path / "keys"))
    make_key(tmp_path / "keys")
    client = connect()
    first = client.get_model_version(NAME, "1")
    for _ in range(2):
        client.create_model_version(
            NAME, str(first.source), first.run_id, tags={DIGEST_TAG: first.tags[DIGEST_TAG]}
        )
    client.delete_registered_model_alias(NAME, "champion")
    found = Line(client, tmp_path / "keys")
    for version in "123":
        found.record(version, None)
    return found


def test_the_first_champion_replaces_nobody(line: Line) -> None:
    assert line.promote("2") == f"version 2 of small is champion{SIGNED}\n"
    # Again: it is the champion.
    assert line.promote("2") == f"version 2 of small is champion{SIGNED}\n"


def test_a_version_compared_with_the_present_champion_replaces_it(line: Line) -> None:
    line.promote("1")
    line.record("2", "1")
    assert line.promote("2") == f"version 2 of small is champion{SIGNED}\n"


def test_a_comparison_with_nobody_is_stale_once_there_is_a_champion(line: Line) -> None:
    line.promote("2")
    said = line.promote("1")
    assert "error: version 1 of small was compared with no champion; the champion is now version 2 (" in said
    assert "validate it again" in said


def test_a_comparison_with_an_earlier_champion_is_stale(line: Line) -> None:
    line.promote("1")
    for version in "23":
        line.record(version, "1")
    line.promote("2")
    said = line.promote("3")
    assert "version 3 of small was compared with version 1 (files" in said
    assert "the champion is now version 2 (files" in said


def test_a_champion_of_other_files_is_another_champion(line: Line) -> None:
    line.promote("1")
    line.record("2", None, champion=state_champion("1", "0" * 64))
    assert "was compared with version 1 (files 000000000000…); the champion is now version 1" in line.promote(
        "2"
    )


def test_the_predecessor_that_the_champion_was_compared_with_may_come_back(line: Line) -> None:
    line.promote("1")
    line.record("2", "1")
    line.promote("2")
    said = "a way back: the record of version 2 names it as the one it replaced"
    assert line.promote("1") == f"version 1 of small is champion{SIGNED}\n{said}\n"
    # And forward again: it was compared with this one.
    assert line.promote("2") == f"version 2 of small is champion{SIGNED}\n"
    # Two steps back were never compared.
    line.record("3", "2")
    line.promote("3")
    assert "the champion is now version 3" in line.promote("1")


def test_the_way_back_is_for_the_same_files_only(line: Line) -> None:
    line.record("2", None, champion=state_champion("1", "0" * 64))
    line.promote("2")
    assert "was compared with no champion" in line.promote("1")


def test_a_champion_whose_record_is_not_believed_names_no_way_back(line: Line, tmp_path: Path) -> None:
    line.promote("1")
    line.record("2", "1")
    line.promote("2")
    for tag, value in (("validation_key", "0" * 16), ("validation_signature", "AAAA")):
        line.client.set_model_version_tag(NAME, "2", tag, value)
        assert "was compared with no champion" in line.promote("1")


def test_the_predecessor_must_itself_have_passed(line: Line) -> None:
    line.promote("1")
    line.record("2", "1")
    line.promote("2")
    line.record("1", None, passed=False)
    assert "version 1 of small did not pass its gates" in line.promote("1")


def test_whether_a_version_may_become_champion_can_be_asked_without_moving_it(line: Line) -> None:
    line.promote("2")
    with pytest.raises(RecordError, match="was compared with no champion"):
        check_promotion(locate(f"models:/{NAME}/1"))
    line.record("1", "2")
    assert check_promotion(locate(f"models:/{NAME}/1")) == ""
    assert line.champion() == "2"

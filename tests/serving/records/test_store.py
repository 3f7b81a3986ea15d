"""The same in a SQLite file and on a PostgreSQL server: `records` stands for both."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from serving.records.chain import RecordsError
from serving.records.database import open_engine, read_url
from serving.records.migrating import prepare_records
from serving.records.store import Store
from serving.records.tables import METADATA
from serving.records.verifying import verify_audit
from tests.serving.records.conftest import Records
from tests.serving.records.entries import MADE_AT, outcome_of, prediction


def execute(records: Records, *statements: str) -> None:
    """As somebody would who has the database, and not the key."""
    engine = open_engine(read_url(records.address))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def unlock(records: Records) -> list[str]:
    """Statements that take the triggers off: they only stop mistakes."""
    if records.address.startswith("sqlite"):
        return ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
    return ["DROP TRIGGER audit_no_change ON audit"]


def problems(records: Records, noted: str | None = None) -> tuple[str, ...]:
    return verify_audit(records.address, records.chain, noted).problems


def filled(records: Records, count: int = 5) -> Store:
    store = records.store()
    made = [prediction() for _ in range(count)]
    store.write([*made[:2], outcome_of(made[1]), *made[2:]])
    return store


def test_prediction_is_read_back_as_it_was_stored(records: Records) -> None:
    store, made = records.store(), prediction()
    assert store.write([made, prediction()]) == [True, True]
    found = store.find(made.prediction_id)
    assert found is not None
    assert (found.inputs, found.outputs) == (made.inputs, made.outputs)
    assert (found.version, found.digest, found.kind) == ("3", "d" * 64, "predict")
    assert found.made_at == "2026-11-23T06:05:04.000321Z"
    assert store.find("0" * 36) is None
    store.close()


def test_tables_are_those_that_the_code_knows(records: Records) -> None:
    engine = open_engine(read_url(records.address))
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_records_can_be_prepared_again_and_not_with_another_key(records: Records, tmp_path: Path) -> None:
    filled(records).close()
    prepare_records(records.address, records.key)
    assert verify_audit(records.address, records.chain).lines == 6
    with pytest.raises(RecordsError, match="made with another key"):
        prepare_records(records.address, tmp_path / "other.key")


def test_records_of_a_newer_release_are_left_alone(records: Records) -> None:
    execute(records, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(RecordsError, match="made by a newer release"):
        prepare_records(records.address, records.key)


def test_same_prediction_is_not_stored_twice_and_nothing_of_its_batch_is(records: Records) -> None:
    store, made, other = records.store(), prediction(), prediction()
    store.write([made])
    with pytest.raises(Exception, match=r"IntegrityError|UniqueViolation"):
        store.write([other, made])
    assert store.find(other.prediction_id) is None
    assert verify_audit(records.address, records.chain).lines == 1
    assert problems(records) == ()
    store.close()


def test_outcome_of_no_prediction_is_not_stored(records: Records) -> None:
    store, made, unknown = records.store(), prediction(), prediction()
    # In the very batch of its prediction, later, and of a prediction that nobody has made.
    assert store.write([outcome_of(made), made, outcome_of(unknown)]) == [True, True, False]
    assert store.write([outcome_of(made), outcome_of(unknown)]) == [True, False]
    assert (verify_audit(records.address, records.chain).lines, problems(records)) == (3, ())
    store.close()


def test_writers_side_by_side_make_one_unbroken_trail(records: Records) -> None:
    made = [[[prediction() for _ in range(3)] for _ in range(15)] for _ in range(4)]

    def write(batches: list[list[object]]) -> None:
        store = records.store()
        for batch in batches:
            store.write(batch)  # type: ignore[arg-type]
        store.close()

    threads = [threading.Thread(target=write, args=(batches,)) for batches in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify_audit(records.address, records.chain).lines, problems(records)) == (180, ())


CHANGES: dict[str, tuple[list[str], str]] = {
    "input changed": (
        ["UPDATE predictions SET inputs = '{}' WHERE line = 2"],
        "audit line 2 was changed",
    ),
    "caller changed": (
        ["UPDATE predictions SET caller = 'x' WHERE line = 1"],
        "audit line 1 was changed",
    ),
    "outcome changed": (["UPDATE attachments SET content = '{}'"], "row of audit line 3 was changed"),
    "erased by hand": (
        ["UPDATE predictions SET inputs = NULL, outputs = NULL, erased_at = 'now' WHERE line = 4"],
        "row of audit line 4 was changed",
    ),
    "prediction removed": (["DELETE FROM predictions WHERE line = 5"], "row of audit line 5 was removed"),
    "prediction added": (
        [
            "INSERT INTO predictions (id, line, made_at, caller, surface, kind, model, version, digest) "
            "SELECT 'new', 99, made_at, caller, surface, kind, model, version, digest FROM predictions "
            "WHERE line = 1"
        ],
        "1 rows that the audit trail does not tell of",
    ),
    "line changed": (["UPDATE audit SET caller = 'x' WHERE line = 3"], "audit line 3 was changed"),
    "line removed": (["DELETE FROM audit WHERE line = 3"], "audit lines 3 to 3 were removed"),
    "line and row removed": (
        ["DELETE FROM audit WHERE line = 4", "DELETE FROM predictions WHERE line = 4"],
        "audit lines 4 to 4 were removed",
    ),
    "end cut off": (
        ["DELETE FROM audit WHERE line = 6", "DELETE FROM predictions WHERE line = 6"],
        "ends at line 5, and was sealed at line 6",
    ),
    "end cut off and seal adjusted": (
        [
            "DELETE FROM audit WHERE line = 6",
            "DELETE FROM predictions WHERE line = 6",
            "UPDATE audit_head SET lines = 5, hash = (SELECT hash FROM audit WHERE line = 5)",
        ],
        "the seal on the end of the audit trail is not of this key, or was changed",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_behind_the_back_is_found(records: Records, change: str) -> None:
    filled(records).close()
    assert problems(records) == ()
    statements, expected = CHANGES[change]
    execute(records, *unlock(records), *statements)
    found = problems(records)
    assert any(expected in problem for problem in found), found


def test_audit_trail_refuses_a_change_by_mistake(records: Records) -> None:
    filled(records).close()
    for statement in ("UPDATE audit SET caller = 'x'", "DELETE FROM audit"):
        with pytest.raises(SQLAlchemyError, match="the audit trail is append-only"):
            execute(records, statement)
    assert problems(records) == ()


def test_database_that_was_put_back_lacks_the_noted_head(records: Records, tmp_path: Path) -> None:
    store = filled(records)
    noted = verify_audit(records.address, records.chain).head
    store.write([prediction()])
    store.close()
    assert problems(records, noted) == ()  # it has grown since, as it may
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    prepare_records(other, records.key)
    assert verify_audit(other, records.chain, noted).problems == (
        "the audit trail does not contain the head that was noted",
    )
    with pytest.raises(RecordsError, match="a head is written LINES:HASH"):
        problems(records, "6")


@pytest.mark.parametrize("by", ["patient", "age"])
def test_content_is_erased_and_the_trail_still_holds(records: Records, by: str) -> None:
    canary = "canary-of-this-patient"
    theirs = prediction(
        inputs=f'"{canary}"', pseudonym=records.chain.pseudonym("p1"), made_at=MADE_AT - timedelta(days=9)
    )
    other = prediction(pseudonym=records.chain.pseudonym("p2"))
    store = records.store()
    store.write([theirs, other, outcome_of(theirs, f'"{canary}"')])
    erase: Callable[[], int] = {
        "patient": lambda: store.erase_patient("p1", "operator"),
        "age": lambda: store.erase_before(MADE_AT - timedelta(days=1), "retention"),
    }[by]
    assert erase() == 1
    assert erase() == 0
    left, kept = store.find(theirs.prediction_id), store.find(other.prediction_id)
    assert left is not None
    assert (left.inputs, left.outputs, left.version) == (None, None, "3")  # that it was made stays
    assert kept is not None
    assert kept.inputs == other.inputs
    if records.address.startswith("sqlite"):  # overwritten in the file and in its log, while both are open
        for path in records.key.parent.iterdir():
            assert canary.encode() not in path.read_bytes(), path
    assert store.write([outcome_of(theirs)]) == [False]
    store.close()
    found = verify_audit(records.address, records.chain)
    assert (found.lines, found.problems) == (5, ())  # the row and its outcome each have a line "erased"


def test_erasing_many_goes_on_until_all_are_erased(records: Records) -> None:
    store = filled(records, 450)
    assert store.erase_before(datetime.now(UTC) + timedelta(days=1), "retention") == 450
    assert problems(records) == ()
    store.close()


def test_pseudonym_is_stored_only_as_a_keyed_hash(records: Records, tmp_path: Path) -> None:
    prepare_records(f"sqlite:///{tmp_path / 'b.sqlite'}", tmp_path / "b.key")
    other = Records("", tmp_path / "b.key").chain
    assert records.chain.pseudonym("p1") == records.chain.pseudonym("p1")
    assert len({records.chain.pseudonym("p1"), records.chain.pseudonym("p2"), other.pseudonym("p1")}) == 3


def test_files_may_be_read_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    prepare_records(f"sqlite:///{folder / 'records.sqlite'}", folder / "records.key")
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "records.sqlite": 0o600,
        "records.key": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "address", ["", "mysql://x:secret@y/z", "sqlite://", "sqlite:///:memory:", "records.db"]
)
def test_address_of_no_supported_database_is_refused_without_repeating_it(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordsError, match=r"write sqlite:///FILE, postgresql://") as caught:
        prepare_records(address, tmp_path / "records.key")
    assert "secret" not in str(caught.value)


def test_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records.key").write_text("no key", encoding="utf-8")
    with pytest.raises(RecordsError, match="is no key of records"):
        prepare_records(f"sqlite:///{tmp_path / 'r.sqlite'}", tmp_path / "records.key")

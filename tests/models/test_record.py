"""A record is believed only if a trusted key vouches that exactly these files passed."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448

from features.errors import ArtefactError, RecordError
from models.keys import SIGNING_KEY, TRUSTED_KEYS, make_key, read_private, signing_key, trusted_keys
from models.record import FORMAT, SignedRecord, read_record, sign, verify_record, write_record
from models.registry import load_located, locate
from models.storage import digest_of, load_model, save_model
from tests.models.records import sign_folder
from tests.models.small import care_model

DIGEST = "ab" * 32
GATES = [
    {"name": "skill", "outcome": "response", "verdict": "fail", "ok": False},
    {"name": "slope", "outcome": "response", "verdict": "pass", "ok": True},
    {"name": "digest", "verdict": "too little data to say", "ok": False},
]
VALUES: dict[str, Any] = {
    "name": "small",
    "version": "3",
    "artefact_digest": DIGEST,
    "champion": None,
    "passed": True,
    "gates": [],
}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_key(tmp_path / "keys")
    return tmp_path / "keys"


def make(keys: Path, **changes: Any) -> SignedRecord:
    return sign(VALUES | changes, keys / "validation.key")


def verify(record: SignedRecord | None, keys: Path, **changes: str) -> dict[str, Any]:
    wanted = {"name": "small", "version": "3", "digest": DIGEST} | changes
    return verify_record(record, trusted=keys, **wanted)


def test_a_record_says_what_was_signed(keys: Path) -> None:
    assert verify(make(keys), keys) == {"format": FORMAT, **VALUES}


def test_a_missing_record_is_said_with_what_to_do(keys: Path) -> None:
    with pytest.raises(RecordError, match=r"version 3 of small has no validation record; run .* validate"):
        verify(None, keys)


def test_a_record_that_failed_names_the_gates(keys: Path) -> None:
    record = make(keys, passed=False, gates=GATES)
    with pytest.raises(
        RecordError, match=r"did not pass its gates: skill \(response\): fail; digest: too lit"
    ):
        verify(record, keys)


@pytest.mark.parametrize("passed", [None, 1, "true", "yes"])
def test_only_true_is_passed(passed: object, keys: Path) -> None:
    with pytest.raises(RecordError, match="did not pass its gates: the record does not say which"):
        verify(make(keys, passed=passed), keys)


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: replace(r, text=r.text.replace('"passed":false', '"passed":true')),
        lambda r: replace(r, text=r.text + " "),
        lambda r: replace(r, text=""),
        lambda r: replace(r, text="\ud800"),
        lambda r: replace(r, signature=""),
        lambda r: replace(r, signature="no base64 ü"),
        lambda r: replace(r, signature="A" * 86 + "=="),
    ],
)
def test_a_changed_record_is_forged(forge: Any, keys: Path) -> None:
    forged = forge(make(keys, passed=False))
    with pytest.raises(RecordError, match="is forged: its signature does not fit its text"):
        verify(forged, keys)


def test_a_record_of_a_foreign_key_is_refused_even_under_a_trusted_name(keys: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "others")
    foreign = make(tmp_path / "others")
    with pytest.raises(RecordError, match="which is not among the 1 trusted keys"):
        verify(foreign, keys)
    with pytest.raises(RecordError, match="is forged"):
        verify(replace(foreign, key_id=make(keys).key_id), keys)


def test_without_trusted_keys_nobody_can_vouch(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not among the 0 trusted keys"):
        verify(make(keys), tmp_path / "nowhere")


def test_a_record_for_other_files_is_refused(keys: Path) -> None:
    with pytest.raises(
        RecordError, match=r"is for other files: .* abababababab…, these files have cdcdcdcdcdcd…"
    ):
        verify(make(keys), keys, digest="cd" * 32)


def test_a_record_of_another_version_or_model_is_refused(keys: Path) -> None:
    for changes in ({"version": "4"}, {"name": "large"}):
        with pytest.raises(RecordError, match="was made for version 3 of small"):
            verify(make(keys), keys, **changes)


def test_a_folder_is_known_by_its_digest_alone(keys: Path) -> None:
    # A folder that a version was copied to: the same files under another name.
    verify(make(keys), keys, name="anything", version="local")
    with pytest.raises(RecordError, match="the validation record of the model anything is for other files"):
        verify(make(keys), keys, name="anything", version="local", digest="cd" * 32)


def test_what_the_same_key_signed_for_another_purpose_is_no_record(keys: Path) -> None:
    # `sign` writes the format; a caller can only replace it by another one.
    for other in ("invoice-1", "treatment-response-validation-1"):
        with pytest.raises(RecordError, match=f"is not of the format {FORMAT}: validate it again"):
            verify(make(keys, format=other), keys)


def test_a_private_key_is_for_its_owner_only_and_never_replaced(keys: Path) -> None:
    assert stat.S_IMODE((keys / "validation.key").stat().st_mode) == 0o600
    before = (keys / "validation.key").read_bytes()
    with pytest.raises(RecordError, match=r"validation\.key exists"):
        make_key(keys)
    assert (keys / "validation.key").read_bytes() == before
    assert b"PRIVATE" not in (keys / "validation.pub").read_bytes()


def test_without_settings_the_key_is_made_once_beside_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SIGNING_KEY, raising=False)
    monkeypatch.delenv(TRUSTED_KEYS, raising=False)
    first = signing_key().read_bytes()
    assert signing_key().read_bytes() == first
    assert trusted_keys() == Path(".mlflow/keys")
    verify(sign(VALUES, signing_key()), trusted_keys())


def test_settings_name_the_keys(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIGNING_KEY, str(keys / "validation.key"))
    monkeypatch.setenv(TRUSTED_KEYS, str(keys))
    assert (signing_key(), trusted_keys()) == (keys / "validation.key", keys)
    monkeypatch.setenv(SIGNING_KEY, str(keys / "absent.key"))
    with pytest.raises(RecordError, match=f"{SIGNING_KEY} names no file"):
        signing_key()


def test_keys_that_are_none_are_named(keys: Path) -> None:
    other = ed448.Ed448PrivateKey.generate()
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (keys / "other.key").write_bytes(pem)
    with pytest.raises(RecordError, match=r"other\.key is not an Ed25519 key"):
        read_private(keys / "other.key")
    with pytest.raises(RecordError, match=r"validation\.pub is not an unencrypted private key"):
        read_private(keys / "validation.pub")
    (keys / "broken.pub").write_text("no key", encoding="utf-8")
    # Silently left out, it would look as if its owner were not trusted.
    with pytest.raises(RecordError, match=r"broken\.pub is not a public key in PEM"):
        verify(make(keys), keys)


def test_a_record_beside_a_folder_is_found_and_is_no_part_of_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    digest = save_model(care_model("ridge"), folder)
    assert locate(str(folder)).record is None
    trusted = sign_folder(folder)
    located = locate(str(folder))
    assert located.digest == digest_of(folder) == digest
    load_located(located)
    values = verify_record(
        located.record, trusted=trusted, name=located.name, version=located.version, digest=located.digest
    )
    assert values["artefact_digest"] == digest
    sign_folder(folder, passed=False)
    with pytest.raises(
        RecordError, match=r"the model small did not pass its gates: skill \(response\): fail"
    ):
        verify(locate(str(folder)).record, trusted, name="small", version="local", digest=digest)
    # Any other file is still foreign.
    (folder / "notes.txt").write_text("not ours", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"holds what is not part of its model: notes\.txt"):
        load_model(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '"x"', '{"text": "{}"}', '{"text": 1, "signature": "", "key_id": ""}', "[" * 200_000],
    ids=["empty", "list", "text", "too little", "number", "brackets without end"],
)
def test_a_record_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"record\.json is not a validation record"):
        read_record(tmp_path)


def test_a_record_comes_back_from_its_file_as_it_was(keys: Path, tmp_path: Path) -> None:
    record = make(keys, title="größer als ≥")
    assert read_record(write_record(record, tmp_path).parent) == record
    assert json.loads(record.text)["title"] == "größer als ≥"
    verify(read_record(tmp_path), keys)

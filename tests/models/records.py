"""Validated models for tests that are not about validation."""

from pathlib import Path

from models.keys import make_key
from models.record import SignedRecord, sign, write_record
from models.registry import RECORD_TAGS, connect, locate
from models.storage import digest_of


def sign_folder(folder: Path, keys: Path | None = None, *, name: str = "", passed: bool = True) -> Path:
    """Put a signed record beside a saved model and give the folder of trusted keys that knows its key."""
    keys = folder.parent / f"{folder.name}-keys" if keys is None else keys
    write_record(_sign(keys, name or folder.name, "local", digest_of(folder), passed), folder)
    return keys


def sign_version(uri: str, keys: Path, passed: bool = True) -> SignedRecord:
    """Put a signed record on a registered version; `keys` is the folder of trusted keys, made if needed."""
    located = locate(uri)
    record = _sign(keys, located.name, located.version, located.digest, passed)
    store_on_version(record, located.name, located.version)
    return record


def store_on_version(record: SignedRecord, name: str, version: str) -> None:
    client = connect()
    for field, tag in RECORD_TAGS.items():
        client.set_model_version_tag(name, version, tag, getattr(record, field))


def _sign(keys: Path, name: str, version: str, digest: str, passed: bool) -> SignedRecord:
    key = keys / "validation.key"
    values = {
        "name": name,
        "version": version,
        "artefact_digest": digest,
        "champion": None,
        "passed": passed,
        "gates": [
            {
                "name": "skill",
                "outcome": "response",
                "for": "all",
                "ok": passed,
                "verdict": "pass" if passed else "fail",
            }
        ],
    }
    return sign(values, key if key.is_file() else make_key(keys))

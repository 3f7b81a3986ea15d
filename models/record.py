"""The signed record that a version passed its gates: made by validation, asked for before it serves anybody.

The text is JSON that says for which files, on which data and by which gates; its signature is Ed25519
(RFC 8032) over the text as it stands. Who may vouch for a version is decided by a folder of public keys.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from features.errors import RecordError
from models.keys import key_id, read_private, read_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "FORMAT",
    "LOCAL",
    "RECORD_FILE",
    "SIGNED_FILES",
    "SignedRecord",
    "changed_files",
    "read_record",
    "record_text",
    "sign",
    "state_champion",
    "verify_record",
    "write_record",
]

FORMAT: Final = "treatment-response-validation-2"
"""First value of a record: a text that the same key signed for another purpose is no record. The number rises
when a record comes to say more that has to be known before it is believed: since 2, whom its version was
compared with."""
RECORD_FILE: Final = "record.json"
"""Name of the record beside the files of a model in a folder."""
SIGNED_FILES: Final = {
    "validation.json": "figures_digest",
    "gates.json": "verdicts_digest",
    "metrics.json": "metrics_digest",
}
"""Values of a record that are the SHA-256 of files of the version's run: what was found, what was judged, and
what the fit said."""
LOCAL: Final = "local"
"""Version of a model in a folder, which has no place in a registry."""


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record as it is stored: nothing in it is known to be true before `verify_record`.

    Parameters
    ----------
    text : str
        JSON, exactly as signed.
    signature : str
        Ed25519 over the text in UTF-8, base64.
    key_id : str
        First 16 hexadecimal digits of the SHA-256 of the raw public key.
    """

    text: str
    signature: str
    key_id: str


def state_champion(version: str, digest: str) -> dict[str, str]:
    """Name the champion that a version was compared with, as the `champion` of its record.

    Parameters
    ----------
    version : str
    digest : str
        Of its files.

    Returns
    -------
    dict of str to str
    """
    return {"version": version, "artefact_digest": digest}


def sign(values: Mapping[str, Any], key: Path) -> SignedRecord:
    """Write values as a record and sign it.

    Parameters
    ----------
    values : mapping of str to Any
        `name`, `version`, `artefact_digest`, `champion` (`state_champion`, or None), `passed`, `gates` and
        whatever else is to be vouched for; all that JSON can write.
    key : Path
        Private key.

    Returns
    -------
    SignedRecord

    Raises
    ------
    RecordError
        If the key cannot be read or is no Ed25519 key.
    """
    private = read_private(key)
    text = record_text(values)
    signature = base64.b64encode(private.sign(text.encode())).decode()
    return SignedRecord(text, signature, key_id(private.public_key()))


def record_text(values: Mapping[str, Any]) -> str:
    """Write values as they are signed: compact, and ASCII, which every database gives back as it was.

    Parameters
    ----------
    values : mapping of str to Any

    Returns
    -------
    str
    """
    return json.dumps({"format": FORMAT, **values}, separators=(",", ":"), allow_nan=False)


def changed_files(values: Mapping[str, Any], digests: Mapping[str, str]) -> tuple[str, ...]:
    """Name the files that are not those that a record was signed beside.

    Parameters
    ----------
    values : mapping of str to Any
        What the record says.
    digests : mapping of str to str
        SHA-256, by the names of `SIGNED_FILES`, of the files as they are now; empty of one that is not there.

    Returns
    -------
    tuple of str
    """
    return tuple(name for name, digest in digests.items() if values.get(SIGNED_FILES[name]) != digest)


def verify_record(
    record: SignedRecord | None, *, trusted: Path, name: str, version: str, digest: str
) -> dict[str, Any]:
    """Give what a record says, if a trusted key vouches that exactly these files passed.

    That the files have this digest is for `models.storage.load_model` to check.

    Parameters
    ----------
    record : SignedRecord or None
    trusted : Path
        Folder of public keys.
    name, version : str
        Of the model. A folder (`local`) is known by its digest alone: it may be copied and renamed.
    digest : str
        Of the files that are to be used.

    Returns
    -------
    dict

    Raises
    ------
    RecordError
        If there is no record, it is forged or signed by an unknown key, it is for other files or another
        version, or gates failed.
    """
    whose = f"the model {name}" if version == LOCAL else f"version {version} of {name}"
    if record is None:
        raise RecordError(f"{whose} has no validation record; run `python -m training validate` on it first")
    values = _read_signed(record, trusted, whose)
    if values.get("artefact_digest") != digest:
        raise RecordError(
            f"the validation record of {whose} is for other files: it names the digest "
            f"{str(values.get('artefact_digest'))[:12]}…, these files have {digest[:12]}…"
        )
    stated = (values.get("name"), values.get("version"))
    if version != LOCAL and stated != (name, version):
        raise RecordError(
            f"the validation record of {whose} was made for version {stated[1]} of {stated[0]}; "
            "validate this one"
        )
    if values.get("passed") is not True:
        raise RecordError(f"{whose} did not pass its gates: {_failed(values)}")
    return values


def write_record(record: SignedRecord, folder: Path) -> Path:
    """Put a record beside the files of a model.

    Parameters
    ----------
    record : SignedRecord
    folder : Path

    Returns
    -------
    Path
    """
    path = folder / RECORD_FILE
    path.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    return path


def read_record(folder: Path) -> SignedRecord | None:
    """Read the record beside the files of a model; None without one.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    SignedRecord or None

    Raises
    ------
    RecordError
        If the file is not a record.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return SignedRecord(**{name: _text(stored[name]) for name in ("text", "signature", "key_id")})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RecordError(f"{path} is not a validation record ({type(exc).__name__})") from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _read_signed(record: SignedRecord, trusted: Path, whose: str) -> dict[str, Any]:
    from cryptography.exceptions import InvalidSignature

    keys = read_trusted(trusted)
    if record.key_id not in keys:
        raise RecordError(
            f"the validation record of {whose} is signed by the key {record.key_id[:16]}, which is not among "
            f"the {len(keys)} trusted keys in {trusted}"
        )
    try:
        keys[record.key_id].verify(
            base64.b64decode(record.signature, validate=True), record.text.encode("utf-8", "surrogatepass")
        )
    except (InvalidSignature, ValueError) as exc:  # ValueError: the signature is no base64
        raise RecordError(
            f"the validation record of {whose} is forged: its signature does not fit its text"
        ) from exc
    try:
        values = json.loads(record.text)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"the validation record of {whose} is signed, but is no JSON") from exc
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RecordError(
            f"the validation record of {whose} is not of the format {FORMAT}: validate it again"
        )
    return values


def _failed(values: Mapping[str, Any]) -> str:
    gates = values.get("gates")
    if not isinstance(gates, list):
        return "the record does not say which"
    failed = [gate for gate in gates if isinstance(gate, dict) and not gate.get("ok")]
    return "; ".join(_describe(gate) for gate in failed) or "the record does not say which"


def _describe(gate: Mapping[str, Any]) -> str:
    outcome = f" ({gate['outcome']})" if gate.get("outcome") else ""
    return f"{gate.get('name')}{outcome}: {gate.get('verdict')}"

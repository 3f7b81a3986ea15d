"""The keys of validation records: an Ed25519 pair, and the folder of public keys that are trusted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.errors import RecordError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "SIGNING_KEY",
    "TRUSTED_KEYS",
    "key_id",
    "make_key",
    "read_private",
    "read_trusted",
    "signing_key",
    "trusted_keys",
]

SIGNING_KEY: Final = "TREATMENT_RESPONSE_SIGNING_KEY"
TRUSTED_KEYS: Final = "TREATMENT_RESPONSE_TRUSTED_KEYS"
_KEYS: Final = Path(".mlflow/keys")
_PRIVATE: Final = "validation.key"
_PUBLIC: Final = "validation.pub"


def make_key(folder: Path) -> Path:
    """Make a pair of keys: `validation.key` (PKCS 8, readable by its owner only) and `validation.pub`.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        Of the private key.

    Raises
    ------
    RecordError
        If there is a key already, which records may depend on.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / _PRIVATE
    try:
        # Created with its mode, and only if absent: at no moment can others read it, and none is lost.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
    except FileExistsError as exc:
        raise RecordError(f"{path} exists; records signed by it would no longer be checked") from exc
    (folder / _PUBLIC).write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return path


def signing_key() -> Path:
    """Give the private key: `TREATMENT_RESPONSE_SIGNING_KEY`, or one made on first use in `.mlflow/keys`.

    Returns
    -------
    Path

    Raises
    ------
    RecordError
        If the setting names no file.
    """
    named = os.environ.get(SIGNING_KEY)
    if named:
        if not Path(named).is_file():
            raise RecordError(f"{SIGNING_KEY} names no file; it is the path of an Ed25519 key in PEM")
        return Path(named)
    path = _KEYS / _PRIVATE
    return path if path.is_file() else make_key(_KEYS)


def trusted_keys() -> Path:
    """Give the folder of public keys (`*.pub`): `TREATMENT_RESPONSE_TRUSTED_KEYS`, or `.mlflow/keys`."""
    return Path(os.environ.get(TRUSTED_KEYS) or _KEYS)


def read_trusted(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Read every public key of a folder, by its id.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to Ed25519PublicKey
        Empty if there is no such folder.

    Raises
    ------
    RecordError
        If a `*.pub` is not a public Ed25519 key: a typing error there must not silently distrust somebody.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (ValueError, UnsupportedAlgorithm, OSError) as exc:
            raise RecordError(f"{path} is not a public key in PEM ({type(exc).__name__})") from exc
        if not isinstance(key, Ed25519PublicKey):
            raise RecordError(f"{path} is not an Ed25519 key")
        found[key_id(key)] = key
    return found


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Ed25519PrivateKey

    Raises
    ------
    RecordError
        If it cannot be read, or is not an unencrypted Ed25519 key in PEM.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, OSError) as exc:
        raise RecordError(f"{path} is not an unencrypted private key in PEM ({type(exc).__name__})") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise RecordError(f"{path} is not an Ed25519 key")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]

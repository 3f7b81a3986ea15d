"""API keys: made, revoked, and recognised."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from serving.access.caller import ROLES, SCOPES, scopes_of
from serving.access.errors import AccessError
from serving.access.key_file import ApiKey, KeyFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["KEY_PREFIX", "KnownKeys", "add_key", "revoke_key"]

KEY_PREFIX: Final = "trk_"
"""What every key begins with, so that one that leaked can be searched for."""

_KEY: Final = re.compile(r"trk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_DAY: Final = 86_400


def add_key(
    file: KeyFile, name: str, roles: Collection[str], days: int, scopes: Collection[str] = ()
) -> tuple[ApiKey, str]:
    """Make an API key.

    Parameters
    ----------
    file : KeyFile
    name : str
        Whose it is.
    roles : collection of str
    days : int
        After which it expires.
    scopes : collection of str
        What it may do, if that is less than its roles may.

    Returns
    -------
    tuple of ApiKey and str
        What is kept, and the key itself, which is not.

    Raises
    ------
    AccessError
        If a role or scope does not exist or fit, or the file cannot be written.
    """
    _check(roles, scopes)
    key_id = secrets.token_hex(6)
    secret = f"{KEY_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    now = int(time.time())
    allowed = tuple(sorted(scopes or scopes_of(roles)))
    key = ApiKey(key_id, name, _digest(secret), tuple(sorted(set(roles))), allowed, now, now + days * _DAY)
    with file.edit() as keys:
        keys[key_id] = key
    return key, secret


def revoke_key(file: KeyFile, key_id: str) -> ApiKey:
    """Revoke a key; a running service notices with its next request.

    Parameters
    ----------
    file : KeyFile
    key_id : str

    Returns
    -------
    ApiKey

    Raises
    ------
    AccessError
        If there is no such key.
    """
    with file.edit() as keys:
        if key_id not in keys:
            raise AccessError(f"{file.path}: there is no key `{key_id}`; `python -m serving keys list`")
        key = keys[key_id]
        if key.revoked is None:
            key = replace(key, revoked=int(time.time()))
        keys[key_id] = key
    return key


class KnownKeys:
    """The keys that a running service accepts: those of the file as it is now.

    Parameters
    ----------
    file : KeyFile

    Raises
    ------
    AccessError
        If the file is missing, unreadable or holds no key.
    """

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._stamp = file.stamp()
        self._keys: Mapping[str, ApiKey] = file.read()
        if not self._keys:
            raise AccessError(
                f"{file.path}: there is no API key yet; make one: python -m serving keys add NAME "
                f"--role clinician --file {file.path}"
            )

    def find(self, secret: str) -> ApiKey | None:
        """Recognise a key; it may have expired or been revoked.

        Parameters
        ----------
        secret : str
            What was sent.

        Returns
        -------
        ApiKey or None
        """
        match = _KEY.fullmatch(secret)
        key = None if match is None else self.get(match[1])
        return key if key is not None and hmac.compare_digest(key.sha256, _digest(secret)) else None

    def get(self, key_id: str) -> ApiKey | None:
        """Look a key up by its id, in the file as it is now."""
        stamp = self._file.stamp()
        if stamp != self._stamp:
            try:
                # An unreadable or missing file lets nobody in: one may have been revoked with it.
                self._keys = self._file.read()
            except AccessError:
                self._keys = {}
            self._stamp = stamp
        return self._keys.get(key_id)


def _check(roles: Collection[str], scopes: Collection[str]) -> None:
    if not roles or not set(roles) <= set(ROLES):
        raise AccessError(f"--role must be one or more of: {', '.join(ROLES)}")
    if not set(scopes) <= SCOPES:
        raise AccessError(f"--scope must be of: {', '.join(sorted(SCOPES))}")
    if not set(scopes) <= scopes_of(roles):
        raise AccessError(f"--scope: these roles may do no more than: {', '.join(sorted(scopes_of(roles)))}")


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()

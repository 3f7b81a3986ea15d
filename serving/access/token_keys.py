"""Public keys of whoever signs bearer tokens: a JWKS (RFC 7517) from a file, or from an address."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

from serving.access.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KeysAwayError", "TokenKeys", "is_safe_address"]

_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
"""Never `oct`: whoever could read such a key could sign with it."""

_OLD: Final = 600.0
"""Seconds after which keys are fetched anew, so that one that was withdrawn is not believed for long."""

_PAUSE: Final = 10.0
"""Seconds between two questions: a token with an unknown key must not make us ask each time."""

_LARGEST: Final = 262_144


class KeysAwayError(Exception):
    """The keys cannot be fetched, and none are known."""


class TokenKeys:
    """Keys by their id (`kid`).

    Parameters
    ----------
    source : str
        A file, or an address that begins with https (http on loopback only). A file is read at once and
        whenever it changes; an address is asked when a token comes.
    clock : callable
        Seconds.

    Raises
    ------
    AccessError
        If the file holds no keys, or the address is not a safe one.
    """

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._is_file = "://" not in source
        self._stamp: tuple[int, int] | None = None
        self._asked = -float("inf")
        self._got = -float("inf")
        self._lock = asyncio.Lock()
        self.keys: Mapping[str, dict[str, Any]] = {}
        self.generation = 0
        if not self._is_file and not is_safe_address(source):
            raise AccessError(f"jwks: {source} must begin with https:// (or be http:// on loopback)")
        if self._is_file:
            self._read_file()

    async def find(self, kid: str) -> dict[str, Any] | None:
        """Find a key.

        Parameters
        ----------
        kid : str

        Returns
        -------
        dict or None
            The JWK.

        Raises
        ------
        KeysAwayError
            If there are no keys at all, because the address does not answer.
        """
        await self.refresh(kid)
        if not self.keys and not self._is_file:
            raise KeysAwayError
        return self.keys.get(kid)

    async def refresh(self, kid: str | None = None) -> None:
        """Look whether the keys have changed.

        Parameters
        ----------
        kid : str or None
            A key that is wanted; if it is not known, that is a reason to ask.
        """
        if self._is_file:
            self._refresh_file()
        elif self._clock() - self._got > _OLD or (kid is not None and kid not in self.keys):
            await self._ask()

    def _refresh_file(self) -> None:
        try:
            if _stamp(Path(self._source)) != self._stamp:
                self._read_file()
        except (OSError, AccessError):
            if self.keys:  # a file that is gone or broken vouches for nobody
                self._take({})

    def _read_file(self) -> None:
        path = Path(self._source)
        try:
            stamp, text = _stamp(path), path.read_bytes()
        except OSError as exc:
            raise AccessError(f"jwks: {path} cannot be read") from exc
        self._stamp = stamp
        self._take(_parse(text, str(path)))

    async def _ask(self) -> None:
        async with self._lock:  # one question for all requests that wait for its answer
            now = self._clock()
            if now - self._asked < _PAUSE:
                return
            self._asked = now
            # What is known goes on being believed while the address is away.
            with suppress(OSError, AccessError, HTTPException):
                keys = await asyncio.to_thread(_fetch, self._source)
                self._got = now
                if keys != self.keys:
                    self._take(keys)

    def _take(self, keys: Mapping[str, dict[str, Any]]) -> None:
        self.keys = keys
        self.generation += 1


def is_safe_address(address: str) -> bool:
    """Whether nobody on the way can exchange what an address answers.

    Parameters
    ----------
    address : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_safe_address("https://login.example.org/keys"), is_safe_address("http://login.example.org/keys")
    (True, False)
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: only the address that the operator named is believed."""


def _fetch(address: str) -> Mapping[str, dict[str, Any]]:
    with build_opener(_NoRedirect).open(address, timeout=5) as answer:
        return _parse(answer.read(_LARGEST), address)


def _parse(text: bytes, source: str) -> Mapping[str, dict[str, Any]]:
    try:
        listed = json.loads(text)["keys"]
        keys = {key["kid"]: key for key in listed if key["kty"] in _KINDS and key.get("use", "sig") == "sig"}
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise AccessError(f"jwks: {source} holds no JSON Web Key Set whose keys have a `kid`") from exc
    if not keys:
        raise AccessError(f"jwks: {source} holds no public key of a kind in {', '.join(sorted(_KINDS))}")
    return keys


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino

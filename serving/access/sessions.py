"""The page's session: a signed cookie, so that any worker knows it and none has to keep it."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOBODY_YET", "Session", "Sessions"]

NOBODY_YET: Final = "-"
"""In place of a key's id, before anybody has signed in, or where nobody has to."""

_VALUE: Final = re.compile(r"([0-9a-f]{12}|-)\.(\d{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that was given a cookie.

    Parameters
    ----------
    key_id : str
        Of the API key that signed in, or `NOBODY_YET`. Whether that key still holds is looked up each time.
    expires : int
        Seconds since 1970.
    nonce : str
        Makes it unlike any other session.
    """

    key_id: str
    expires: int
    nonce: str


class Sessions:
    """Makes and reads sessions.

    Parameters
    ----------
    secret : bytes
        Known to the workers of this service only; with it, all sessions end with the service.
    seconds : int
        After which an unused session ends.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, secret: bytes, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self.seconds = seconds
        self._clock = clock

    def begin(self, key_id: str = NOBODY_YET) -> Session:
        """Begin a session; signing in begins a new one, so that nobody can have planted its nonce."""
        return Session(key_id, int(self._clock()) + self.seconds, secrets.token_urlsafe(16))

    def renew(self, session: Session) -> Session | None:
        """Give it its full time again; None while more than half of it is left."""
        now = int(self._clock())
        if session.expires - now > self.seconds // 2:
            return None
        return Session(session.key_id, now + self.seconds, session.nonce)

    def write(self, session: Session) -> str:
        """Write a session as the value of its cookie."""
        value = f"{session.key_id}.{session.expires}.{session.nonce}"
        return f"{value}.{self._sign('session', value)}"

    def read(self, cookie: str) -> Session | None:
        """Read a cookie's value; None if it is not ours or has expired."""
        match = _VALUE.fullmatch(cookie)
        if match is None:
            return None
        key_id, expires, nonce, signature = match.groups()
        if not hmac.compare_digest(signature, self._sign("session", f"{key_id}.{expires}.{nonce}")):
            return None
        return Session(key_id, int(expires), nonce) if int(expires) > self._clock() else None

    def csrf_token(self, session: Session) -> str:
        """Token of the session's forms: nobody can make it without the secret."""
        return self._sign("csrf", f"{session.key_id}.{session.nonce}")

    def _sign(self, purpose: str, value: str) -> str:
        mac = hmac.digest(self._secret, f"{purpose}:{value}".encode(), "sha256")
        return urlsafe_b64encode(mac).rstrip(b"=").decode()

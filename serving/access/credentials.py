"""From a request's headers to who asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.access.api_keys import KEY_PREFIX
from serving.access.caller import ANONYMOUS, Caller
from serving.access.sessions import NOBODY_YET
from serving.access.tokens import unauthorised
from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.access.api_keys import KnownKeys
    from serving.access.key_file import ApiKey
    from serving.access.replay import UsedTokens
    from serving.access.sessions import Session, Sessions
    from serving.access.tokens import Tokens

__all__ = ["API_KEY_HEADER", "ENDED", "Credentials", "SaidTwiceError", "Visitor", "says_who"]

API_KEY_HEADER: Final = b"x-api-key"

ENDED: Final = "session"
"""Under which name of `UsedTokens` sessions are noted that were signed out."""


class SaidTwiceError(ProblemError):
    """A good key beside another credential: refused, though nobody is guessing."""

    def __init__(self) -> None:
        problem = unauthorised("say who you are once: in Authorization or in X-API-Key", "invalid_request")
        super().__init__(problem.status, problem.detail, headers=problem.headers)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a request comes from.

    Parameters
    ----------
    caller : Caller or None
        None if nobody has said.
    session : Session or None
        The browser's, if it has one.
    by_cookie : bool
        Whether a browser sends what identifies the caller by itself, wherever the request was made.
    """

    caller: Caller | None
    session: Session | None = None
    by_cookie: bool = False


def says_who(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a program says who it is: with a key or token of its own, not with a browser's cookie."""
    return b"authorization" in headers or API_KEY_HEADER in headers


class Credentials:
    """Checks what a request brings.

    Parameters
    ----------
    keys : KnownKeys or None
    tokens : Tokens or None
        Without keys and tokens nobody has to say who they are.
    sessions : Sessions
    used : UsedTokens
    cookie : str
        Name of the session's cookie.
    """

    def __init__(
        self,
        keys: KnownKeys | None,
        tokens: Tokens | None,
        sessions: Sessions,
        used: UsedTokens,
        cookie: str,
    ) -> None:
        self.keys = keys
        self.sessions = sessions
        self._tokens = tokens
        self._used = used
        self.cookie = cookie
        self._cookie = cookie.encode()
        self.is_on = keys is not None or tokens is not None

    async def identify(self, headers: Mapping[bytes, bytes]) -> Visitor:
        """Say who asks.

        Parameters
        ----------
        headers : mapping of bytes to bytes

        Returns
        -------
        Visitor

        Raises
        ------
        ProblemError
            401 if a key or token was sent that is not to be believed, or both were.
        """
        if not self.is_on:
            return Visitor(ANONYMOUS, self.session_of(headers))
        stated, secret = headers.get(b"authorization"), headers.get(API_KEY_HEADER)
        if secret is not None:
            caller = self.sign_in(secret.decode("latin-1")).caller
            if stated is not None:  # a proxy and the service could each believe another one of them
                raise SaidTwiceError
            return Visitor(caller)
        if stated is not None:
            return Visitor(await self._bearer(stated.decode("latin-1")))
        session = self.session_of(headers)
        if session is None or session.key_id == NOBODY_YET:
            return Visitor(None, session)
        key = None if self.keys is None else self.keys.get(session.key_id)
        if key is None or key.problem(time.time()) is not None:
            return Visitor(None)  # a session lives no longer than its key
        return Visitor(key.caller, session, by_cookie=True)

    def session_of(self, headers: Mapping[bytes, bytes]) -> Session | None:
        """Read the session's cookie; None if there is none that holds."""
        for part in headers.get(b"cookie", b"").split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == self._cookie:
                session = self.sessions.read(value.decode("latin-1"))
                if session is not None and not self._used.is_used(ENDED, session.nonce):
                    return session
        return None

    def end(self, session: Session) -> None:
        """End a session before its time, on every worker."""
        self._used.first_use(ENDED, session.nonce, session.expires + self.sessions.seconds)

    def sign_in(self, secret: str) -> ApiKey:
        """Check an API key: one that was sent, or that a person typed into the page.

        Parameters
        ----------
        secret : str

        Returns
        -------
        ApiKey

        Raises
        ------
        ProblemError
            401.
        """
        key = None if self.keys is None else self.keys.find(secret)
        if key is None:
            raise unauthorised("this is no API key of this service")
        problem = key.problem(time.time())
        if problem is not None:
            raise unauthorised(problem)  # whoever has the whole key may know what became of it
        return key

    async def _bearer(self, stated: str) -> Caller:
        scheme, _, secret = stated.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise unauthorised("send the key or token as Authorization: Bearer …", "invalid_request")
        if self._tokens is not None and not secret.startswith(KEY_PREFIX):
            return await self._tokens.caller_of(secret)
        return self.sign_in(secret).caller

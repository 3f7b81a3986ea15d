"""The layer itself: who asks, whether they may, how often, and whether it was they who meant to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from serving.access.caller import ANONYMOUS, Caller
from serving.access.credentials import API_KEY_HEADER, SaidTwiceError, Visitor, says_who
from serving.access.forms import check_token, is_sent_by_forms
from serving.access.headers import security_headers
from serving.access.rules import SAFE, is_expected_host, is_public, reads_json_only, scope_for
from serving.access.tokens import unauthorised
from serving.problems import ProblemError
from serving.refusals import is_for_a_person, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.access.buckets import Buckets
    from serving.access.credentials import Credentials
    from serving.access.replay import UsedTokens
    from serving.access.sessions import Session
    from serving.access.settings import AccessSettings

__all__ = ["Access"]

_NOBODY: Final = Caller("nobody", frozenset(), frozenset())

_FAILURES: Final = (10, 20)
"""Failed attempts of one address: in a minute, and at once."""

_RETURNS: Final = frozenset({"/", "/about", "/docs", "/v1/model", "/v1/schema"})
"""Where signing in leads back to. Any other path may hold anything, and would stand in an address again."""

_NO_STATE: Final[Mapping[str, object]] = MappingProxyType({})

Headers = dict[bytes, bytes]


class Access:
    """Lets a request through with its caller in `scope["state"]`, or refuses it.

    Parameters
    ----------
    app : ASGIApp
    settings : AccessSettings
    credentials : Credentials
    buckets : Buckets
    used : UsedTokens
    left_open : tuple of str
        Beginnings of paths whose routes authenticate their callers themselves.
    state : mapping of str to object, optional
        What else every request is to find in its state.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: AccessSettings,
        credentials: Credentials,
        buckets: Buckets,
        used: UsedTokens,
        left_open: tuple[str, ...] = (),
        state: Mapping[str, object] = _NO_STATE,
    ) -> None:
        self.app = app
        self.credentials = credentials
        self._settings = settings
        self._buckets = buckets
        self._used = used
        self._left_open = left_open
        self._state = state
        self._headers = security_headers(settings.is_https)
        self._names = frozenset(name for name, _ in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cookie: Session | None = None

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                if given.isdisjoint(self._names):
                    message["headers"].extend(self._headers)
                else:  # a route that has a policy of its own knows why
                    message["headers"].extend(pair for pair in self._headers if pair[0] not in given)
                if cookie is not None and b"set-cookie" not in given:
                    message["headers"].append((b"set-cookie", self.cookie_of(cookie).encode()))
            await send(message)

        try:
            headers = _headers_of(scope)
            visitor = await self._admit(scope, headers)
            cookie = self._cookie_for(scope, headers, visitor)
            session = cookie or visitor.session
            if visitor.caller is ANONYMOUS or visitor.by_cookie or scope["path"] == "/login":
                receive = await self._check_meant(scope, headers, visitor, receive)
        except ProblemError as problem:
            response = self._refusal(scope, problem)
            await response(scope, receive, send_secured)
            return
        scope.setdefault("state", {}).update(
            self._state,
            access=self,
            caller=visitor.caller,
            session=session,
            csrf_token="" if session is None else self.credentials.sessions.csrf_token(session),
            used_tokens=self._used,
        )
        await self.app(scope, receive, send_secured)

    def cookie_of(self, session: Session | None) -> str:
        """Write the header that gives a browser its session, or takes it away.

        Parameters
        ----------
        session : Session or None

        Returns
        -------
        str
            Unreadable for scripts, and not sent with another site's forms.
        """
        value = "" if session is None else self.credentials.sessions.write(session)
        parts = [f"{self.credentials.cookie}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
        parts += ["Secure"] if self._settings.is_https else []
        return "; ".join(parts + (["Max-Age=0"] if session is None else []))

    def count_failure(self, scope: Scope) -> None:
        """Count a failed attempt of an address.

        Parameters
        ----------
        scope : Scope

        Raises
        ------
        ProblemError
            429 if there were too many. Whoever sends a key that is valid is never stopped by it.
        """
        self._take(f"failed:{_address(scope)}", *_FAILURES)

    async def _admit(self, scope: Scope, headers: Headers) -> Visitor:
        path, method = scope["path"], scope["method"]
        if not self.credentials.is_on and not is_expected_host(
            headers.get(b"host", b"").decode("latin-1"), self._settings.public_url
        ):
            raise ProblemError(421, "the request was made for another host; ask for localhost or 127.0.0.1")
        if method == "OPTIONS" and b"access-control-request-method" in headers:
            return Visitor(_NOBODY)  # a browser's question before it asks; it never says who it is
        if is_public(path):
            return Visitor(
                _NOBODY if self.credentials.is_on else ANONYMOUS, self.credentials.session_of(headers)
            )
        if self._is_left_open(path):
            self._limit(f"address:{_address(scope)}")
            return Visitor(_NOBODY)
        try:
            visitor = await self.credentials.identify(headers)
            if visitor.caller is None:
                raise unauthorised(
                    "say who you are: send Authorization: Bearer … with an API key or token, or X-API-Key", ""
                )
        except SaidTwiceError:
            raise
        except ProblemError as problem:
            if problem.status == 401 and says_who(headers):
                self.count_failure(scope)
            raise
        self._check_scope(visitor.caller, scope_for(method, path))
        if self.credentials.is_on:
            self._limit(visitor.caller.id)
        return visitor

    def _is_left_open(self, path: str) -> bool:
        return any(path == begin or path.startswith(f"{begin}/") for begin in self._left_open)

    def _check_scope(self, caller: Caller, needed: str | None) -> None:
        if needed is not None and needed not in caller.scopes:
            raise ProblemError(
                403,
                f"this needs the scope `{needed}`, which this caller does not have; ask who gave out the key",
            )

    def _limit(self, name: str) -> None:
        limit = self._settings.rate_limit
        if limit:
            self._take(name, limit, max(1, limit // 4))

    def _take(self, name: str, per_minute: int, burst: int) -> None:
        wait = self._buckets.take(name, per_minute, burst)
        if wait:
            raise ProblemError(
                429,
                f"too many requests: {per_minute} a minute, {burst} at once",
                headers={"Retry-After": str(wait)},
            )

    def _cookie_for(self, scope: Scope, headers: Headers, visitor: Visitor) -> Session | None:
        """A session to give to the browser: its first one, or more time."""
        if scope["method"] not in SAFE or b"text/html" not in headers.get(b"accept", b""):
            return None
        if visitor.session is not None:
            return self.credentials.sessions.renew(visitor.session)
        is_page = visitor.caller is ANONYMOUS or scope["path"] == "/login"
        return self.credentials.sessions.begin() if is_page else None

    async def _check_meant(
        self, scope: Scope, headers: Headers, visitor: Visitor, receive: Receive
    ) -> Receive:
        """Check that a browser's request comes from our own page (CSRF)."""
        if scope["method"] in SAFE:
            return receive
        is_foreign = not reads_json_only(scope["path"]) and is_sent_by_forms(
            headers.get(b"content-type", b"")
        )
        if not (visitor.by_cookie or is_foreign):
            return receive
        expected = "" if visitor.session is None else self.credentials.sessions.csrf_token(visitor.session)
        return await check_token(expected, headers, receive)

    def _refusal(self, scope: Scope, problem: ProblemError) -> Response:
        if problem.status == 401 and self.credentials.keys is not None and is_for_a_person(scope):
            wanted = scope["path"] if scope["path"] in _RETURNS else "/"
            return RedirectResponse(f"/login?next={wanted}", 303)
        return refuse(scope, problem)


def _headers_of(scope: Scope) -> Headers:
    headers: Headers = {}
    for name, value in scope["headers"]:
        if name in (b"authorization", API_KEY_HEADER) and name in headers:
            raise ProblemError(400, f"there must be one {name.decode().title()} header")
        headers[name] = headers[name] + b"; " + value if name == b"cookie" and name in headers else value
    return headers


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else "unknown"

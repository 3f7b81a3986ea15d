"""CDS clients: health records that sign each call (CDS Hooks 2.0, "Trusting CDS Clients")."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt

from features.toml_section import Section
from serving.access.caller import Caller
from serving.access.errors import AccessError
from serving.access.replay import UsedTokens
from serving.access.token_keys import KeysAwayError, TokenKeys
from serving.access.tokens import LEEWAY, unauthorised
from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["CdsClients", "load_clients"]

_ALGORITHMS: Final = ("ES384", "RS384", "ES256", "RS256", "ES512", "RS512", "PS384")
"""The first two are those that CDS Hooks recommends; `none` and shared secrets are prohibited."""

_REQUIRED: Final = ["iss", "aud", "exp", "iat", "jti"]
_LONGEST_TOKEN: Final = 8192
_LONGEST_NAME: Final = 512
_LONGEST_ISSUER: Final = 150
_LIFETIME: Final = 3600
"""Seconds from `iat` to `exp` at most: so long a token must be remembered, that it is not used again."""

_CLINICIAN: Final = frozenset({"clinician"})


class CdsClients:
    """Says which health record calls.

    Parameters
    ----------
    keys : mapping of str to TokenKeys
        By issuer: the allow list.
    addresses : mapping of str to str
        By issuer, the address that a token may name as that of its keys (`jku`). No other is ever fetched.
    public_url : str or None
        Under which clients reach the service.
    """

    def __init__(
        self, keys: Mapping[str, TokenKeys], addresses: Mapping[str, str], public_url: str | None
    ) -> None:
        self._keys = keys
        self._addresses = addresses
        self._public_url = public_url
        self._used = UsedTokens(None)

    async def admit(self, request: Request) -> None:
        """Verify the token of a call, and note the caller in the state of the request.

        Parameters
        ----------
        request : Request

        Raises
        ------
        ProblemError
            401 unless it was signed, for this very address and for the first time, by a client of the list.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise unauthorised("a CDS client signs each call: send Authorization: Bearer …", "")
        claims = await self._verify(token.strip(), self._address_of(request))
        used = getattr(request.state, "used_tokens", self._used)  # shared by the workers, behind `Access`
        if not used.first_use(f"cds:{claims['iss']}", claims["jti"], claims["exp"] + LEEWAY):
            raise unauthorised("the token has been used before")
        request.state.caller = Caller(f"cds:{claims['iss']}", _CLINICIAN)

    def _address_of(self, request: Request) -> str:
        """Give the address that was called, as the client must have written it; never by the header Host."""
        if self._public_url is not None:
            return self._public_url + request.url.path
        scheme = request.scope["scheme"]
        host, port = request.scope["server"] or ("127.0.0.1", None)
        name = f"[{host}]" if ":" in host else host
        usual = {"http": 80, "https": 443}.get(scheme)
        return f"{scheme}://{name}{'' if port in (None, usual) else f':{port}'}{request.url.path}"

    async def _verify(self, token: str, address: str) -> dict[str, Any]:
        try:
            if len(token) > _LONGEST_TOKEN:
                raise jwt.InvalidTokenError
            header = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            key = await self._key(header, issuer)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=address,
                issuer=issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except KeysAwayError:
            raise ProblemError(
                503, "the keys of this client cannot be fetched", headers={"Retry-After": "10"}
            ) from None
        except jwt.ExpiredSignatureError:
            raise unauthorised("the token has expired") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise unauthorised("the token is not valid for this service") from None
        if not _is_bounded(claims):
            raise unauthorised("the token must have a short `jti`, and an `exp` at most an hour after `iat`")
        return claims

    async def _key(self, header: Mapping[str, Any], issuer: object) -> jwt.PyJWK:
        algorithm, kid = header.get("alg"), header.get("kid")
        keys = self._keys.get(issuer) if isinstance(issuer, str) else None
        if keys is None or algorithm not in _ALGORITHMS or not isinstance(kid, str):
            raise jwt.InvalidTokenError
        if "jku" in header and header["jku"] != self._addresses.get(str(issuer)):
            raise jwt.InvalidTokenError
        found = await keys.find(kid)
        if found is None or found.get("alg", algorithm) != algorithm:
            raise jwt.InvalidTokenError
        return jwt.PyJWK(found, algorithm=algorithm)


def _is_bounded(claims: Mapping[str, Any]) -> bool:
    """Whether a token can be remembered for as long as it is good."""
    name, begin, end = claims["jti"], claims["iat"], claims["exp"]
    if not isinstance(begin, int | float) or not isinstance(end, int | float):
        return False
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and end - begin <= _LIFETIME


def load_clients(path: Path | None, public_url: str | None) -> CdsClients | None:
    """Read the list of CDS clients.

    Parameters
    ----------
    path : Path or None
        TOML: a table `[clients."ISSUER"]` for each, with `keys` (a JWKS file beside this one, or its https
        address) and, where keys are a file, optionally the `jku` that its tokens name.
    public_url : str or None

    Returns
    -------
    CdsClients or None
        None without a path: then calls are authenticated as those of every other route.

    Raises
    ------
    AccessError
        If it, or keys that it names, cannot be read.
    """
    if path is None:
        return None
    problems: list[str] = []
    try:
        top = Section(tomllib.loads(path.read_text(encoding="utf-8")), "", problems)
    except (OSError, ValueError) as exc:
        raise AccessError(f"cds_clients: {path} cannot be read as TOML") from exc
    listed = top.section("clients")
    top.close()
    keys, addresses = {}, {}
    for issuer in () if listed is None else listed.keys():
        client = listed.section(issuer, f'[clients."{issuer}"]') if listed is not None else None
        if client is None:
            continue
        if len(issuer) > _LONGEST_ISSUER:
            client.note("", f"the issuer has more than {_LONGEST_ISSUER} letters")
        source, jku = client.text("keys"), client.optional_text("jku")
        client.close()
        if source:
            is_address = "://" in source
            keys[issuer] = TokenKeys(source if is_address else str(path.parent / source))
            if address := jku or (source if is_address else None):
                addresses[issuer] = address
    if not keys and not problems:
        problems.append("no client is listed")
    if problems:
        raise AccessError(f"cds_clients: {path}: {'; '.join(problems)}")
    return CdsClients(keys, addresses, public_url)

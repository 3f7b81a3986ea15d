"""Bearer tokens: JSON Web Tokens (RFC 7519) that an identity provider has signed for this service."""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import jwt

from serving.access.caller import ROLES, Caller, scopes_of
from serving.access.token_keys import KeysAwayError
from serving.problems import ProblemError

if TYPE_CHECKING:
    from serving.access.replay import UsedTokens
    from serving.access.token_keys import TokenKeys

__all__ = ["ALGORITHMS", "LEEWAY", "Tokens", "unauthorised"]

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
"""Signatures with a private key. `none` proves nothing; a shared secret (HMAC) could be the public key itself
(RFC 8725, 2.1 and 3.1)."""

LEEWAY: Final = 30
"""Seconds that clocks may differ."""

_LONGEST: Final = 8192
_LONGEST_SUBJECT: Final = 180
_REMEMBERED: Final = 1024


def unauthorised(detail: str, error: str = "invalid_token") -> ProblemError:
    """Make the answer to a request whose sender is not known (RFC 6750, 3).

    Parameters
    ----------
    detail : str
    error : str
        Code of the header; empty if nothing was sent.

    Returns
    -------
    ProblemError
        401.
    """
    challenge = f'Bearer realm="treatment-response"{f", error={chr(34)}{error}{chr(34)}" if error else ""}'
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})


class Tokens:
    """Says whom a token stands for.

    Parameters
    ----------
    keys : TokenKeys
    issuer, audience : str
        What `iss` and `aud` must be.
    roles_claim : str
        The claim that holds roles, as a list or as words; those that are not of `ROLES` are ignored.
    once : UsedTokens or None
        Where each token (`jti`) is good for one request only.
    """

    def __init__(
        self, keys: TokenKeys, issuer: str, audience: str, roles_claim: str, once: UsedTokens | None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._roles_claim = roles_claim
        self._once = once
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._generation = keys.generation

    async def caller_of(self, token: str) -> Caller:
        """Verify a token.

        Parameters
        ----------
        token : str

        Returns
        -------
        Caller
            With the roles of the token; perhaps none.

        Raises
        ------
        ProblemError
            401 if it is not to be believed, 503 if there are no keys to check it with.
        """
        digest = blake2b(token.encode("latin-1"), digest_size=16).digest()
        known = self._known.get(digest)
        # A signature costs as much as a prediction: one that was verified is remembered, with its key.
        if known is not None and known[1] > time.time() and not await self._have_keys_changed():
            return known[0]
        claims = await self._verify(token)
        caller = self._caller(claims)
        if self._once is None:
            self._remember(digest, caller, claims["exp"] + LEEWAY)
        elif not self._once.first_use(claims["iss"], str(claims.get("jti")), claims["exp"] + LEEWAY):
            raise unauthorised("the token has been used before")
        return caller

    async def _verify(self, token: str) -> dict[str, Any]:
        required = ["exp", "iss", "aud", "sub", *(["jti"] if self._once is not None else [])]
        try:
            if len(token) > _LONGEST:
                raise jwt.InvalidTokenError
            header = jwt.get_unverified_header(token)
            algorithm, kid = header.get("alg"), header.get("kid")
            if algorithm not in ALGORITHMS or not isinstance(kid, str):
                raise unauthorised("the token must name its key (`kid`) and a public-key signature (`alg`)")
            found = await self._keys.find(kid)
            if found is None:
                raise unauthorised("the token was signed with an unknown key")
            key = jwt.PyJWK(found, algorithm=found.get("alg", algorithm))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": required},
            )
        except jwt.ExpiredSignatureError:
            raise unauthorised("the token has expired") from None
        except KeysAwayError:
            detail = "the keys that tokens are checked with cannot be fetched; try again in a moment"
            raise ProblemError(503, detail, headers={"Retry-After": "10"}) from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Neither which check failed nor what was in it: `from None` drops both.
            raise unauthorised("the token is not valid for this service") from None
        return claims

    def _caller(self, claims: dict[str, Any]) -> Caller:
        subject = claims["sub"]
        if (
            not isinstance(subject, str)
            or not 0 < len(subject) <= _LONGEST_SUBJECT
            or not subject.isprintable()
        ):
            raise unauthorised("the token's `sub` must be a short text")
        listed = claims.get(self._roles_claim, ())
        words = listed.split() if isinstance(listed, str) else listed
        roles = [role for role in words if isinstance(role, str)] if isinstance(words, list) else []
        known = frozenset(roles) & frozenset(ROLES)
        return Caller(f"token:{subject}", known, scopes_of(known))

    async def _have_keys_changed(self) -> bool:
        await self._keys.refresh()
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._known.clear()
            return True
        return False

    def _remember(self, digest: bytes, caller: Caller, until: float) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[digest] = caller, until

"""Put the layer together from the settings."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from serving.access.api_keys import KnownKeys
from serving.access.buckets import Buckets
from serving.access.credentials import Credentials
from serving.access.key_file import KeyFile
from serving.access.layer import Access
from serving.access.replay import UsedTokens
from serving.access.sessions import Sessions
from serving.access.token_keys import TokenKeys
from serving.access.tokens import Tokens

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

    from serving.access.settings import AccessSettings

__all__ = ["check_access", "make_access"]

_SECRET: Final = "session.secret"  # noqa: S105  # the name of a file
_BYTES: Final = 32


def check_access(settings: AccessSettings) -> None:
    """Read what the settings name, so that what is wrong with it is said at start.

    Parameters
    ----------
    settings : AccessSettings

    Raises
    ------
    AccessError
        If keys cannot be read, or there are none.
    """
    _known_keys(settings)
    _token_keys(settings)


def make_access(
    app: ASGIApp,
    settings: AccessSettings,
    folder: Path | None,
    left_open: tuple[str, ...] = (),
    **state: object,
) -> Access:
    """Make the layer.

    Parameters
    ----------
    app : ASGIApp
    settings : AccessSettings
    folder : Path or None
        Private folder that the workers share; None for this process alone.
    left_open : tuple of str
        As in `Access`.
    **state : object
        What else every request is to find in its state.

    Returns
    -------
    Access

    Raises
    ------
    AccessError
        As `check_access`.
    """
    used = UsedTokens(None if folder is None else folder / "used-tokens.sqlite")
    buckets = Buckets(None if folder is None else folder / "callers.counts")
    # A prefix that browsers keep to HTTPS, this host and the whole of it: no neighbour can plant the cookie.
    cookie = "__Host-session" if settings.is_https else "session"
    sessions = Sessions(_secret(folder), settings.session_minutes * 60)
    credentials = Credentials(_known_keys(settings), _tokens(settings, used), sessions, used, cookie)
    return Access(app, settings, credentials, buckets, used, left_open, state)


def _known_keys(settings: AccessSettings) -> KnownKeys | None:
    return None if settings.api_keys is None else KnownKeys(KeyFile(settings.api_keys))


def _token_keys(settings: AccessSettings) -> TokenKeys | None:
    return None if settings.jwks is None else TokenKeys(settings.jwks)


def _tokens(settings: AccessSettings, used: UsedTokens) -> Tokens | None:
    keys = _token_keys(settings)
    if keys is None or settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    once = used if settings.jwt_single_use else None
    return Tokens(keys, settings.jwt_issuer, settings.jwt_audience, settings.jwt_roles_claim, once)


def _secret(folder: Path | None) -> bytes:
    """The secret of the sessions: whichever worker came first made it, whole before it has its name."""
    if folder is None:
        return secrets.token_bytes(_BYTES)
    path = folder / _SECRET
    own = folder / f".{_SECRET}-{secrets.token_hex(8)}"
    own.touch(mode=0o600)
    own.write_bytes(secrets.token_bytes(_BYTES))
    with suppress(FileExistsError):
        path.hardlink_to(own)
    own.unlink()
    return path.read_bytes()

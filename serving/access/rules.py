"""What each path asks for: nothing, or one of the scopes of a caller."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

__all__ = ["SAFE", "is_expected_host", "is_public", "local_path", "reads_json_only", "scope_for"]

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

_PUBLIC: Final = frozenset({"/healthz", "/readyz", "/login"})
_NEEDS: Final = {"/metrics": "metrics", "/v1/outcomes": "outcomes"}


def is_public(path: str) -> bool:
    """Whether a path answers everybody: probes, signing in, and the page's files, which hold nothing.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool
    """
    return path in _PUBLIC or path.startswith("/static/")


def scope_for(method: str, path: str) -> str | None:
    """Give the scope that a caller needs.

    Parameters
    ----------
    method, path : str

    Returns
    -------
    str or None
        None for signing out, which is everybody's. A path that is not named needs `read`, or `predict`
        if something is sent.
    """
    if path == "/logout":
        return None
    return _NEEDS.get(path.rstrip("/"), "read" if method in SAFE else "predict")


def reads_json_only(path: str) -> bool:
    """Whether a path's routes refuse what forms send, with 415: other sites cannot ask them unnoticed.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool
    """
    return path.startswith(("/v1/", "/cds-services", "/fhir/"))


@lru_cache(maxsize=64)  # a few names are asked for all the time
def is_expected_host(host: str, public_url: str | None) -> bool:
    """Whether a request to a service without authentication was meant for it (DNS rebinding).

    A web page of somebody else can make its own name point to this machine; the name still stands in the
    header `Host`. Such a name has a dot: one without, or an address, belongs to nobody else's page.

    Parameters
    ----------
    host : str
        The header.
    public_url : str or None

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_expected_host(h, None) for h in ("localhost:8000", "[::1]:8000", "127.0.0.1", "evil.example")]
    [True, True, True, False]
    """
    if public_url is not None and host == urlsplit(public_url).netloc:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if "." not in name.rstrip(".") and ":" not in name:
            return True
        ip_address(name)
    except ValueError:
        return False
    return True


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of ours, or the page.

    Parameters
    ----------
    wanted : str
        What the address of the sign-in page said, which anybody can have made.

    Returns
    -------
    str

    Examples
    --------
    >>> local_path("/docs"), local_path("//evil.example/"), local_path("https://evil.example/")
    ('/docs', '/', '/')
    """
    is_local = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if is_local and wanted.isascii() and wanted.isprintable() and "\\" not in wanted else "/"

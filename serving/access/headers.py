"""What every answer tells a browser not to do."""

from __future__ import annotations

from typing import Final

__all__ = ["CSP", "security_headers"]

CSP: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Content Security Policy (W3C, level 3): this origin only, nothing inline, in nobody's frame."""

_FIXED: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


def security_headers(https: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers of every answer.

    Parameters
    ----------
    https : bool
        Whether the service is reached by HTTPS, and so must be from then on.

    Returns
    -------
    tuple of pairs of bytes
    """
    return (*_FIXED, _HSTS) if https else _FIXED

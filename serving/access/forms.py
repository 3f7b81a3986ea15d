"""Forms of the page: read once, checked for their token, and handed on as they came."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from serving.access.csrf import CSRF_FIELD, CSRF_HEADER
from serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive

__all__ = ["check_token", "is_sent_by_forms", "parse_form"]

_FORM: Final = "application/x-www-form-urlencoded"
_SENT_BY_FORMS: Final = frozenset({_FORM, "multipart/form-data", "text/plain", ""})
"""What another site's page can have a browser send without being asked first (Fetch standard, CORS)."""

_MOST_FIELDS: Final = 5000


def is_sent_by_forms(content_type: bytes) -> bool:
    """Whether any web page can have a browser send this kind of body.

    Parameters
    ----------
    content_type : bytes
        The header.

    Returns
    -------
    bool
    """
    return _media(content_type) in _SENT_BY_FORMS


def parse_form(body: bytes) -> dict[str, str]:
    """Read a form's fields; of several with one name the last.

    Parameters
    ----------
    body : bytes

    Returns
    -------
    dict of str to str

    Raises
    ------
    ProblemError
        400 if it is no form.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise ProblemError(400, "the body is not a form") from None
    return dict(pairs)


async def check_token(expected: str, headers: Mapping[bytes, bytes], receive: Receive) -> Receive:
    """Check the token of a browser's request, in its header or in its form.

    Parameters
    ----------
    expected : str
        Empty without a session: nothing fits then.
    headers : mapping of bytes to bytes
    receive : Receive

    Returns
    -------
    Receive
        Gives the body, as if nobody had read it.

    Raises
    ------
    ProblemError
        403 if the token is missing or another one.
    """
    sent = headers.get(CSRF_HEADER.encode(), b"").decode("latin-1")
    if not sent and _media(headers.get(b"content-type", b"")) == _FORM:
        body = await _read(receive)
        sent = parse_form(body).get(CSRF_FIELD, "")
        receive = _replay(body, receive)
    if not expected or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise ProblemError(
            403,
            "the form is no longer valid: open the page anew and send it again "
            f"(`{CSRF_FIELD}`, or the header {CSRF_HEADER})",
        )
    return receive


def _media(content_type: bytes) -> str:
    return content_type.decode("latin-1").partition(";")[0].strip().lower()


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = True

    async def replayed() -> Message:
        nonlocal waiting
        if not waiting:
            return await receive()
        waiting = False
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed

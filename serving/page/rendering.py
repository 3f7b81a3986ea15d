"""Templates, escaped by default, and the files that pages ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

from serving.page.form import item_name
from serving.page.pictures import maintenance_text
from serving.page.words import level_of_100, of_100, points, range_of_100, signed_points, tidy
from serving.templates import make_templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

__all__ = ["CONTENT_POLICY", "STATIC", "Asset", "make_page", "read_asset"]

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The page runs what this service serves and sends to this service alone; nothing stands inline."""

STATIC: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All files that there are, so that no name from outside ever becomes a path."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page.

    Parameters
    ----------
    content : bytes
    media_type : str
    """

    content: bytes
    media_type: str


@cache
def read_asset(name: str) -> Asset:
    """Read a file of the page.

    Parameters
    ----------
    name : str
        Of `STATIC`.

    Returns
    -------
    Asset
    """
    return Asset(files("serving.page").joinpath("static", name).read_bytes(), STATIC[name])


def make_page(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Fill a template.

    Parameters
    ----------
    template : str
        File name in `templates/`.
    values : mapping of str to Any
        Every text in it is escaped; a name that the template asks for and does not get is an error.
    status : int

    Returns
    -------
    HTMLResponse
    """
    text = _environment().get_template(template).render(values)
    return HTMLResponse(
        text, status, {"Content-Security-Policy": CONTENT_POLICY, "Referrer-Policy": "no-referrer"}
    )


@cache
def _environment() -> Environment:
    words = (item_name, level_of_100, maintenance_text, of_100, points, range_of_100, signed_points, tidy)
    return make_templates("serving.page", **{word.__name__: word for word in words})

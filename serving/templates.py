"""Templates of pages: escaped by default, and an error where a value is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["make_templates"]


def make_templates(package: str, **filters: Callable[..., Any]) -> Environment:
    """Make the templates of a package.

    Parameters
    ----------
    package : str
        With a folder `templates`.
    **filters : callable
        What its templates may apply, by name.

    Returns
    -------
    Environment
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment

"""Pages from templates: escaped, self-contained, with nothing fetched from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training.report.words import capitalise, say

__all__ = ["render"]


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template of this package.

    Parameters
    ----------
    template : str
        File name in `templates/`.
    values : mapping of str to Any
        Every text in it is escaped; a name that the template asks for and does not get is an error.

    Returns
    -------
    str
        A whole HTML page.
    """
    environment = Environment(
        loader=PackageLoader("training.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"wordy": _wordy, "figure": _figure}
    style = files("training.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    # Our own file, and inside <style> escapes would be read as they stand.
    page = environment.get_template(template).render(values, style=Markup(style))  # noqa: S704  # nosec B704
    return re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", page)  # no line of a table begins with a lone %


def _wordy(name: str) -> str:
    """Part a name written in capitals into words: UsesAndDirections -> Uses and directions."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)
    return capitalise(" ".join(word if word.isupper() else word.lower() for word in words))


def _figure(text: str) -> str:
    """Say a figure that is written as JSON."""
    found = json.loads(text)
    if isinstance(found, str):
        return found
    counts = f", {found['events']} of {found['patients']} patients" if "patients" in found else ""
    return ("too small" if found.get("too_small") else say(found, 3)) + counts

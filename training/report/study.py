"""The study file: what only people can say of a study, in one optional TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from features.errors import ProblemsError
from features.toml_section import Section

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RATINGS", "Study", "StudyFileError", "list_fields", "load_study", "parse_study"]

RATINGS: Final = ("yes", "probably yes", "probably no", "no", "no information", "not applicable")
"""Answers to PROBAST+AI's questions."""


class StudyFileError(ProblemsError):
    """A study file that cannot be read, or says something that is not asked for."""


@dataclass(frozen=True)
class Study:
    """What people say.

    Parameters
    ----------
    texts : mapping of str to str
        By `section.key`, see `list_fields`.
    keywords : tuple of str
    probast : mapping of str to (str, str)
        By question, such as "development 1.1": the rating and why.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    probast: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        """Give a text, None where nothing was said."""
        return self.texts.get(key)


@cache
def list_fields() -> dict[str, str]:
    """List what a study file may say.

    Returns
    -------
    dict of str to str
        By `section.key`: what to write.
    """
    table = tomllib.loads(files("training.report").joinpath("study_fields.toml").read_text(encoding="utf-8"))
    return {f"{section}.{key}": text for section, keys in table.items() for key, text in keys.items()}


def load_study(path: Path | None, questions: tuple[str, ...]) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : Path or None
        None gives a study of which nothing is stated.
    questions : tuple of str
        PROBAST+AI's questions that may be rated.

    Returns
    -------
    Study

    Raises
    ------
    StudyFileError
        With every problem of the file.
    """
    if path is None:
        return Study()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise StudyFileError(str(path), [f"cannot be read: {exc.strerror or exc}"]) from exc
    except UnicodeDecodeError as exc:
        raise StudyFileError(str(path), ["is not UTF-8 text; save it with the encoding UTF-8"]) from exc
    return parse_study(text, str(path), questions)


def parse_study(text: str, origin: str, questions: tuple[str, ...]) -> Study:
    r"""Read and check the text of a study file.

    Parameters
    ----------
    text : str
        TOML.
    origin : str
        Where it comes from, for messages.
    questions : tuple of str

    Returns
    -------
    Study

    Raises
    ------
    StudyFileError

    Examples
    --------
    >>> study = parse_study('[open_science]\nfunding = "None."', "study.toml", ())
    >>> study.get("open_science.funding"), study.get("open_science.ethics")
    ('None.', None)
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise StudyFileError(origin, [f"is not TOML: {exc}"]) from exc
    problems: list[str] = []
    top = Section(table, "", problems)
    texts, keywords = _read_texts(top)
    probast = _read_ratings(top.section("probast"), questions)
    top.close()
    if problems:
        raise StudyFileError(origin, problems)
    return Study(texts, keywords, probast)


def _read_texts(top: Section) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    keywords: tuple[str, ...] = ()
    by_section: dict[str, list[str]] = {}
    for name in list_fields():
        section, _, key = name.partition(".")
        by_section.setdefault(section, []).append(key)
    for section, keys in by_section.items():
        part = top.section(section)
        if part is None:
            continue
        for key in keys:
            if part.has(key):
                found[f"{section}.{key}"] = _text(part, key)
        if section == "model" and part.has("keywords"):
            keywords = part.words("keywords", fewest=1)
        part.close()
    return found, keywords


def _text(part: Section, key: str) -> str:
    """Read a text, of several lines if need be."""
    value = part.raw(key)
    if not isinstance(value, str) or not value.strip():
        part.note(key, "must be a text in quotes that is not empty")
        return ""
    return value.strip()


def _read_ratings(part: Section | None, questions: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    if part is None:
        return found
    for question in questions:
        rated = part.section(question, f'[probast."{question}"]')
        if rated is not None:
            found[question] = (rated.choice("rating", RATINGS), _text(rated, "why"))
            rated.close()
    part.close()
    return found

"""Read a cohort file: the one description of a cohort that everything else follows.

The format is documented in ``docs/cohort-files.md``. No pandas here: the service reads cohort files too.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import cast, get_args

from features.cohort_file_model import (
    BASELINE,
    CohortFile,
    Durability,
    Futility,
    Kind,
    Outcome,
    Plan,
    Predictor,
    Provenance,
    Regimen,
)
from features.cohort_file_rules import check_rules
from features.cohort_file_sections import (
    read_durability,
    read_futility,
    read_landmarks,
    read_outcome,
    read_plan,
    read_predictors,
)
from features.errors import CohortFileError
from features.regimens import read_regimens
from features.toml_section import Section

__all__ = [
    "BASELINE",
    "CohortFile",
    "Durability",
    "Futility",
    "Kind",
    "Outcome",
    "Plan",
    "Predictor",
    "Provenance",
    "Regimen",
    "load_cohort_file",
    "parse_cohort_file",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


def load_cohort_file(path: Path | str) -> CohortFile:
    """Read and check a cohort file.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    CohortFile

    Raises
    ------
    CohortFileError
        If it cannot be read, with every problem of the file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # editors on Windows may put a byte order mark
    except OSError as exc:
        raise CohortFileError(str(path), [f"cannot be read: {exc.strerror or exc}"]) from exc
    except UnicodeDecodeError as exc:
        raise CohortFileError(str(path), ["is not UTF-8 text; save it with the encoding UTF-8"]) from exc
    return parse_cohort_file(text, str(path))


def parse_cohort_file(text: str, origin: str) -> CohortFile:
    """Read and check the text of a cohort file.

    Parameters
    ----------
    text : str
        TOML.
    origin : str
        Where it comes from, for messages.

    Returns
    -------
    CohortFile

    Raises
    ------
    CohortFileError
        With every problem of the file.

    Examples
    --------
    >>> cohort_file = parse_cohort_file('''
    ... name = "example"
    ... title = "An example"
    ... provenance = "observational"
    ... [outcome]
    ... scale = "PHQ9"
    ... baseline = "phq9_start"
    ... endpoint = "phq9_end"
    ... [predictors.age]
    ... kind = "number"
    ... valid = [18, 100]
    ... ''', "example.toml")
    >>> cohort_file.predictors[0].label
    'Age'
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # of TOML; a number, or brackets, without end
        raise CohortFileError(origin, [f"is not TOML: {exc}"]) from exc
    problems: list[str] = []
    cohort_file = _read_file(Section(table, "", problems), text)
    # Rules between sections are checked even if some value was wrong: one run shows everything.
    problems += [rule for rule in check_rules(cohort_file) if rule not in problems]
    if problems:
        raise CohortFileError(origin, problems)
    return cohort_file


def _read_file(top: Section, text: str) -> CohortFile:
    name = top.text("name")
    if name and not _NAME.fullmatch(name):
        top.note(
            "name", f"{name!r} may only hold a-z, 0-9, '.', '_' and '-', and starts with a letter or digit"
        )
    result = CohortFile(
        name=name,
        title=top.text("title"),
        provenance=cast("Provenance", top.choice("provenance", get_args(Provenance))),
        row_id=top.optional_text("row_id"),
        group=top.optional_text("group"),
        date=top.optional_text("date"),
        outcome=read_outcome(top),
        plan=read_plan(top.section("plan")),
        predictors=read_predictors(top),
        landmarks=read_landmarks(top.section("landmarks")),
        durability=read_durability(top.section("durability")),
        futility=read_futility(top.section("futility")),
        text=text,
        regimens=read_regimens(top.section("regimens")),
    )
    top.close()
    return result

"""Invented patients to try the page with: data beside the cohort file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from serving.problems import ProblemError
from serving.reading import read_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.cohort_file import CohortFile
    from serving.schemas import PredictRequest

__all__ = ["Example", "load_examples"]


@dataclass(frozen=True, slots=True)
class Example:
    """An invented patient.

    Parameters
    ----------
    name : str
        Part of an address.
    title, text : str
    request : mapping
        As to `POST /v1/predict`, and perhaps `start`.
    """

    name: str
    title: str
    text: str
    request: Mapping[str, Any]


def load_examples(cohort_file: CohortFile, model: type[PredictRequest]) -> Mapping[str, Example]:
    """Load the examples of a cohort: `NAME.examples.toml`, beside its cohort file.

    Parameters
    ----------
    cohort_file : CohortFile
    model : type of PredictRequest
        Of that cohort; an example that it refuses, such as one written for an older file, is left out.

    Returns
    -------
    mapping of str to Example
        By name; empty if the cohort has none.
    """
    path = files("features") / "cohorts" / f"{cohort_file.name.replace('-', '_')}.examples.toml"
    if not path.is_file():
        return {}
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    examples = (_make(name, table) for name, table in tables.items())
    return {example.name: example for example in examples if _fits(example, cohort_file, model)}


def _make(name: str, table: dict[str, Any]) -> Example:
    request = {key: value for key, value in table.items() if key not in ("title", "text")}
    return Example(name, table["title"], table["text"], request)


def _fits(example: Example, cohort_file: CohortFile, model: type[PredictRequest]) -> bool:
    body = {key: value for key, value in example.request.items() if key != "start"}
    try:
        read_request(to_json(body), model, cohort_file)
    except ProblemError:
        return False
    return True

"""FHIR mappings: which codes of a health record hold which predictors, safety answers and plans.

A mapping is a TOML file beside the cohort file, documented in ``docs/health-record.md``. It names no
predictor that the cohort file does not have, so there is still only one list of them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from features.cohort_file_model import BASELINE
from features.errors import CohortFileError
from features.fhir_mapping_model import FhirMapping, FhirSource, Reading
from features.fhir_mapping_sections import YES_ONLY, parse_mapping
from features.safety_rules import load_rules
from features.toml_section import name_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.cohort_file_model import CohortFile, Predictor

__all__ = ["FhirMapping", "FhirSource", "Reading", "check_mapping", "find_mapping", "parse_mapping"]


def find_mapping(path: Path | None, cohort_file: CohortFile) -> FhirMapping | None:
    """Find the mapping of a cohort: the one that was given, or else the one that is shipped for its name.

    Parameters
    ----------
    path : Path or None
    cohort_file : CohortFile

    Returns
    -------
    FhirMapping or None
        None where none was given and none is shipped.

    Raises
    ------
    CohortFileError
        If it cannot be read, or does not fit the cohort file.
    """
    shipped = files("features").joinpath("cohorts")
    if path is not None:
        try:
            mapping = parse_mapping(path.read_text(encoding="utf-8-sig"), str(path))
        except (OSError, UnicodeDecodeError) as exc:
            raise CohortFileError(str(path), ["cannot be read as UTF-8 text"]) from exc
        check_mapping(mapping, cohort_file, str(path))
        return mapping
    for entry in sorted(shipped.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".fhir.toml"):
            mapping = parse_mapping(entry.read_text(encoding="utf-8"), entry.name)
            if mapping.cohort == cohort_file.name:
                check_mapping(mapping, cohort_file, entry.name)
                return mapping
    return None


def check_mapping(mapping: FhirMapping, cohort_file: CohortFile, origin: str) -> None:
    """Check a mapping against the cohort file that it is for.

    Parameters
    ----------
    mapping : FhirMapping
    cohort_file : CohortFile
    origin : str

    Raises
    ------
    CohortFileError
        With every name that the cohort does not have, and every source that cannot give what is needed.
    """
    problems: list[str] = []
    if mapping.cohort != cohort_file.name:
        problems.append(f"cohort: is for {mapping.cohort!r}, not for {cohort_file.name!r}")
    plans = cohort_file.plan_levels
    if mapping.plan not in (plans or (None,)):
        problems.append(f"plan: must be one of: {', '.join(plans) or 'nothing, without plans'}")
    problems += _unknown(mapping.orders, plans, "orders")
    known = {predictor.name: predictor for predictor in cohort_file.baseline_predictors}
    problems += _unknown(mapping.predictors, known, "predictors")
    questions = {rule.name: rule for rule in load_rules()}
    problems += _unknown(mapping.safety, questions, "safety")
    for name, source in mapping.predictors.items():
        if name in known:
            problems += [f"[predictors.{name}] {text}" for text in _misfits(source, known[name])]
    for name, source in mapping.safety.items():
        if name in questions and questions[name].valid is not None and source.read in YES_ONLY:
            problems.append(f"[safety.{name}] read: a {source.read} can only say yes or no, not a number")
    if problems:
        raise CohortFileError(origin, problems)


def _misfits(source: FhirSource, predictor: Predictor) -> list[str]:
    problems = []
    if predictor.landmark != BASELINE:
        problems.append("is known only after treatment has started")
    if source.read in YES_ONLY and predictor.kind != "binary":
        problems.append(f"read: a {source.read} can only say yes or no; the predictor is a {predictor.kind}")
    if source.read == "birth_date" and predictor.kind != ("number" if source.below is None else "binary"):
        problems.append("read: an age is a number, and whether it lies `below` a number is yes or no")
    if source.units and predictor.kind != "number":
        problems.append("units: only of a number")
    if predictor.levels:
        wrong = sorted({str(value) for value in source.values.values()} - set(predictor.levels))
        problems += [f"values: {value!r} is none of: {', '.join(predictor.levels)}" for value in wrong]
    if predictor.kind == "number" and source.read == "observation" and not (source.units or source.values):
        problems.append("units: are needed, or a number could be in any unit")
    return problems


def _unknown(names: Iterable[str], known: Iterable[str], where: str) -> list[str]:
    allowed = list(known)
    return [
        f"[{where}] {n!r} is not known; {name_nearest(n, allowed, 'known')}"
        for n in names
        if n not in allowed
    ]

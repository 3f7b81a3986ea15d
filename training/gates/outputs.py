"""Verdicts for machines: `gates.json`, JUnit XML for CI, and the values of the signed record."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from models.record import state_champion
from training.files import finite
from training.gates.judge import FAILS, PASSES, passed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from training.gates.gate import Gates
    from training.gates.judge import Judged
    from training.validation.results import Validation

__all__ = ["judged_values", "junit_xml", "record_values", "worst_of_each"]


def judged_values(validation: Validation, gates: Gates, judged: tuple[Judged, ...]) -> dict[str, Any]:
    """Everything in `gates.json`.

    Parameters
    ----------
    validation : Validation
    gates : Gates
    judged : tuple of Judged

    Returns
    -------
    dict
    """
    values: dict[str, Any] = finite(
        {
            "format": 1,
            "model": dict(validation.model),
            "same_data": validation.same_data,
            "passed": passed(judged),
            "gates_file": gates.origin,
            "gates_digest": gates.digest,
            "gates": [_values(one) | {"why": one.gate.why, "reason": one.reason} for one in judged],
        }
    )
    return values


def junit_xml(validation: Validation, judged: tuple[Judged, ...]) -> str:
    """Write verdicts as CI reads test results: a gate is a test case.

    What is accepted although there is too little data to say is `skipped`, so that it is seen and does not
    fail.

    Parameters
    ----------
    validation : Validation
    judged : tuple of Judged

    Returns
    -------
    str
    """
    model = validation.model
    stopped = sum(not one.accepted for one in judged)
    skipped = sum(one.accepted and one.verdict != PASSES for one in judged)
    counts = {"tests": str(len(judged)), "failures": str(stopped), "skipped": str(skipped), "errors": "0"}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": f"validation of {model['name']} version {model['version']}"} | counts
    )
    properties = ElementTree.SubElement(suite, "properties")
    digests = {"artefact_digest": model["artefact_digest"], "data_digest": validation.data_digest}
    for name, value in digests.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for one in judged:
        where = " ".join(filter(None, [one.gate.name, one.whom and f"({one.whom})"]))
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"gates.{one.outcome or 'checks'}", "name": where, "time": "0"}
        )
        if not one.accepted:
            told = {"type": one.verdict, "message": one.reason}
            ElementTree.SubElement(case, "failure", told).text = one.gate.why
        elif one.verdict != PASSES:
            ElementTree.SubElement(case, "skipped", {"message": f"{one.verdict}: {one.reason}"})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def record_values(
    validation: Validation, judged: tuple[Judged, ...], figures: str, gates: Gates
) -> dict[str, Any]:
    """Values of the record that is signed: short enough for a tag of the registry.

    Parameters
    ----------
    validation : Validation
    judged : tuple of Judged
    figures : str
        Text of `validation.json`, of which the record holds the digest.
    gates : Gates

    Returns
    -------
    dict
    """
    model = validation.model
    rival = state_champion(model["champion"], model["champion_digest"]) if model["champion"] else None
    return {
        "name": model["name"],
        "version": model["version"],
        "artefact_digest": model["artefact_digest"],
        "data_digest": validation.data_digest,
        "same_data": validation.same_data,
        "champion": rival,
        "passed": passed(judged),
        "gates": [_short(one) for one in worst_of_each(judged)],
        "gates_digest": gates.digest,
        "figures_digest": hashlib.sha256(figures.encode()).hexdigest(),
        "code_version": importlib.metadata.version("treatment-response"),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def worst_of_each(judged: Iterable[Judged]) -> list[Judged]:
    """One for each gate and outcome: of many subgroups the one with the worst verdict.

    Parameters
    ----------
    judged : iterable of Judged

    Returns
    -------
    list of Judged
    """
    found: dict[tuple[str, str], Judged] = {}
    for one in judged:
        key = (one.gate.name, one.outcome)
        if key not in found or _badness(one) > _badness(found[key]):
            found[key] = one
    return list(found.values())


def _badness(one: Judged) -> tuple[bool, int]:
    return not one.accepted, 2 if one.verdict == FAILS else int(one.verdict != PASSES)


def _values(one: Judged) -> dict[str, Any]:
    return {
        "name": one.gate.name,
        "metric": one.gate.metric,
        "outcome": one.outcome,
        "for": one.whom,
        "verdict": one.verdict,
        "ok": one.accepted,
        "value": one.estimate.value,
        "low": one.estimate.low,
        "high": one.estimate.high,
        "rarer": one.rarer,
        "where": one.where,
        "bound": one.gate.describe(),
    }


def _short(one: Judged) -> dict[str, Any]:
    """Leave out what is empty, and round figures to what matters."""
    values = {key: value for key, value in _values(one).items() if key not in ("metric", "rarer", "where")}
    return {key: _rounded(value) for key, value in values.items() if value != "" and not _undefined(value)}


def _undefined(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _rounded(value: object) -> object:
    return float(f"{value:.3g}") if isinstance(value, float) else value

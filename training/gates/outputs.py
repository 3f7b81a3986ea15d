"""Verdicts for machines: `gates.json`, JUnit XML for CI, and the values of the signed record."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from models.record import SIGNED_FILES, state_champion
from training.bootstrap import Estimate
from training.code_version import code_version
from training.files import finite
from training.gates.judge import FAILS, PASSES, TOO_LITTLE, Judged, passed
from training.validation.results import Validation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from training.gates.gate import Gates

__all__ = ["judged_values", "junit_xml", "longest_values", "record_values", "worst_of_each"]

_LARGEST: Final = 1e6
"""A figure as large as this says no more than one that is not defined, and takes more room."""
_DIGEST: Final = "0" * 64


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
    validation: Validation, judged: tuple[Judged, ...], gates: Gates, digests: Mapping[str, str]
) -> dict[str, Any]:
    """Values of the record that is signed: short enough for a tag of the registry.

    Their length depends on the gates, not on what was found: subgroups and bounds are in `gates.json`, whose
    digest is among them.

    Parameters
    ----------
    validation : Validation
    judged : tuple of Judged
    gates : Gates
    digests : mapping of str to str
        SHA-256 of the files beside it, by the values of `models.record.SIGNED_FILES`.

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
        **digests,
        "code_version": code_version(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def longest_values(name: str, version: str, gates: Gates) -> dict[str, Any]:
    """Values of a record that is as long as any that these gates can give.

    Parameters
    ----------
    name, version : str
        Of the model.
    gates : Gates

    Returns
    -------
    dict
    """
    figure = Estimate(*[-1.23e-300] * 3)
    judged = tuple(
        Judged(gate, outcome, "", figure, None, TOO_LITTLE, False, "")
        for gate in gates.gates
        for outcome in gate.outcomes or ("",)
    )
    other = {"champion": "9" * 10, "champion_digest": _DIGEST}
    model = {"name": name, "version": version, "artefact_digest": _DIGEST} | other
    validation = Validation(model, {}, _DIGEST, same_data=False, checks={}, outcomes={})
    return record_values(validation, judged, gates, dict.fromkeys(SIGNED_FILES.values(), _DIGEST))


def worst_of_each(judged: Iterable[Judged]) -> list[Judged]:
    """One for each gate and outcome: of many subgroups or landmarks the one with the worst verdict.

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
    values = _values(one)
    texts = {key: values[key] for key in ("name", "outcome", "verdict") if values[key]}
    figures = {key: values[key] for key in ("value", "low", "high") if abs(values[key]) < _LARGEST}
    return texts | {"ok": one.accepted} | {key: float(f"{value:.3g}") for key, value in figures.items()}

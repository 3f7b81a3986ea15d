"""The model card: one set of answers, in the order of the CHAI Applied Model Card v0.2.

Coalition for Health AI, Applied Model Card, schema v0.2 of 2025-10-28.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from models.response_model import OUTCOMES
from training.report.facts import FACTS
from training.report.facts_patients import say_provenance
from training.report.words import NOT_STATED, Plain, capitalise, shown_name

if TYPE_CHECKING:
    from training.report.material import Material
    from training.report.study import Study

__all__ = ["NAMESPACE", "make_card", "write_xml"]

NAMESPACE: Final = "https://mc.chai.org/v0.2/schema.xsd"

Card = dict[str, Any]

_NO_PATIENTS: Final = "Simulated patients: nothing here is evidence about real ones. Not for clinical use."
_USEFUL: Final = ("auroc", "average_precision", "brier_skill", "scaled_brier", "net_benefit_gain")
_RELIABLE: Final = ("calibration_intercept", "calibration_slope", "ici", "e90", "o_e", "log_loss")


def make_card(m: Material, study: Study) -> Card:
    """Answer every field of the card; what nobody said reads "not stated".

    Parameters
    ----------
    m : Material
    study : Study

    Returns
    -------
    dict
        Nested as the schema is, in its order; repeated elements are lists.
    """
    return {
        "BasicInfo": {
            "ModelName": m.version.name,
            "ModelDeveloper": _said(study, "model.developer"),
            "DeveloperContact": _said(study, "model.contact"),
        },
        "ReleaseInfo": {
            "ReleaseStage": study.get("model.release_stage") or _stage(m),
            "ReleaseDate": m.version.fitted,
            "ReleaseVersion": m.version.number,
            "GlobalAvailability": _said(study, "model.availability"),
            "RegulatoryApproval": _said(study, "model.regulatory"),
        },
        "ModelSummary": {
            "Summary": _summary(m),
            "Keywords": {"Keyword": list(study.keywords) or [*OUTCOMES, m.cohort_file.outcome.scale.name]},
        },
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": f"{_said(study, 'model.intended_use')}. {_fact('purpose', m)}",
            "PrimaryIntendedUsers": _said(study, "model.users"),
            "HowToUse": f"{_said(study, 'model.how_to_use')}. {_fact('poor_input', m)}",
            "TargetedPatientPopulation": f"{_said(study, 'model.population')}. {_fact('eligibility', m)}",
            "CautionedOutOfScopeSettings": _said(study, "model.out_of_scope"),
        },
        "Warnings": {
            "KnownRisksAndLimitations": f"{_fact('limitations', m)} {study.get('model.risks') or ''}".strip(),
            "KnownBiasesOrEthicalConsiderations": _said(study, "model.biases"),
            "ClinicalRiskLevel": _said(study, "model.clinical_risk"),
        },
        "TrustIngredients": {
            "AISystemFacts": _system(m, study),
            "TransparencyInformation": {
                "FundingSource": _said(study, "open_science.funding"),
                "ThirdPartyInformation": _said(study, "model.third_party"),
                "StakeholdersConsulted": study.get("model.stakeholders")
                or _said(study, "open_science.involvement"),
            },
        },
        "KeyMetrics": {
            "UsefulnessUsabilityEfficacy": _metrics(
                m, "Better than plan-wise prevalence, and of net benefit", _overall(m, _USEFUL)
            ),
            "FairnessEquity": _metrics(
                m, "Alike in the subgroups that the cohort file marks", _by_subgroup(m)
            ),
            "SafetyReliability": _metrics(m, "Probabilities that are right", _overall(m, _RELIABLE)),
        },
        "Resources": {
            "EvaluationReferences": "TRIPOD+AI and PROBAST+AI are answered in the report beside this card.",
            "PeerReviewedPublications": _said(study, "model.publications"),
            "PatientConsentOrDisclosure": _said(study, "model.consent"),
        },
        "Bibliography": _said(study, "model.bibliography"),
    }


def write_xml(card: Card) -> str:
    """Write a card as CHAI v0.2 XML.

    Parameters
    ----------
    card : dict
        From `make_card`.

    Returns
    -------
    str
    """
    ET.register_namespace("", NAMESPACE)
    root = ET.Element(f"{{{NAMESPACE}}}AppliedModelCard")
    for name, value in card.items():
        _add(root, name, value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add(parent: ET.Element, name: str, value: Any) -> None:
    """Add an element for a text or a mapping, one for each member of a list."""
    for one in value if isinstance(value, list) else [value]:
        element = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
        if isinstance(one, Mapping):
            for key, inner in one.items():
                _add(element, key, inner)
        else:
            element.text = "".join(letter for letter in str(one) if letter.isprintable() or letter == "\n")


def _system(m: Material, study: Study) -> Card:
    return {
        "OutcomesAndOutputs": f"{_fact('outcome', m)} {_fact('output', m)}",
        "ModelType": "; ".join(f"{o}: {f['candidate']}" for o, f in m.metrics["outcomes"].items()),
        "FoundationModels": "None.",
        "InputDataSource": f"{capitalise(say_provenance(m.cohort_file.provenance))}. "
        + (study.get("study.source") or f"Source: {NOT_STATED}."),
        "OutputAndInputDataTypes": f"One row of named values a patient. {_fact('predictors', m)}",
        "DevelopmentDataCharacterization": f"{_fact('flow', m)} {_fact('dates', m)}".strip(),
        "BiasMitigationApproaches": f"{_fact('fairness', m)} {study.get('study.fairness') or ''}".strip(),
        "OngoingMaintenance": _said(study, "model.maintenance"),
        "Security": _said(study, "model.security"),
        "Transparency": "The model in full, with a prediction worked out by hand, is in the report.",
    }


def _metrics(m: Material, goal: str, results: list[tuple[str, Plain]]) -> Card:
    """One block of figures: `ValueJson` holds value, interval and counts."""
    shown = [{"Label": label, "ValueJson": _json(found)} for label, found in results]
    return {
        "MetricGoal": goal + ".",
        "Results": {"MetricResult": shown or [{"Label": "None", "ValueJson": '"not measured"'}]},
        "Interpretation": _interpret(m),
        "TestType": _test_type(m),
        "TestingDataDescription": _fact("data_differences", m),
        "ValidationProcessAndJustification": _fact("partitioning", m),
    }


def _overall(m: Material, names: tuple[str, ...]) -> list[tuple[str, Plain]]:
    found = []
    for outcome in OUTCOMES:
        metrics = _judged(m, outcome)["metrics"]
        found += [(f"{shown_name(n)}, {outcome}", metrics[n]) for n in names if n in metrics]
    return found


def _by_subgroup(m: Material) -> list[tuple[str, Plain]]:
    if m.validation is None:
        return []
    labels = {p.name: p.label for p in m.cohort_file.predictors}
    return [
        (
            f"AUROC of response, {labels.get(member['predictor'], member['predictor'])}: {member['level']}",
            {**member["metrics"].get("auroc", {"value": None, "low": None, "high": None}), **_counts(member)},
        )
        for group in m.validation["outcomes"]["response"]["subgroups"]
        for member in group["members"]
    ]


def _counts(member: Plain) -> dict[str, Any]:
    return {key: member[key] for key in ("patients", "events", "too_small")}


def _judged(m: Material, outcome: str) -> Plain:
    """The judged design, or the cross-validation at fit of a version never validated."""
    if m.validation is None:
        found: Plain = m.metrics["outcomes"][outcome]
        return found
    design: Plain = m.validation["outcomes"][outcome]["designs"][0]
    return design


def _interpret(m: Material) -> str:
    simulated = f"{_NO_PATIENTS} " if m.simulated else ""
    if m.validation is None:
        return f"{simulated}Never validated: figures of the cross-validation at fit."
    if m.record.verified:
        return f"{simulated}All gates passed; figures carry 95 % intervals."
    return f"{simulated}Not released: {m.record.problem}."


def _test_type(m: Material) -> str:
    if m.validation is None:
        return f"Internal: {m.metrics['validation']['design']}"
    kind = "Internal" if m.validation["same_data"] else "External"
    return f"{kind}: {_judged(m, 'response')['title']}"


def _stage(m: Material) -> str:
    return "Released: passed its gates" if m.record.verified else "Research: not released"


def _summary(m: Material) -> str:
    first = f"{_NO_PATIENTS} " if m.simulated else ""
    return f"{first}{_fact('title', m)} {_fact('performance', m)}"


def _said(study: Study, key: str) -> str:
    return study.get(key) or capitalise(NOT_STATED)


def _fact(name: str, m: Material) -> str:
    fact = FACTS[name]
    return (fact if isinstance(fact, str) else fact(m)) or ""


def _json(found: Plain) -> str:
    return json.dumps(dict(found))

"""The model card, held against the order of elements that CHAI's schema v0.2 asks for."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.training.report.validations import make_validation
from training.report.card import NAMESPACE, make_card, write_xml
from training.report.material import Material
from training.report.study import Study

# Written down by hand from the schema (coalition-for-health-ai/mc-schema, v0.2/schema.xsd of 2025-10-28):
# children in their order, without those that may be absent and are not written.
KEY_METRIC = (
    "MetricGoal Results Interpretation TestType TestingDataDescription ValidationProcessAndJustification"
)
CHILDREN = {
    "AppliedModelCard": "BasicInfo ReleaseInfo ModelSummary UsesAndDirections Warnings TrustIngredients "
    "KeyMetrics Resources Bibliography",
    "BasicInfo": "ModelName ModelDeveloper DeveloperContact",
    "ReleaseInfo": "ReleaseStage ReleaseDate ReleaseVersion GlobalAvailability RegulatoryApproval",
    "ModelSummary": "Summary Keywords",
    "UsesAndDirections": "IntendedUseAndWorkflow PrimaryIntendedUsers HowToUse TargetedPatientPopulation "
    "CautionedOutOfScopeSettings",
    "Warnings": "KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel",
    "TrustIngredients": "AISystemFacts TransparencyInformation",
    "AISystemFacts": "OutcomesAndOutputs ModelType FoundationModels InputDataSource OutputAndInputDataTypes "
    "DevelopmentDataCharacterization BiasMitigationApproaches OngoingMaintenance Security Transparency",
    "TransparencyInformation": "FundingSource ThirdPartyInformation StakeholdersConsulted",
    "KeyMetrics": "UsefulnessUsabilityEfficacy FairnessEquity SafetyReliability",
    "UsefulnessUsabilityEfficacy": KEY_METRIC,
    "FairnessEquity": KEY_METRIC,
    "SafetyReliability": KEY_METRIC,
    "MetricResult": "Label ValueJson",
    "Resources": "EvaluationReferences PeerReviewedPublications PatientConsentOrDisclosure",
}
REPEATED = {"Keywords": "Keyword", "Results": "MetricResult"}


def check(element: ET.Element) -> int:
    """Hold an element against the schema's order; gives the number of texts below it."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    children = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if name in REPEATED:
        assert children, name
        assert set(children) == {REPEATED[name]}
    else:
        assert children == CHILDREN.get(name, "").split(), name
    if not children:
        assert (element.text or "").strip(), f"{name} is empty"
        return 1
    return sum(check(child) for child in element)


@pytest.mark.parametrize("kind", ["never", "internal", "external"])
def test_card_is_in_the_order_of_the_schema_and_no_field_is_empty(kind: str, material: Material) -> None:
    found = None if kind == "never" else make_validation(same_data=kind == "internal")
    text = write_xml(make_card(replace(material, validation=found), Study()))
    assert check(ET.fromstring(text.removeprefix("<?xml version='1.0' encoding='utf-8'?>"))) > 50


def test_figures_of_the_card_are_those_of_the_judged_design(material: Material) -> None:
    validation = make_validation()
    card = make_card(replace(material, validation=validation), Study())
    shown = card["KeyMetrics"]["SafetyReliability"]["Results"]["MetricResult"]
    slope = next(json.loads(r["ValueJson"]) for r in shown if r["Label"] == "Calibration slope, response")
    judged: dict[str, Any] = validation["outcomes"]["response"]["designs"][0]["metrics"]["calibration_slope"]
    assert slope == judged
    members = card["KeyMetrics"]["FairnessEquity"]["Results"]["MetricResult"]
    # Small subgroups are named, too.
    assert [json.loads(r["ValueJson"])["too_small"] for r in members] == [False, False, True]


def test_simulated_patients_are_named_first(material: Material) -> None:
    validation = make_validation()
    validation["cohort"]["provenance"] = "simulated"
    card = make_card(replace(material, validation=validation), Study())
    assert card["ModelSummary"]["Summary"].startswith("Simulated patients")
    assert card["KeyMetrics"]["FairnessEquity"]["Interpretation"].startswith("Simulated patients")


def test_what_a_person_says_is_in_the_card_and_what_xml_cannot_hold_is_not(material: Material) -> None:
    study = Study({"model.developer": "A & B <lab>\x0b", "open_science.funding": "None."}, ("depression",))
    card = make_card(material, study)
    root = ET.fromstring(write_xml(card).removeprefix("<?xml version='1.0' encoding='utf-8'?>"))
    assert root.findtext(f"*/{{{NAMESPACE}}}ModelDeveloper") == "A & B <lab>"
    assert card["TrustIngredients"]["TransparencyInformation"]["FundingSource"] == "None."
    assert card["BasicInfo"]["DeveloperContact"] == "Not stated"

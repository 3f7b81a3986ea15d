"""What the run itself says of methods, and how it rates them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.training.report.validations import make_validation
from training.report.facts import FACTS
from training.report.material import Material
from training.report.ratings import RULES


def say(fact: str, material: Material) -> str:
    found = FACTS[fact]
    assert not isinstance(found, str)
    return found(material) or ""


def rate(rule: str, material: Material) -> str:
    found = RULES[rule]
    assert not isinstance(found, str)
    return found(material)


def validated(material: Material, *, same_data: bool = True, **fit: Any) -> Material:
    metrics = {**material.metrics, "candidate_fixed": None} | fit
    return replace(material, validation=make_validation(same_data=same_data), metrics=metrics)


def test_exceptions_to_learning_inside_the_fold_are_named(material: Material) -> None:
    found = validated(material)
    text = say("leakage", found)
    assert "in nested cross-validation, where a site is held out and at later landmarks" in text
    assert (
        "optimism, learning curve and instability, which no gate judges, use the candidate chosen on" in text
    )
    assert "a site that goes on treating is on both sides of a period" in text
    assert rate("leakage", found) == "yes"
    # Nothing was selected if the fit was told the candidate.
    assert "chosen on all" not in say("leakage", validated(material, candidate_fixed="ridge"))
    assert "period" not in say("leakage", validated(material, same_data=False))


@pytest.mark.parametrize("key", ["leave_group_out", "day_1"])
def test_a_judged_design_with_a_candidate_chosen_on_all_is_not_free_of_leakage(
    material: Material, key: str
) -> None:
    found = validated(material)
    assert found.validation is not None
    response = found.validation["outcomes"]["response"]
    nested = response["designs"][0]
    response["landmarks"] = [nested | {"key": "day_1", "title": "Day 1"}]
    (judged,) = (d for d in [*response["designs"], *response["landmarks"]] if d["key"] == key)
    judged["how"] = "12 groups; the version's candidate (chosen on all patients)"
    assert rate("leakage", found) == "probably yes"
    assert f"the candidate was chosen on all patients in: {judged['title']}" in say("leakage", found)


def test_sites_of_an_external_validation_are_heterogeneity_that_was_measured(material: Material) -> None:
    found = validated(material, same_data=False)
    assert "was not measured" in say("clusters", found)
    assert found.validation is not None
    external = found.validation["outcomes"]["response"]["designs"][0]
    sites = make_validation()["outcomes"]["response"]["designs"][1]
    external |= {"units": sites["units"]}
    assert "too few are large enough" in say("clusters", found)
    external |= {"summary": sites["summary"]}
    assert "Each site of the validation was measured, with a random-effects mean" in say("clusters", found)


def test_periods_are_not_sites(material: Material) -> None:
    found = validated(material)
    assert found.validation is not None
    designs = found.validation["outcomes"]["response"]["designs"]
    assert "Each site was held out in turn" in say("clusters", found)
    del designs[1]
    assert [d["key"] for d in designs if d["units"]] == ["leave_period_out"]
    assert "Heterogeneity between them was not measured" in say("clusters", found)


def test_both_outcomes_are_sized_and_the_rarer_decides(material: Material) -> None:
    size = material.metrics["sample_size"]
    needed = {name: one["needed"] for name, one in size["by_outcome"].items()}
    assert size["needed"] == max(needed.values()) == needed["remission"] > needed["response"]
    text = say("sample_size", material)
    assert f"{needed['response']} for response (" in text
    assert f"{needed['remission']} for remission (" in text
    assert ("is extrapolated" in text) == (size["parameters"] > 30)
    between = {**material.metrics["outcomes"]["response"], "patients": needed["remission"] - 1}
    found = validated(material, outcomes={**material.metrics["outcomes"], "response": between})
    assert rate("sample_size", found) == "no"  # enough for response

"""Verdicts in the report: few are told each, many by their worst, and nothing is left out."""

from dataclasses import replace
from typing import Any

import pytest

from training.report.material import Material
from training.report.view_gates import show_checks, show_gates


def verdict(**given: Any) -> dict[str, Any]:
    usual = {"name": "subgroup_discrimination", "outcome": "response", "verdict": "pass", "ok": True}
    figure = {"value": 0.6, "low": 0.55, "high": 0.65, "bound": "lower end at least 0.5"}
    return usual | figure | given


def test_many_verdicts_of_a_gate_are_told_by_the_worst_and_folded(material: Material) -> None:
    verdicts = [verdict(**{"for": f"sex = {n}"}) for n in range(6)]
    verdicts[2] |= {"verdict": "too little data to say"}
    verdicts[4] |= {"verdict": "fail", "ok": False}
    first, folded = show_gates(
        replace(material, verdicts=(verdict(name="skill", **{"for": "all"}), *verdicts))
    )
    assert [row[2] for row in first.rows] == ["all", "each of 6, 4 pass; the worst: sex = 4"]
    assert first.rows[1][-1] == "fail"
    assert folded.caption == "subgroup discrimination: response"
    assert [row[2] for row in folded.rows] == [f"sex = {n}" for n in range(6)]
    assert folded.rows[2][-1] == "too little data to say (accepted)"


def test_a_verdict_without_a_figure_gives_its_reason_and_a_figure_its_threshold(material: Material) -> None:
    nothing = verdict(
        name="champion",
        verdict="too little data to say",
        value=None,
        low=None,
        high=None,
        reason="not measured: no other champion",
    )
    (table,) = show_gates(replace(material, verdicts=(nothing, verdict(where="at the threshold 0.4"))))
    assert [row[3] for row in table.rows] == [
        "not measured: no other champion",
        "0.600 (0.550 to 0.650) at the threshold 0.4",
    ]


@pytest.mark.parametrize("validation", [None, {"checks": {}}])
def test_without_verdicts_or_checks_there_is_no_table(
    material: Material, validation: dict[str, Any] | None
) -> None:
    assert show_gates(replace(material, verdicts=(), record=replace(material.record, values={}))) == []
    assert show_checks(validation) is None

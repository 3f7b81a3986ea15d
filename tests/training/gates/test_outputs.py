"""Verdicts for machines and people: JSON, JUnit XML, the record's values and the printed table."""

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from models.keys import make_key
from models.record import SIGNED_FILES, changed_files, record_text, sign, verify_record
from tests.training.gates.validations import (
    METRICS,
    make_outcome,
    make_subgroup,
    make_validation,
    with_metrics,
)
from training.bootstrap import Estimate
from training.gates.judge import judge
from training.gates.outputs import judged_values, junit_xml, longest_values, record_values, worst_of_each
from training.gates.parser import load_gates
from training.gates.printing import print_judged
from training.validation.results import Subgroups, Validation

GATES = load_gates()


def bad_validation() -> Validation:
    """One figure fails, one cannot be said, and one subgroup of many fails."""
    members = (
        make_subgroup("female"),
        make_subgroup("male & [other]", auroc=Estimate(0.4, 0.3, 0.48)),
        make_subgroup("not recorded", 4),
    )
    outcome = with_metrics(
        make_outcome(subgroups=(Subgroups("sex", members, {}),)),
        brier_skill=Estimate(0.01, -0.01, 0.03),
        calibration_slope=Estimate(0.4, 0.3, 0.5),
    )
    alone = {**make_validation().model, "champion": "", "champion_digest": ""}
    return make_validation(model=alone, outcomes={"response": outcome, "remission": make_outcome()})


STOPPED = {
    ("gates.response", "skill (all)", "too little data to say"),
    ("gates.response", "slope_not_too_flat (all)", "fail"),
    ("gates.response", "subgroup_discrimination (sex = male & [other])", "fail"),
}


def printed(validation: Validation) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    print_judged(validation, GATES, judge(validation, GATES), console)
    return console.export_text()


def test_junit_fails_where_a_gate_stops_and_skips_what_is_accepted_unsaid() -> None:
    validation = bad_validation()
    judged = judge(validation, GATES)
    root = ElementTree.fromstring(junit_xml(validation, judged))
    cases = root.findall("./testsuite/testcase")
    assert len(cases) == len(judged) == int(root.attrib["tests"])
    failures = {
        (case.attrib["classname"], case.attrib["name"], failure.attrib["type"])
        for case in cases
        for failure in case.findall("failure")
    }
    assert failures == STOPPED
    assert int(root.attrib["failures"]) == len(STOPPED)
    skipped = [case.attrib["name"] for case in cases if case.find("skipped") is not None]
    # Small subgroups of both outcomes by two gates; and no champion to compare with.
    assert sorted(set(skipped)) == [
        "champion (against the champion)",
        "subgroup_calibration (sex = not recorded)",
        "subgroup_discrimination (sex = not recorded)",
    ]
    assert len(skipped) == int(root.attrib["skipped"]) == 6


def test_junit_tells_the_reason_and_why_the_gate_is_there() -> None:
    validation = bad_validation()
    root = ElementTree.fromstring(junit_xml(validation, judge(validation, GATES)))
    (flat,) = root.findall(".//testcase[@name='slope_not_too_flat (all)']/failure")
    assert flat.attrib["message"].startswith(
        "calibration_slope 0.400 (0.300 to 0.500): not estimate at least"
    )
    assert "overconfidence" in (flat.text or "")
    properties = {p.attrib["name"]: p.attrib["value"] for p in root.iter("property")}
    assert properties == {"artefact_digest": "ab" * 32, "data_digest": "cd" * 32}


def test_json_holds_every_verdict_and_no_number_that_json_lacks() -> None:
    validation = bad_validation()
    judged = judge(validation, GATES)
    values = json.loads(json.dumps(judged_values(validation, GATES, judged), allow_nan=False))
    assert (values["passed"], len(values["gates"])) == (False, len(judged))
    assert {gate["verdict"] for gate in values["gates"]} == {"pass", "fail", "too little data to say"}
    assert all(gate["why"] and gate["reason"] for gate in values["gates"])
    good = make_validation()
    assert judged_values(good, GATES, judge(good, GATES))["passed"] is True


DIGESTS = {name: f"{number:064x}" for number, name in enumerate(SIGNED_FILES, start=1)}


def values_of(validation: Validation) -> dict[str, Any]:
    named = {SIGNED_FILES[name]: digest for name, digest in DIGESTS.items()}
    return record_values(validation, judge(validation, GATES), GATES, named)


def test_a_record_with_the_shipped_gates_fits_into_a_tag() -> None:
    # The registry's limit; with room for the longest figures and a longer name of the cohort.
    assert len(record_text(longest_values("a-cohort-with-a-rather-long-name", "1234", GATES))) < 4800


@pytest.mark.parametrize("level", ["male", "\N{CYRILLIC SMALL LETTER ZHE}" * 40])
def test_no_record_is_longer_than_its_gates_allow_whatever_was_found(level: str) -> None:
    extreme = Estimate(-1.234e-300, -1.234e-300, 5e9)
    members = (make_subgroup(level, auroc=extreme, ici=extreme),)
    outcome = with_metrics(
        make_outcome(subgroups=(Subgroups("sex", members, {}),)), **dict.fromkeys(METRICS, extreme)
    )
    validation = make_validation(outcomes={"response": outcome, "remission": outcome})
    text = record_text(values_of(validation))
    assert len(text) <= len(record_text(longest_values("small", "3", GATES)))
    assert text.isascii()
    assert "sex" not in text


def test_the_record_vouches_for_the_files_beside_it_by_their_digests(tmp_path: Path) -> None:
    validation = make_validation()
    values = values_of(validation)
    assert values["gates_digest"] == GATES.digest
    assert values["champion"] == {"version": "2", "artefact_digest": "ef" * 32}
    assert values["time"].endswith("+00:00")
    record = sign(values, make_key(tmp_path))
    verified = verify_record(record, trusted=tmp_path, name="small", version="3", digest="ab" * 32)
    assert verified["data_digest"] == "cd" * 32
    assert {(gate["name"], gate.get("outcome")) for gate in verified["gates"]} >= {
        ("skill", "response"),
        ("skill_remission", "remission"),
        ("digest", None),
    }
    assert changed_files(verified, DIGESTS) == ()
    for name in SIGNED_FILES:
        assert changed_files(verified, DIGESTS | {name: "0" * 64}) == (name,)
        assert changed_files(verified, DIGESTS | {name: ""}) == (name,)


def test_without_a_champion_the_record_says_so() -> None:
    assert values_of(bad_validation())["champion"] is None


def test_of_many_subgroups_the_record_names_the_worst() -> None:
    worst = worst_of_each(judge(bad_validation(), GATES))
    keys = [(one.gate.name, one.outcome) for one in worst]
    assert len(keys) == len(set(keys))
    named = {one.whom for one in worst if one.gate.name == "subgroup_discrimination"}
    assert named == {"sex = male & [other]", "sex = not recorded"}


def test_the_table_says_what_stops_a_version_and_why() -> None:
    text = printed(bad_validation())
    for part in (
        "Gates: version 3 of small, on the data it was fitted on",
        "response: 3 subgroups",
        "1 pass, 1 fail, 1 too little data to say",
        "sex = male & [other]",
        "too little data to say (accepted)",
        "fail: slope_not_too_flat, response: calibration_slope 0.400 (0.300 to 0.500)",
        "too little data to say: skill, response: brier_skill 0.010 (-0.010 to 0.030)",
        "3 of 35 verdicts stop this version.",
    ):
        assert part in text
    assert "All gates are passed." not in text


def test_the_table_of_a_good_model_says_so() -> None:
    text = printed(make_validation(same_data=False))
    assert "on data it was not fitted on" in text
    assert "All gates are passed." in text
    # Only asked of the data that a version was fitted on.
    assert "reproduced" not in text

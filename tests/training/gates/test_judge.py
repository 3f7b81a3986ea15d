"""Verdicts of figures that can be worked out on paper."""

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from tests.training.gates.validations import (
    COMPARISON,
    GAIN,
    METRICS,
    make_outcome,
    make_subgroup,
    make_validation,
    with_metrics,
)
from training.bootstrap import Estimate
from training.gates.gate import Gate, Gates
from training.gates.judge import FAILS, PASSES, TOO_LITTLE, Judged, Verdict, judge, passed
from training.gates.parser import load_gates
from training.validation.results import Comparison, Design, OutcomeValidation, Subgroups, Unit, Validation

SKILL = Gate("skill", "brier_skill", "all", "at_least", 0.0, "lower", ("response",))
ICI = Gate("ici", "ici", "all", "at_most", 0.05, "upper", ("response",))


def one(gate: Gate, outcome: OutcomeValidation | None = None, **changes: Any) -> Judged:
    validation = make_validation(**changes)
    if outcome is not None:
        validation = replace(validation, outcomes={"response": outcome})
    (found,) = judge(validation, Gates("test", "0", (gate,)))
    return found


def stopped_by(validation: Validation) -> set[str]:
    """Names of the shipped gates that stop a version."""
    judged = judge(validation, load_gates())
    assert passed(judged) == all(found.accepted for found in judged)
    return {found.gate.name for found in judged if not found.accepted}


def with_outcome(outcome: OutcomeValidation) -> Validation:
    return make_validation(outcomes={"response": outcome, "remission": make_outcome()})


@pytest.mark.parametrize(
    ("low", "value", "high", "judged_on", "verdict"),
    [
        (0.01, 0.05, 0.09, "lower", PASSES),
        (0.00, 0.05, 0.09, "lower", PASSES),  # the bound itself is kept
        (-0.01, 0.05, 0.09, "lower", TOO_LITTLE),
        (-0.09, -0.05, 0.00, "lower", TOO_LITTLE),
        (-0.09, -0.05, -0.01, "lower", FAILS),
        (-0.01, 0.05, 0.09, "estimate", PASSES),
        (-0.09, -0.01, 0.09, "estimate", TOO_LITTLE),
        (-0.09, -0.05, -0.01, "estimate", FAILS),
        (-0.09, -0.05, 0.01, "upper", PASSES),
        (-0.09, -0.05, -0.01, "upper", FAILS),
        (nan, nan, nan, "lower", TOO_LITTLE),
        (nan, 0.05, nan, "lower", TOO_LITTLE),
        # Nobody knows how far it may be off, whichever end is judged.
        (nan, 0.05, nan, "estimate", TOO_LITTLE),
        (0.01, 0.05, nan, "lower", TOO_LITTLE),
        (nan, -0.05, nan, "estimate", TOO_LITTLE),
    ],
)
def test_at_least_is_judged_on_the_end_that_the_gate_names(
    low: float, value: float, high: float, judged_on: Any, verdict: Verdict
) -> None:
    outcome = with_metrics(make_outcome(), brier_skill=Estimate(value, low, high))
    assert one(replace(SKILL, judged_on=judged_on), outcome).verdict == verdict


@pytest.mark.parametrize(
    ("low", "value", "high", "judged_on", "verdict"),
    [
        (0.01, 0.02, 0.05, "upper", PASSES),
        (0.01, 0.02, 0.06, "upper", TOO_LITTLE),
        (0.06, 0.07, 0.08, "upper", FAILS),
        (0.04, 0.06, 0.08, "estimate", TOO_LITTLE),
        (0.04, 0.06, 0.08, "lower", PASSES),
        (0.06, 0.07, 0.08, "lower", FAILS),
    ],
)
def test_at_most_is_the_mirror_image(
    low: float, value: float, high: float, judged_on: Any, verdict: Verdict
) -> None:
    outcome = with_metrics(make_outcome(), ici=Estimate(value, low, high))
    assert one(replace(ICI, judged_on=judged_on), outcome).verdict == verdict


def test_too_few_events_say_nothing_however_good_the_figure() -> None:
    # 300 events and 600 others: the rarer class counts.
    assert one(replace(SKILL, minimum_events=300)).verdict == PASSES
    few = one(replace(SKILL, minimum_events=301))
    assert (few.verdict, few.accepted) == (TOO_LITTLE, False)
    assert few.reason == "300 in the rarer class; 301 are needed"


def test_too_little_data_fails_unless_the_gate_says_otherwise() -> None:
    outcome = with_metrics(make_outcome(), brier_skill=Estimate(0.0, -0.1, 0.1))
    assert not one(SKILL, outcome).accepted
    assert one(replace(SKILL, too_little_passes=True), outcome).accepted
    # What fails is not excused by it.
    bad = with_metrics(make_outcome(), brier_skill=Estimate(-0.2, -0.3, -0.1))
    assert not one(replace(SKILL, too_little_passes=True), bad).accepted


def test_the_reason_has_the_figure_its_interval_and_the_bound() -> None:
    outcome = with_metrics(make_outcome(), brier_skill=Estimate(-0.2, -0.3, -0.1))
    reason = "brier_skill -0.200 (-0.300 to -0.100): not lower end at least 0"
    assert one(SKILL, outcome).reason == reason


def test_each_subgroup_is_judged_and_small_ones_are_shown() -> None:
    gate = Gate(
        "floor", "auroc", "subgroups", "at_least", 0.5, "lower", ("response",), too_little_passes=True
    )
    wrong = make_subgroup("male", auroc=Estimate(0.4, 0.32, 0.48))
    members = (make_subgroup("female"), wrong, make_subgroup("not recorded", 4))
    outcome = make_outcome(subgroups=(Subgroups("sex", members, {}),))
    validation = replace(make_validation(), outcomes={"response": outcome})
    found = judge(validation, Gates("test", "0", (gate,)))
    assert [(f.whom, f.verdict, f.accepted) for f in found] == [
        ("sex = female", PASSES, True),
        ("sex = male", FAILS, False),
        ("sex = not recorded", TOO_LITTLE, True),
    ]
    assert not passed(found)


@pytest.mark.parametrize(
    ("gate", "changes", "reason"),
    [
        (Gate("g", "coverage", "all"), {"coverage": None}, "it cannot be measured here"),
        (Gate("g", "auroc", "subgroups"), {"subgroups": ()}, "no predictor is marked with subgroup"),
        (Gate("g", "auroc", "new_unit"), {"designs": make_outcome().designs[:1]}, "names no group"),
    ],
)
def test_what_was_not_measured_stops_unless_the_gate_says_otherwise(
    gate: Gate, changes: dict[str, Any], reason: str
) -> None:
    gate = replace(gate, outcomes=("response",))
    found = one(gate, make_outcome(**changes))
    assert (found.verdict, found.accepted) == (TOO_LITTLE, False)
    assert reason in found.reason
    # "Too little passes" is not enough: nothing was looked at.
    assert not one(replace(gate, too_little_passes=True), make_outcome(**changes)).accepted
    assert one(replace(gate, absent_passes=True), make_outcome(**changes)).accepted


CHAMPION = Gate("champion", "brier", "champion", "at_most", 0.005, "upper", ("response",), absent_passes=True)


def test_without_another_champion_there_is_nothing_to_compare_with() -> None:
    alone = {**make_validation().model, "champion": "", "champion_digest": ""}
    found = one(CHAMPION, make_outcome(champion=None), model=alone)
    assert (found.verdict, found.accepted, found.reason) == (
        TOO_LITTLE,
        True,
        "not measured: no other champion",
    )
    assert not one(replace(CHAMPION, absent_passes=False), make_outcome(champion=None), model=alone).accepted


@pytest.mark.parametrize(
    ("compared", "reason"),
    [
        (Comparison(0, 0, {}, "the champion would refuse all"), "the champion would refuse all"),
        (None, "no comparison with version 2 was made"),
        (replace(COMPARISON, metrics={}), "brier is not defined in 900 patients, 300 with the outcome"),
    ],
)
def test_a_champion_that_could_not_be_compared_with_is_not_taken_for_absent(
    compared: Comparison | None, reason: str
) -> None:
    found = one(CHAMPION, make_outcome(champion=compared))
    assert (found.verdict, found.accepted, found.reason) == (TOO_LITTLE, False, reason)


def test_of_a_comparison_the_patients_who_were_compared_are_counted() -> None:
    gate = replace(CHAMPION, minimum_events=100)
    assert one(gate).accepted
    assert one(gate).reason.startswith(
        "brier -0.002 (-0.006 to 0.002) in 900 patients, 300 with the outcome:"
    )
    few = one(gate, make_outcome(champion=replace(COMPARISON, patients=430, events=340)))
    assert (few.verdict, few.rarer, few.reason) == (
        TOO_LITTLE,
        90,
        "90 in the rarer class; 100 are needed",
    )


def test_sites_that_could_not_be_held_out_are_no_cohort_without_sites() -> None:
    gate = Gate("g", "auroc", "new_unit", "at_least", 0.5, "lower", ("response",), absent_passes=True)
    first, sites = make_outcome().designs
    failed = replace(sites, units=(), how="Not possible: there is only one group", new_unit={})
    found = one(gate, make_outcome(designs=(first, failed)))
    assert (found.verdict, found.accepted) == (TOO_LITTLE, False)
    assert "there is only one group" in found.reason


def sites_of(events: tuple[int, ...], gate: Gate) -> Judged:
    """Judge sites of 50 patients each, of which those with fewer than 10 with the outcome are too small."""
    first, sites = make_outcome().designs
    units = tuple(Unit(f"site {i}", 50, n, METRICS if n >= 10 else {}) for i, n in enumerate(events))
    new = sites.new_unit if sum(n >= 10 for n in events) >= 3 else {}
    return one(gate, make_outcome(designs=(first, replace(sites, units=units, new_unit=new))))


def test_of_sites_that_are_too_small_it_is_said_how_many_are_large_enough() -> None:
    gate = Gate("g", "auroc", "new_unit", "at_least", 0.5, "lower", ("response",))
    found = sites_of((12, 15, *(4,) * 10), gate)
    assert (found.verdict, found.reason) == (
        TOO_LITTLE,
        "only 2 of 12 units are large enough (10 patients with and without the outcome); 3 are needed",
    )
    assert sites_of((12, 15), gate).reason.startswith("only 2 units are large enough")
    slope = sites_of((12, 15, 20), replace(gate, metric="calibration_slope"))
    assert slope.reason == "calibration_slope is not defined in 3 of the 3 units that are large enough"


def test_events_of_a_new_site_are_those_of_the_sites_that_were_summarised() -> None:
    gate = Gate("g", "auroc", "new_unit", "at_least", 0.5, "lower", ("response",), minimum_events=60)
    assert sites_of((20, 20, 20), gate).verdict == PASSES
    few = sites_of((20, 20, 19, 9, 9), gate)
    assert (few.verdict, few.reason) == (TOO_LITTLE, "59 in the rarer class; 60 are needed")


def test_what_is_there_but_not_measured_is_too_little_data_and_not_absent() -> None:
    outcome = make_outcome(designs=make_outcome().designs[:1], landmarks=())
    for population in ("new_unit", "landmarks"):
        gate = Gate("g", "auroc", population, "at_least", 0.5, "lower", ("response",), absent_passes=True)
        absent = make_validation(outcomes={"response": outcome})
        assert [one.accepted for one in judge(absent, Gates("x", "0", (gate,)))] == [True]
        there = replace(absent, unmeasured={population: "no group is large enough"})
        [found] = judge(there, Gates("x", "0", (gate,)))
        assert (found.verdict, found.accepted, found.reason) == (
            TOO_LITTLE,
            False,
            "no group is large enough",
        )


def test_a_new_period_is_no_new_site() -> None:
    gate = Gate("g", "auroc", "new_unit", "at_least", 0.5, "lower", ("response",))
    first, sites = make_outcome().designs
    periods = replace(sites, key="leave_period_out", new_unit={"auroc": Estimate(0.4, 0.3, 0.45)})
    assert one(gate, make_outcome(designs=(first, periods, sites))).verdict == PASSES


def test_net_benefit_is_judged_at_the_worst_threshold_of_the_clinical_range() -> None:
    gate = Gate("g", "net_benefit_gain", "all", "at_least", 0.0, "lower", ("response",))
    found = one(gate)
    # 0.1 and 0.7 are worse, and outside the range of 0.2 to 0.6.
    assert found.estimate == Estimate(0.03, -0.01, 0.07)
    assert (found.verdict, "at the threshold 0.5" in found.reason) == (TOO_LITTLE, True)
    assert one(replace(gate, judged_on="estimate")).estimate.value == 0.02
    outside = one(gate, make_outcome(thresholds=(0.05, 0.6)))
    assert (outside.verdict, outside.estimate.value) == (FAILS, -0.3)
    # A threshold at which it fails is worse than one at which the estimate is lower and nothing can be said.
    wide = replace(GAIN, value=(0, -0.02, -0.05, 0), low=(-1,) * 4, high=(0, -0.01, 0.1, 0))
    worst = one(replace(gate, judged_on="estimate"), make_outcome(net_benefit={"gain": wide}))
    assert (worst.verdict, worst.estimate.value) == (FAILS, -0.02)
    undefined = replace(GAIN, low=(nan,) * 4)
    assert one(gate, make_outcome(net_benefit={"gain": undefined})).verdict == TOO_LITTLE
    nowhere = one(gate, make_outcome(thresholds=(0.32, 0.35)))
    assert (nowhere.verdict, nowhere.accepted) == (TOO_LITTLE, False)


def test_a_gate_for_the_same_data_is_not_asked_of_other_data() -> None:
    gate = Gate("g", "reproduced", "check", data="same")
    other = make_validation(same_data=False, checks={})
    assert judge(other, Gates("test", "0", (gate,))) == ()
    # On the same data a check that was not made stops.
    assert not one(gate, checks={}).accepted


def test_an_outcome_that_was_not_validated_does_not_pass() -> None:
    found = one(SKILL, outcomes={})
    assert (found.verdict, found.accepted, found.reason) == (TOO_LITTLE, False, "response was not validated")


def test_without_any_gate_nothing_vouches() -> None:
    assert not passed(())


@pytest.mark.parametrize(
    ("skill", "gates"),
    [
        (Estimate(0.0, -0.02, 0.02), set()),
        (Estimate(nan, nan, nan), set()),
        (Estimate(-0.03, -0.05, -0.01), {"skill_remission"}),
    ],
)
def test_remission_need_not_show_skill_but_must_not_be_shown_worse(skill: Estimate, gates: set[str]) -> None:
    remission = with_metrics(make_outcome(), brier_skill=skill)
    validation = make_validation(outcomes={"response": make_outcome(), "remission": remission})
    assert stopped_by(validation) == gates


def test_a_good_model_passes_every_shipped_gate() -> None:
    assert stopped_by(make_validation()) == set()


BAD: dict[str, tuple[OutcomeValidation, set[str]]] = {
    "no skill": (with_metrics(make_outcome(), brier_skill=Estimate(0.0, -0.02, 0.01)), {"skill"}),
    "overconfident": (
        with_metrics(
            make_outcome(), calibration_slope=Estimate(0.45, 0.3, 0.6), ici=Estimate(0.12, 0.09, 0.15)
        ),
        {"slope_not_too_flat", "calibration"},
    ),
    "too timid": (
        with_metrics(make_outcome(), calibration_slope=Estimate(2.0, 1.5, 2.5)),
        {"slope_not_too_steep"},
    ),
    "useless": (
        make_outcome(net_benefit={"gain": replace(GAIN, value=(0, -0.07, 0, 0), high=(0, -0.05, 0, 0))}),
        {"net_benefit"},
    ),
    "one subgroup ranked the wrong way": (
        make_outcome(
            subgroups=(Subgroups("sex", (make_subgroup("male", auroc=Estimate(0.4, 0.3, 0.49)),), {}),)
        ),
        {"subgroup_discrimination"},
    ),
    "one subgroup far off": (
        make_outcome(
            subgroups=(Subgroups("sex", (make_subgroup("male", ici=Estimate(0.2, 0.12, 0.3)),), {}),)
        ),
        {"subgroup_calibration"},
    ),
    "worse than the champion": (
        make_outcome(champion=replace(COMPARISON, metrics={"brier": Estimate(0.01, 0.006, 0.02)})),
        {"champion"},
    ),
    "intervals too narrow": (make_outcome(coverage=Estimate(0.4, 0.2, 0.6)), {"interval_coverage"}),
}


@pytest.mark.parametrize(("outcome", "gates"), BAD.values(), ids=BAD)
def test_each_fault_is_stopped_by_the_gate_made_for_it(outcome: OutcomeValidation, gates: set[str]) -> None:
    assert stopped_by(with_outcome(outcome)) == gates


@pytest.mark.parametrize("name", ["reproduced", "logged_answers", "schema", "digest"])
def test_a_check_that_is_not_so_stops(name: str) -> None:
    checks = make_validation().checks
    assert stopped_by(make_validation(checks={**checks, name: (False, "it is not so")})) == {name}


LANDMARK = Gate("later", "ici", "landmarks", "at_most", 0.05, "estimate", ("response",), absent_passes=True)


def test_each_later_landmark_is_judged() -> None:
    (day,) = make_outcome().landmarks
    bad = replace(day, key="week_2", title="Week 2", metrics={"ici": Estimate(0.2, 0.15, 0.25)})
    validation = with_outcome(make_outcome(landmarks=(day, bad)))
    found = judge(validation, Gates("test", "0", (LANDMARK,)))
    assert [(f.whom, f.verdict, f.accepted) for f in found] == [
        ("from day 1 on", PASSES, True),
        ("from week 2 on", FAILS, False),
    ]
    assert stopped_by(validation) == {"landmark_calibration"}


def test_a_landmark_that_the_data_do_not_offer_is_not_measured_and_few_events_are_too_little() -> None:
    nowhere = Design("day_1", "Day 1", "Not possible: no landmark day_1", 0, 0, {})
    absent = one(LANDMARK, make_outcome(landmarks=(nowhere,)))
    assert (absent.verdict, absent.accepted) == (TOO_LITTLE, True)
    assert absent.reason == "not measured: Not possible: no landmark day_1"
    assert not one(replace(LANDMARK, absent_passes=False), make_outcome(landmarks=(nowhere,))).accepted
    few = replace(make_outcome().landmarks[0], patients=60, events=20)
    assert not one(replace(LANDMARK, minimum_events=50), make_outcome(landmarks=(few,))).accepted


def test_a_version_without_later_landmarks_has_none_to_judge() -> None:
    found = one(LANDMARK, make_outcome(landmarks=()))
    assert (found.reason, found.accepted) == ("not measured: the version has none", True)

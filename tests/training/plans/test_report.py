"""What a fit says of plans, out of fold: held against truth, and against its own parts."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from features.cohort import load_cohort
from features.cohort_file import load_cohort_file
from models.plan_model import PlanModel
from tests.models.small import small_cohort
from tests.real_data.data import HERE, find_table
from training.cross_validation import Validated, cross_validate
from training.patients import Patients
from training.plans.report import PlanReport, report_plans, summarise_plans


@cache
def validated() -> tuple[Patients, Validated]:
    patients = Patients.from_cohort(small_cohort(600, 3))
    return patients, cross_validate(patients, 1, "ridge")


@cache
def report() -> PlanReport:
    found = report_plans(*validated())
    assert found is not None
    return found


def test_every_patient_with_an_endpoint_is_predicted_on_every_plan_by_models_that_have_not_seen_them() -> (
    None
):
    patients, found = validated()
    table = found.plans
    assert table is not None
    for _, part in table.groupby("repeat"):
        assert sorted(part["patient"]) == patients.known.tolist()
    for repeat, folds in enumerate(found.splits):
        for fold, (train, _) in enumerate(folds):
            own = table[(table["repeat"] == repeat) & (table["fold"] == fold)]
            assert not set(own["patient"]) & set(train)


def test_out_of_fold_expectations_on_ones_own_plan_are_the_predictions() -> None:
    patients, found = validated()
    table, plans = found.out_of_fold, found.plans
    assert plans is not None
    response = table[(table["outcome"] == "response") & table["observed"].notna()]
    both = response.merge(plans, on=["repeat", "patient"])
    own = patients.rows[both["patient"].to_numpy(), -1].astype(int)
    expected = both[[f"expected__{plan}" for plan in patients.cohort_file.plan_levels]].to_numpy()
    np.testing.assert_allclose(expected[np.arange(len(both)), own], both["probability"], atol=1e-12)


def test_averages_hold_the_truth_of_a_randomised_choice() -> None:
    found = report()
    # make_trial: +0.9 logits on spray, +0.2 with pain (40 %), averaged over everything else.
    effect = found.effects["spray"].difference
    assert effect.low < 0.12 < effect.high
    assert found.effects["pill"].difference.value == 0
    assert found.patients == len(validated()[0].known)
    assert sum(effect.patients for effect in found.effects.values()) == found.patients


def test_gains_are_paired_differences_of_the_values() -> None:
    found = report()
    for name, gain in found.gains.items():
        first, second = name.split("_over_")
        assert gain.value == pytest.approx(found.values[first].value - found.values[second].value)
        assert gain.low <= gain.value <= gain.high
    choice = found.model.choice
    gain = found.gains["model_over_single"]
    assert (choice.gain, choice.low, choice.high) == (gain.value, gain.low, gain.high)


def test_usual_assignment_is_worth_what_was_observed() -> None:
    patients, _ = validated()
    assert report().values["usual"].value == pytest.approx(np.nanmean(patients.outcomes["response"]))


def test_the_summary_is_plain_and_holds_counts_and_intervals() -> None:
    text = summarise_plans(report())
    again = json.loads(json.dumps(text))
    assert again["effects"]["spray"]["patients"] > 0
    assert again["choice"]["shown"] is report().model.choice.shown
    assert again["gains"]["model_over_single"]["low"] == report().gains["model_over_single"].low


def test_the_plan_model_that_is_saved_comes_back() -> None:
    text, arrays = report().model.pack()
    json.dumps(text)
    assert PlanModel.unpack(text, arrays).choice == report().model.choice


def test_a_plan_with_a_handful_of_patients_gets_no_figure() -> None:
    cohort = small_cohort(300, 4)
    rows = cohort.rows.copy()
    spray = cohort.file.plan_levels.index("spray")
    rows[:, -1] = 1 - spray
    rows[np.flatnonzero(~np.isnan(cohort.response))[:8], -1] = spray
    patients = Patients.from_cohort(replace(cohort, rows=rows))
    assert report_plans(patients, cross_validate(patients, 1, "ridge")) is None


@pytest.mark.slow
def test_thp_agrees_with_the_trials_own_difference() -> None:
    """Response at 6 months: 319 of 418 on CBT, 186 of 400 in usual care, so +29.8 points; randomised."""
    data = find_table("thp_perinatal_cbt.csv")
    cohort = load_cohort(load_cohort_file(HERE / "thp.toml"), data)
    patients = Patients.from_cohort(cohort)
    found = report_plans(patients, cross_validate(patients, 1, "ridge"))
    assert found is not None
    plan = next(name for name in found.effects if cohort.file.plan and name != cohort.file.plan.reference)
    effect = found.effects[plan]
    assert (effect.patients, effect.responders) == (418, 319)
    assert effect.naive == pytest.approx(319 / 418 - 186 / 400)
    assert effect.difference.low < effect.naive < effect.difference.high
    assert abs(effect.difference.value - effect.naive) < 0.03
    assert "at random" in found.assumption

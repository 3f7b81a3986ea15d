"""The version on other patients: as it is, and with a recalibration that other folds taught."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import expit, logit

from features.cohort_file import CohortFile
from features.errors import UserError
from models.calibration import Recalibration
from models.response_model import ResponseModel
from tests.models.small import FILE, small_cohort, small_model
from training.patients import Patients
from training.validation.external import (
    check_same_inputs,
    predict_externally,
    take_externally,
    validate_externally,
)
from training.validation.recalibration import recalibrate
from training.validation.results import Design


def distorted(intercept: float, slope: float) -> ResponseModel:
    """A good model whose logits are moved and stretched."""
    model = small_model("ridge")
    outcomes = {
        name: replace(outcome, choice=replace(outcome.choice, recalibration=Recalibration(intercept, slope)))
        for name, outcome in model.outcomes.items()
    }
    return replace(model, outcomes=outcomes)


@cache
def validated(intercept: float, slope: float) -> dict[str, Design]:
    cohort = small_cohort(1500, 9)
    people = Patients.from_cohort(cohort)
    tables = predict_externally(people, distorted(intercept, slope), 4)
    return {design.key: design for design in validate_externally(cohort, people, tables, 4)["response"]}


def test_probabilities_that_are_too_high_are_seen_and_put_right_in_the_large() -> None:
    found = validated(1.0, 1.0)
    assert found["external"].metrics["calibration_intercept"].high < -0.5
    assert found["external"].metrics["o_e"].high < 1
    for key in ("external_recalibrated_in_large", "external_recalibrated"):
        assert found[key].metrics["calibration_intercept"].value == pytest.approx(0, abs=0.05)


def test_overconfidence_is_put_right_by_logistic_recalibration_alone() -> None:
    found = validated(0.0, 3.0)
    assert found["external"].metrics["calibration_slope"].high < 0.6
    in_large = found["external_recalibrated_in_large"].metrics["calibration_slope"]
    assert in_large.high < 0.6
    assert found["external_recalibrated"].metrics["calibration_slope"].value == pytest.approx(1, abs=0.1)
    before, after = (found[key].metrics["brier"].value for key in ("external", "external_recalibrated"))
    assert after < before - 0.01


def test_discrimination_is_that_of_the_version_whatever_is_recalibrated() -> None:
    plain, moved = validated(0.0, 1.0), validated(1.0, 1.0)
    assert moved["external"].metrics["auroc"] == plain["external"].metrics["auroc"]
    for key in ("external_recalibrated_in_large", "external_recalibrated"):
        for name in ("auroc", "average_precision"):
            # A recalibration that rises with the probability keeps the order of all patients.
            assert moved[key].metrics[name] == plain["external"].metrics[name]
        assert "ranks are those of the version as it is" in moved[key].how


def test_a_slope_below_0_turns_ranks_round_and_that_is_said() -> None:
    found = validated(0.0, -1.0)
    assert found["external"].metrics["auroc"].high < 0.5
    assert found["external_recalibrated"].metrics["auroc"].low > 0.5
    assert "in 5 of 5 folds the slope is 0 or below" in found["external_recalibrated"].how
    assert found["external_recalibrated"].update["slope"].high < 0
    # The intercept alone turns nothing.
    in_large = found["external_recalibrated_in_large"]
    assert in_large.metrics["auroc"] == found["external"].metrics["auroc"]


def test_the_update_that_all_patients_teach_is_told() -> None:
    found = validated(0.5, 3.0)
    as_it_is, in_large = found["external"], found["external_recalibrated_in_large"]
    assert as_it_is.update == {}
    assert in_large.update == {"intercept": as_it_is.metrics["calibration_intercept"]}
    update = found["external_recalibrated"].update
    assert update["slope"].value == pytest.approx(as_it_is.metrics["calibration_slope"].value, abs=1e-6)
    assert update["slope"].low < update["slope"].value < update["slope"].high < 1
    # Maximum likelihood with an intercept: as many are expected to respond as do.
    people = Patients.from_cohort(small_cohort(1500, 9))
    model, known = distorted(0.5, 3.0), people.known
    line = logit(model.outcomes["response"].probability(model.inputs(people.rows[known])))
    expected = expit(update["intercept"].value + update["slope"].value * line).sum()
    assert expected == pytest.approx(people.outcomes["response"][known].sum(), rel=1e-6)


@pytest.mark.parametrize("case", ["a small site without events", "all events at one site", "no event at all"])
def test_without_folds_the_version_as_it_is_is_measured_and_recalibrations_say_why(case: str) -> None:
    cohort = small_cohort(400, 31)
    site = (np.arange(400) >= 375).astype(np.intp)
    nobody = {"a small site without events": site == 1, "all events at one site": site == 0}
    none = nobody.get(case, np.ones(400, dtype=np.bool_))
    two = replace(
        cohort,
        groups=site,
        group_names=("North", "South"),
        response=np.where(none, 0 * cohort.response, cohort.response),
        remission=np.where(none, 0 * cohort.remission, cohort.remission),
    )
    people = take_externally(two)
    tables = predict_externally(people, small_model("ridge"), 4)
    for designs in validate_externally(two, people, tables, 4).values():
        as_it_is, *recalibrated = designs
        assert "floor: plan-wise prevalence in all these patients" in as_it_is.how
        assert as_it_is.patients == len(people.known)
        assert np.isfinite(as_it_is.metrics["brier"].value)
        assert [design.how.startswith("Not possible: cannot cross-validate") for design in recalibrated] == [
            True,
            True,
        ]
        assert not any(design.metrics or design.update for design in recalibrated)


def test_the_floor_of_all_patients_is_their_share_on_each_plan() -> None:
    cohort = small_cohort(400, 31)
    site = (np.arange(400) >= 375).astype(np.intp)
    two = replace(
        cohort, groups=site, group_names=("North", "South"), response=np.where(site == 1, 0, cohort.response)
    )
    people = take_externally(two)
    model = small_model("ridge")
    table = predict_externally(people, model, 4)["external"]
    assert not isinstance(table, str)
    floor = table.loc[table["outcome"] == "response", "candidate_prevalence"].to_numpy()
    plans, y = model.inputs(people.rows).plans[people.known], people.outcomes["response"][people.known]
    overall = (y.sum() + 0.5) / (len(y) + 1)
    for plan in np.unique(plans):
        share = (y[plans == plan].sum() + 2 * overall) / ((plans == plan).sum() + 2)
        np.testing.assert_allclose(floor[people.known][plans == plan], share)


def test_designs_are_named_and_sites_are_units_of_the_version_as_it_is() -> None:
    found = validated(0.0, 1.0)
    assert list(found) == ["external", "external_recalibrated_in_large", "external_recalibrated"]
    assert len(found["external"].units) == 6
    assert "calibration_slope" in found["external"].new_unit
    assert not found["external_recalibrated"].units
    assert (
        "learned on these very patients, each fold of 5 from the others" in found["external_recalibrated"].how
    )


def test_outcomes_of_a_fold_do_not_reach_its_own_recalibration() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, 200)
    y = (rng.random(200) < p**2).astype(np.float64)
    halves = np.arange(100), np.arange(100, 200)
    splits = [(halves[0], halves[1]), (halves[1], halves[0])]
    flipped = np.concatenate([1 - y[:100], y[100:]])
    ((honest,), _), ((changed,), _) = (
        recalibrate(outcome, (p,), splits, slope=True) for outcome in (y, flipped)
    )
    np.testing.assert_array_equal(honest[:100], changed[:100])
    assert not np.allclose(honest[100:], changed[100:])


def change(**changes: object) -> CohortFile:
    first, *rest = FILE.predictors
    return replace(FILE, predictors=(replace(first, **changes), *rest))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (replace(FILE, predictors=FILE.predictors[1:]), "predictor 'age' of the version is missing"),
        (change(name="new"), "predictor 'new' is not known to the version"),
        (change(unit="stones"), "predictor 'age' has another kind, unit or levels"),
        (change(valid=(12.0, 100.0)), "predictor 'age' may be from 12 to 100; the version accepts 18 to 100"),
        (change(valid=None), "predictor 'age' may be from -inf to inf; the version accepts 18 to 100"),
        (replace(FILE, plan=None), "the plans differ"),
        (
            replace(FILE, outcome=replace(FILE.outcome, response_reduction=0.4)),
            "outcome's response_reduction differs",
        ),
        (replace(FILE, predictors=FILE.predictors[1::-1] + FILE.predictors[2:]), "stand in another order"),
    ],
)
def test_a_cohort_file_that_means_something_else_is_refused(file: CohortFile, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_same_inputs(file, FILE)


def test_a_narrower_range_fits() -> None:
    check_same_inputs(change(valid=(30.0, 60.0)), FILE)


def test_one_new_site_is_measured_by_its_patients() -> None:
    cohort = small_cohort(400, 31)
    one = replace(cohort, groups=np.zeros(len(cohort.rows), dtype=np.intp), group_names=("North",))
    people = take_externally(one)
    assert people.groups is None
    found = validate_externally(one, people, predict_externally(people, small_model("ridge"), 4), 4)
    for design in found["response"]:
        assert np.isfinite([(e.low, e.high) for e in design.metrics.values()]).all()
        assert design.units == ()
    as_it_is = found["response"][0]
    assert "all of one site, so that nothing is said of others" in as_it_is.how
    assert "bootstrap samples of patients" in as_it_is.how
    assert as_it_is.patients == int((~np.isnan(one.response)).sum())
    # Several sites stay what they are.
    assert take_externally(cohort).groups is not None


def test_the_versions_own_cohort_file_fits() -> None:
    check_same_inputs(replace(FILE, text="# a comment\n" + FILE.text, title="Elsewhere"), FILE)

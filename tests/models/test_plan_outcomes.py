"""Outcomes on every plan: they are the model's own, and differences know what two plans share."""

import numpy as np
import pytest
from scipy.special import expit

from models.calibration import Recalibration
from models.conformal import ConformalBounds
from models.plan_outcomes import on_every_plan, predict_plans
from models.response_model import OUTCOMES, Choice, ResponseModel, fit_outcome
from tests.models.small import FILE, fresh_rows, make_set, make_trial, small_cohort, small_model


def test_rows_are_repeated_patient_by_patient_and_plan_by_plan() -> None:
    rows = np.array([[1.0, 9.0], [2.0, 0.0]])
    np.testing.assert_array_equal(on_every_plan(rows, 2), [[1, 0], [1, 1], [2, 0], [2, 1]])
    np.testing.assert_array_equal(rows[:, 1], [9, 0])  # the caller's rows are left alone


@pytest.mark.parametrize("candidate", ["ridge", "xgboost", "prevalence"])
def test_each_plan_is_predicted_as_for_a_patient_on_it(candidate: str) -> None:
    model, rows = small_model(candidate), fresh_rows()
    found = predict_plans(model, rows)
    for plan in range(2):
        moved = rows.copy()
        moved[:, -1] = plan
        for name, outcome in zip(OUTCOMES, (found.response, found.remission), strict=True):
            alone = model.outcomes[name].predict(model.inputs(moved))
            np.testing.assert_allclose(outcome[:, :, plan], alone, atol=1e-12)


@pytest.mark.parametrize("candidate", ["ridge", "xgboost"])
def test_a_patients_own_plan_is_of_no_account(candidate: str) -> None:
    model, rows = small_model(candidate), fresh_rows()
    moved = rows.copy()
    moved[:, -1] = 1 - moved[:, -1]
    for a, b in zip(
        vars(predict_plans(model, rows)).values(), vars(predict_plans(model, moved)).values(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_the_reference_differs_from_itself_by_nothing() -> None:
    model = small_model("ridge")
    found = predict_plans(model, fresh_rows())
    reference = model.encoder.reference_
    np.testing.assert_array_equal(found.difference[:, :, reference], 0)
    value, low, high = found.difference
    np.testing.assert_allclose(value, found.response[0] - found.response[0][:, [reference]])
    assert (low <= value).all()
    assert (value <= high).all()
    assert (low >= -1).all()
    assert (high <= 1).all()


def test_a_difference_is_surer_than_two_patients_apart() -> None:
    """What is unknown of a patient is the same on both plans and cancels."""
    model = small_model("ridge")
    rows = fresh_rows()
    found = predict_plans(model, rows)
    other = 1 - model.encoder.reference_
    width = (found.difference[2] - found.difference[1])[:, other]
    own = (found.response[2] - found.response[1]) / 2
    independent = 2 * np.sqrt((own**2).sum(axis=1))
    assert width.mean() < 0.9 * independent.mean()


def test_intervals_of_differences_cover_the_truth() -> None:
    """Over ten cohorts of 400 and all fresh patients: at level 0.9, with wide room for so few cohorts."""
    trial = make_trial(300, 77, gaps=False)
    rows = small_cohort(300, 77, gaps=False).rows
    on_spray = np.array([plan == "spray" for plan in trial.table["plan"]])
    logit = np.log(trial.truth / (1 - trial.truth))
    pain = rows[:, 1] == 1
    effect = 0.9 - 0.7 * pain  # as make_trial has it
    spray, pill = expit(logit + np.where(on_spray, 0, effect)), expit(logit - np.where(on_spray, effect, 0))
    choice = Choice("ridge", {"ridge": {}}, Recalibration(), ConformalBounds(1.0, 0.0))
    covered = []
    for seed in range(10):
        cohort = small_cohort(400, 100 + seed, gaps=False)
        train = make_set(FILE, cohort.rows, cohort.response)
        model = ResponseModel(
            train.inputs.encoder, {name: fit_outcome(train, choice, 0) for name in OUTCOMES}
        )
        found = predict_plans(model, rows).difference[:, :, FILE.plan_levels.index("spray")]
        covered.append(((found[1] <= spray - pill) & (spray - pill <= found[2])).mean())
    assert 0.75 < np.mean(covered) <= 1

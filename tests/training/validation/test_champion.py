"""The comparison with the champion: the same patients, paired, and never against a memory."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.cohort import Cohort, make_cohort
from models.care_model import CareModel
from models.response_model import OUTCOMES
from tests.features.files import make_file
from tests.models.small import FILE, make_trial, small_cohort
from tests.training.validation.work import do_work
from training.bootstrap import draw_weights, repeats_of
from training.cross_validation import cross_validate, fit_model
from training.folds import Split
from training.landmarks import tables_of
from training.metrics import METRICS, Predicted
from training.patients import Patients, make_outer_splits
from training.validation.champion import make_champion_jobs, subtract_champion
from training.validation.results import Comparison
from training.validation.seen import see_as


@cache
def champion(candidate: str = "ridge", n: int = 600) -> CareModel:
    patients = Patients.from_cohort(small_cohort(n, 9))
    return CareModel({"baseline": fit_model(patients, 3, candidate).model})


def cohort() -> Cohort:
    return small_cohort(400, 2)


def weights() -> NDArray[np.float64]:
    return draw_weights(int((~np.isnan(cohort().response)).sum()), None, 1, 100)


def predicted(model: CareModel, *, noise: float = 0.0) -> dict[str, list[Predicted]]:
    """What a model, disturbed, says of the patients with an endpoint."""
    own = cohort()
    known = ~np.isnan(own.response)
    shift = noise * np.random.default_rng(3).normal(size=known.sum())
    found = {}
    for name, y in (("response", own.response), ("remission", own.remission)):
        p = model.baseline.outcomes[name].probability(model.baseline.inputs(own.rows[known]))
        floor, fold = np.full(known.sum(), 0.4), np.zeros(known.sum(), dtype=np.intp)
        found[name] = [Predicted(y[known], expit(logit(p) + shift), floor, fold)]
    return found


def compare(
    own: Cohort,
    rival: CareModel,
    challenger: dict[str, list[Predicted]],
    drawn: NDArray[np.float64],
    splits: Sequence[Sequence[Split]] | None = None,
    seed: int = 0,
) -> dict[str, Comparison]:
    return subtract_champion(own, challenger, do_work(make_champion_jobs(own, rival, splits, seed)), drawn)


def test_the_champion_does_not_differ_from_itself() -> None:
    found = compare(cohort(), champion(), predicted(champion()), weights())
    assert set(found) == set(OUTCOMES)
    assert set(found["response"].metrics) == {*METRICS, "net_benefit_gain"}
    for estimate in found["response"].metrics.values():
        assert [estimate.value, estimate.low, estimate.high] == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_worse_version_is_shown_to_be_worse() -> None:
    found = compare(cohort(), champion(), predicted(champion(), noise=4), weights())
    assert found["response"].metrics["auroc"].high < 0
    assert found["response"].metrics["brier"].low > 0
    assert found["response"].metrics["brier_skill"].high < 0


def test_on_its_own_data_the_champions_procedure_is_validated_not_its_memory() -> None:
    # The champion was learned from these very patients by a forest, which remembers them.
    own = small_cohort(400, 2)
    patients = Patients.from_cohort(own)
    memory = CareModel({"baseline": fit_model(patients, 3, "random_forest").model})
    validated = cross_validate(patients, 3, "ridge")
    challenger = {name: repeats_of(table) for name, table in tables_of(validated).items()}
    groups = patients.groups
    assert groups is not None
    drawn = draw_weights(len(patients.known), groups[patients.known], 1, 100)
    naive = compare(own, memory, challenger, drawn)
    fair = compare(own, memory, challenger, drawn, validated.splits, 3)
    assert naive["response"].metrics["auroc"].high < 0  # hopelessly behind a memory
    assert fair["response"].metrics["auroc"].high > -0.02
    assert abs(fair["response"].metrics["auroc"].value) < 0.06


def test_the_same_procedure_on_the_same_folds_does_not_differ() -> None:
    own = small_cohort(400, 2)
    patients = Patients.from_cohort(own)
    validated = cross_validate(patients, 3, "ridge")
    same = CareModel({"baseline": validated.final.model})
    challenger = {name: repeats_of(table) for name, table in tables_of(validated).items()}
    drawn = draw_weights(len(patients.known), None, 1, 50)
    found = compare(own, same, challenger, drawn, validated.splits, 3)
    for name in OUTCOMES:
        assert found[name].metrics["log_loss"].value == pytest.approx(0, abs=1e-9)


def test_what_either_procedure_learned_widens_the_difference() -> None:
    own = small_cohort(400, 2)
    patients = Patients.from_cohort(own)
    splits = [make_outer_splits(patients, 3)]
    answers = do_work(make_champion_jobs(own, champion(), splits, 3))
    assert not isinstance(answers, str)
    (theirs,) = answers["response"]
    known = ~np.isnan(own.response)
    np.testing.assert_array_equal(theirs.fold[splits[0][1][1]], 1)
    assert theirs.parameters > 1
    ours = Predicted(
        own.response[known], theirs.p[known], np.full(known.sum(), 0.4), theirs.fold[known], theirs.parameters
    )
    drawn = draw_weights(int(known.sum()), None, 1, 100)
    for more, widens in ((1, False), (3, True)):
        larger = {"response": [replace(ours, parameters=more * theirs.parameters)]}
        found = subtract_champion(own, larger, answers, drawn)["response"].metrics["brier"]
        assert (found.value, found.high > 1e-6, found.low < -1e-6) == (0, widens, widens)


def test_ranks_of_a_champions_procedure_are_within_its_folds() -> None:
    # On other data the version is one model, but a champion that learned from these patients is one a fold.
    own = small_cohort(400, 2)
    splits = [make_outer_splits(Patients.from_cohort(own), 3)]
    answers = do_work(make_champion_jobs(own, champion(), splits, 3))
    assert not isinstance(answers, str)
    (ours,), (theirs,) = predicted(champion())["response"], answers["response"]
    known, once = ~np.isnan(own.response), np.ones(len(ours.y))
    within = replace(ours, p=theirs.p[known], fold=theirs.fold[known])
    across = replace(within, fold=ours.fold)
    assert METRICS["auroc"](within, once) != METRICS["auroc"](across, once)
    found = subtract_champion(own, {"response": [ours]}, answers, weights())["response"].metrics["auroc"]
    assert found.value == pytest.approx(METRICS["auroc"](ours, once) - METRICS["auroc"](within, once))


def test_columns_and_levels_are_matched_by_name() -> None:
    other = make_file('levels = ["female", "male", "none"]', 'levels = ["male", "female", "none"]')
    table = make_trial(200, 4).table
    seen = see_as(make_cohort(FILE, table), other)
    np.testing.assert_array_equal(seen.rows, make_cohort(other, table).rows)
    assert seen.usable.all()


def test_patients_whom_the_champion_would_refuse_are_left_out_of_both() -> None:
    narrow = make_file("valid = [18, 100]", "valid = [18, 60]")
    own = cohort()
    seen = see_as(own, narrow)
    age = own.rows[:, 0]
    np.testing.assert_array_equal(seen.usable, ~(age > 60))
    encoder = champion().baseline.encoder
    kept = encoder.cohort_file
    try:
        encoder.cohort_file = narrow
        found = compare(own, champion(), predicted(champion(), noise=1.5), weights())
    finally:
        encoder.cohort_file = kept
    both = seen.usable[~np.isnan(own.response)]
    worse = predicted(champion(), noise=1.5)["response"][0].take(both)
    better = predicted(champion())["response"][0].take(both)
    once = np.ones(int(both.sum()))
    expected = METRICS["brier"](worse, once) - METRICS["brier"](better, once)
    assert found["response"].metrics["brier"].value == pytest.approx(expected)


def test_an_input_of_another_unit_is_missing_to_the_champion() -> None:
    months = make_file('unit = "years"', 'unit = "months"')
    seen = see_as(cohort(), months)
    assert np.isnan(seen.rows[:, 0]).all()
    assert seen.usable.all()


def test_another_plan_column_leaves_nobody_to_compare() -> None:
    own = cohort()
    assert own.file.plan is not None
    file = replace(own.file, plan=replace(own.file.plan, column="arm"))
    assert not see_as(own, file).usable.any()


def without_plans(cohort: Cohort, kept: int = 0) -> Cohort:
    """A cohort on a plan that the champion does not know, but for the first patients with an endpoint."""
    assert cohort.file.plan is not None
    known = np.flatnonzero(~np.isnan(cohort.response))
    rows = cohort.rows.copy()
    rows[np.setdiff1d(np.arange(len(rows)), known[:kept]), -1] = 2
    plan = replace(cohort.file.plan, levels={**cohort.file.plan.levels, "drip": "A drip"})
    return replace(cohort, file=replace(cohort.file, plan=plan), rows=rows)


@pytest.mark.parametrize("internal", [False, True])
def test_nobody_whom_the_champion_would_answer_is_a_reason_not_an_absence(internal: bool) -> None:
    own = without_plans(cohort())
    splits = [make_outer_splits(Patients.from_cohort(own), 3)] if internal else None
    found = compare(own, champion(), predicted(champion()), weights(), splits)
    reason = "the champion would refuse every patient of this cohort"
    assert found == {name: Comparison(0, 0, {}, reason) for name in OUTCOMES}


def test_a_champion_whose_procedure_cannot_learn_is_a_reason() -> None:
    own = without_plans(cohort(), 5)
    splits = [make_outer_splits(Patients.from_cohort(own), 3)]
    found = compare(own, champion(), predicted(champion()), weights(), splits)["response"]
    assert (found.patients, found.events, found.metrics) == (0, 0, {})
    assert "the champion's procedure cannot learn from the patients it would not refuse" in found.problem


@pytest.mark.parametrize("kept", [7, 100])
def test_only_the_patients_who_are_compared_are_counted(kept: int) -> None:
    own = without_plans(cohort(), kept)
    y = own.response[~np.isnan(own.response)][:kept]
    found = compare(own, champion(), predicted(champion()), weights())["response"]
    assert (found.patients, found.events) == (kept, int(y.sum()))
    assert bool(found.metrics) == (kept == 100)
    assert (not found.problem) == (kept == 100)
    assert ("10 with it and 10 without are needed" in found.problem) == (kept == 7)

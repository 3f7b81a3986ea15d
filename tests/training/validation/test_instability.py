"""Instability: bootstrap refits that follow groups, and what they say of predictions."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.response_model import OUTCOMES, ResponseModel
from tests.models.small import small_cohort
from tests.training.validation.work import do_work
from training.cross_validation import fit_model
from training.patients import Patients
from training.validation.instability import make_bootstrap_jobs, predict_everybody, summarise_instability
from training.validation.refits import Refit, bootstrap_refit
from training.validation.results import Instability


@cache
def patients(n: int = 300, *, groups: bool = True) -> Patients:
    whole = Patients.from_cohort(small_cohort(n, 1))
    return whole if groups else replace(whole, groups=None)


@cache
def model(n: int = 300, candidate: str = "ridge") -> ResponseModel:
    return fit_model(patients(n), 3, candidate).model


def refits(seed: int, *, groups: bool = True, candidate: str = "ridge") -> Refit:
    choices = {name: m.choice for name, m in model(candidate=candidate).outcomes.items()}
    found = bootstrap_refit(patients(groups=groups), choices, seed)
    assert found is not None
    return found


def measure(people: Patients, version: ResponseModel, count: int) -> Mapping[str, Instability]:
    found = do_work(make_bootstrap_jobs(people, version, 1, count))
    return summarise_instability(predict_everybody(people, version), found)


@pytest.mark.parametrize("seed", range(3))
def test_bootstrap_samples_hold_whole_groups(seed: int) -> None:
    people = patients()
    assert people.groups is not None
    counts = np.bincount(refits(seed).learned, minlength=300)
    assert counts[np.setdiff1d(np.arange(300), people.known)].sum() == 0
    for group in np.unique(people.groups):
        inside = people.known[people.groups[people.known] == group]
        assert len(set(counts[inside].tolist())) == 1, "a group was parted"


def test_without_groups_patients_are_drawn() -> None:
    people = patients(groups=False)
    learned = refits(1, groups=False).learned
    assert len(learned) == len(people.known)
    assert 0.55 < len(np.unique(learned)) / len(learned) < 0.72  # 1 - 1/e


def test_a_refit_can_be_repeated_and_another_seed_is_another_sample() -> None:
    first, again, other = refits(1), refits(1), refits(2)
    np.testing.assert_array_equal(first.probability["response"], again.probability["response"])
    assert not np.array_equal(first.probability["response"], other.probability["response"])


def test_no_outcome_of_a_patient_outside_the_sample_reaches_its_own_prediction() -> None:
    people = patients(groups=False)
    before = refits(1, groups=False)
    patient = int(np.setdiff1d(people.known, before.learned)[0])
    y = people.outcomes["response"].copy()
    y[patient] = 1 - y[patient]
    changed = replace(people, outcomes={**people.outcomes, "response": y})
    choices = {name: m.choice for name, m in model().outcomes.items()}
    after = bootstrap_refit(changed, choices, 1)
    assert after is not None
    np.testing.assert_array_equal(after.learned, before.learned)
    assert after.probability["response"][patient] == before.probability["response"][patient]
    # It does reach others, whose recalibration is learned from it.
    assert (after.probability["response"] != before.probability["response"]).any()


def test_a_model_that_says_the_same_of_all_hardly_moves_and_fewer_patients_move_more() -> None:
    steady = measure(patients(), model(candidate="prevalence"), 12)
    few = measure(patients(), model(), 12)
    many = measure(patients(1500), model(1500), 12)
    assert set(few) == set(OUTCOMES)
    for name in OUTCOMES:
        order = [found[name].mean_absolute_difference.value for found in (steady, few)]
        assert order == sorted(order)
    assert few["response"].mean_absolute_difference.value > (
        1.2 * many["response"].mean_absolute_difference.value
    )


def test_figures_are_those_of_the_refits() -> None:
    own = np.linspace(0.1, 0.9, 200)
    rng = np.random.default_rng(2)
    moved = [own + rng.normal(0.02, 0.05, 200) for _ in range(40)]
    made = [Refit(np.arange(200), {"response": p}, {"response": own}) for p in moved]
    found = summarise_instability({"response": own}, [*made, None])["response"]
    assert found.refits == 40
    assert found.mean_absolute_difference.value == pytest.approx(np.abs(np.array(moved) - own).mean())
    assert found.mean_absolute_difference.low < found.mean_absolute_difference.value
    curve = found.by_prediction
    assert len(curve.at) == 10
    np.testing.assert_allclose(np.array(curve.value) - curve.at, 0.02, atol=0.01)
    np.testing.assert_allclose(np.array(curve.low) - curve.at, 0.02 - 1.96 * 0.05, atol=0.015)
    np.testing.assert_allclose(np.array(curve.high) - curve.at, 0.02 + 1.96 * 0.05, atol=0.015)


def test_samples_that_teach_nothing_leave_nothing_to_say() -> None:
    people = patients()
    one_class = {name: np.where(np.isnan(y), np.nan, 0.0) for name, y in people.outcomes.items()}
    alone = replace(people, outcomes=one_class)
    choices = {name: m.choice for name, m in model().outcomes.items()}
    assert bootstrap_refit(alone, choices, 1) is None
    assert measure(alone, model(), 6) == {}

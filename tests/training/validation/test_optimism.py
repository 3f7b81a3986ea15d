"""The 0.632+ correction: what is learned by heart does not pass for skill."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.models.small import small_cohort
from tests.training.validation.work import do_work
from training.cross_validation import fit_model
from training.metrics import METRICS, Predicted
from training.patients import Patients
from training.validation.optimism import combine_632plus, correct_optimism, make_subsample_jobs
from training.validation.refits import Refit
from training.validation.results import Design


@cache
def patients(*, noise: bool) -> Patients:
    people = Patients.from_cohort(small_cohort(300, 12))
    if not noise:
        return people
    y = {name: values.copy() for name, values in people.outcomes.items()}
    order = np.random.default_rng(2).permutation(people.known)
    for name, values in y.items():
        values[people.known] = people.outcomes[name][order]
    return replace(people, outcomes=y)


@cache
def corrected(candidate: str, *, noise: bool) -> tuple[float, Design]:
    """AUROC of the model on its own patients, and the corrected design."""
    people = patients(noise=noise)
    model = fit_model(people, 1, candidate).model
    only = dict.fromkeys(("response", "remission"), candidate)
    refits = do_work(make_subsample_jobs(people, only, 1, count=6))
    design = correct_optimism(people, model, refits, 1)["response"]
    p = model.outcomes["response"].probability(model.inputs(people.rows[people.known]))
    y = people.outcomes["response"][people.known]
    data = Predicted(y, p, np.full(len(y), 0.5), np.zeros(len(y), dtype=np.intp))
    return METRICS["auroc"](data, np.ones(len(y))), design


def test_a_forest_that_memorises_noise_is_not_believed() -> None:
    apparent, design = corrected("random_forest", noise=True)
    assert apparent > 0.75
    found = design.metrics["auroc"]
    # There is nothing to find, whatever the forest says of its own patients.
    assert found.value < 0.62
    assert found.low < 0.5


def test_real_signal_survives_the_correction() -> None:
    apparent, design = corrected("ridge", noise=False)
    found = design.metrics["auroc"]
    assert 0.6 < found.value < apparent
    assert found.low < found.value < found.high
    assert set(design.metrics) == set(METRICS)
    assert "6 samples of 63.2 % of the groups (site)" in design.how


def test_the_weight_moves_from_0632_to_1_as_the_figure_falls_to_that_of_noise() -> None:
    assert combine_632plus(0.9, 0.9, 0.5) == pytest.approx(0.9)
    assert combine_632plus(0.9, 0.5, 0.5) == pytest.approx(0.5)  # no trust in the apparent figure at all
    # Half way: R = 0.5, w = 0.632 / (1 - 0.368 * 0.5), by hand.
    weight = 0.632 / 0.816
    assert combine_632plus(0.9, 0.7, 0.5) == pytest.approx((1 - weight) * 0.9 + weight * 0.7)
    assert combine_632plus(0.0, 0.1, 0.0) == pytest.approx(0.0632)  # a figure that noise leaves where it is


def test_samples_hold_whole_groups_once_and_the_others_are_asked_about() -> None:
    people = patients(noise=False)
    assert people.groups is not None
    refits = do_work(
        make_subsample_jobs(people, dict.fromkeys(("response", "remission"), "prevalence"), 1, count=3)
    )
    for refit in refits:
        assert isinstance(refit, Refit)
        assert len(set(refit.learned.tolist())) == len(refit.learned)
        left = np.setdiff1d(people.known, refit.learned)
        assert set(people.groups[refit.learned]).isdisjoint(people.groups[left])
        assert len(refit.probability["response"]) == len(left)
    first, second, _ = (refit.learned.tolist() for refit in refits if refit is not None)
    assert first != second

"""The 0.632+ correction: what is learned by heart does not pass for skill."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.models.small import small_cohort
from tests.training.validation.work import do_work
from training.cross_validation import fit_model
from training.metrics import METRICS, Predicted
from training.net_benefit import net_benefit_gain
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
    assert set(design.metrics) == {*METRICS, "net_benefit_gain"}
    assert "6 samples of 63.2 % of the groups (site)" in design.how
    assert "calibration and net benefit: of patients outside the samples alone" in design.how


@pytest.mark.parametrize("candidate", ["ridge", "random_forest"])
def test_figures_and_intervals_stay_where_figures_can_be(candidate: str) -> None:
    metrics = corrected(candidate, noise=candidate != "ridge")[1].metrics
    for name, metric in METRICS.items():
        found, (least, most) = metrics[name], metric.within
        assert least <= found.low <= found.value <= found.high <= most, name


def test_calibration_is_that_of_patients_whom_no_refit_has_seen() -> None:
    people = patients(noise=False)
    model = fit_model(people, 1, "ridge").model
    refits = do_work(
        make_subsample_jobs(people, dict.fromkeys(("response", "remission"), "ridge"), 1, count=4)
    )
    found = correct_optimism(people, model, refits, 1)["response"].metrics
    y, p, fold = [], [], []
    for number, refit in enumerate(refits):
        assert isinstance(refit, Refit)
        left = np.setdiff1d(people.known, refit.learned)
        y.append(people.outcomes["response"][left])
        p.append(refit.probability["response"])
        fold.append(np.full(len(left), number))
    data = Predicted(np.concatenate(y), np.concatenate(p), np.concatenate(p), np.concatenate(fold))
    once = np.ones(len(data.y))
    for name in ("calibration_intercept", "calibration_slope", "ici", "e50", "e90", "o_e"):
        assert found[name].value == pytest.approx(METRICS[name](data, once)), name
    assert found["net_benefit_gain"].value == pytest.approx(net_benefit_gain(data, once, 0.35))


def test_without_a_sample_to_learn_from_the_design_says_why() -> None:
    # One of two groups is no group to make inner folds of.
    whole = patients(noise=False)
    people = replace(whole, groups=(np.arange(300) % 2).astype(np.intp))
    refits = do_work(make_subsample_jobs(people, dict.fromkeys(("response", "remission"), "prevalence"), 1))
    model = fit_model(whole, 1, "prevalence").model
    for design in correct_optimism(people, model, refits, 1).values():
        assert design.how.startswith("Not possible: of no sample of 63.2 % could be learned: cannot cross-")
        assert (design.patients, design.metrics) == (0, {})


def test_the_weight_moves_from_0632_to_1_as_the_figure_falls_to_that_of_noise() -> None:
    assert combine_632plus(0.9, 0.9, 0.5, rising=True) == pytest.approx(0.9)
    # No trust in the apparent figure at all.
    assert combine_632plus(0.9, 0.5, 0.5, rising=True) == pytest.approx(0.5)
    # Half way: R = 0.5, w = 0.632 / (1 - 0.368 * 0.5), by hand.
    weight = 0.632 / 0.816
    assert combine_632plus(0.9, 0.7, 0.5, rising=True) == pytest.approx((1 - weight) * 0.9 + weight * 0.7)
    # The same of errors, which rise from 0.1 to 0.2, half way to 0.3.
    assert combine_632plus(0.1, 0.2, 0.3, rising=False) == pytest.approx((1 - weight) * 0.1 + weight * 0.2)


def test_nobody_need_do_worse_than_without_information() -> None:
    assert combine_632plus(0.1, 0.4, 0.3, rising=False) == pytest.approx(0.3)
    assert combine_632plus(0.7, 0.45, 0.5, rising=True) == pytest.approx(0.5)
    # An apparent figure that is worse than that still counts for its third, by hand.
    assert combine_632plus(0.45, 0.4, 0.5, rising=True) == pytest.approx(0.368 * 0.45 + 0.632 * 0.5)
    assert np.isnan(combine_632plus(0.7, np.nan, 0.5, rising=True))


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
    first, second, _ = (refit.learned.tolist() for refit in refits if isinstance(refit, Refit))
    assert first != second

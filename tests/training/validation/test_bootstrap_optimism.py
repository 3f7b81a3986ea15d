"""Harrell's correction: by hand on four patients, and of the very refits on a cohort."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.response_model import OUTCOMES, ResponseModel
from tests.models.small import small_cohort
from tests.training.validation.work import do_work
from training.cross_validation import fit_model
from training.metrics import METRICS, Predicted
from training.patients import Patients
from training.validation.bootstrap_optimism import Resampled, correct_by_bootstrap, find_optimism
from training.validation.instability import make_bootstrap_jobs
from training.validation.refits import Refit


@cache
def patients(*, groups: bool = True) -> Patients:
    whole = Patients.from_cohort(small_cohort(300, 12))
    return whole if groups else replace(whole, groups=None)


@cache
def model(candidate: str) -> ResponseModel:
    return fit_model(patients(), 1, candidate).model


def refits(candidate: str, count: int = 8, *, groups: bool = True) -> Sequence[Refit | None]:
    return do_work(make_bootstrap_jobs(patients(groups=groups), model(candidate), 1, count))


def resampled(p: list[float], times: list[float]) -> Resampled:
    y, half = np.array([1.0, 0, 1, 0]), np.full(4, 0.5)
    return Resampled(Predicted(y, np.array(p), half, np.zeros(4, dtype=np.intp)), np.array(times))


def test_optimism_is_what_refits_lose_from_their_samples_to_all_patients() -> None:
    # Drawn twice, once, once and not at all: in the sample (2 * 0.01 + 0.04 + 0.04) / 4 = 0.025 and every
    # pair the right way round; of all patients (0.01 + 0.04 + 0.04 + 0.81) / 4 = 0.225, 2.5 of 4 pairs.
    first = resampled([0.9, 0.2, 0.8, 0.9], [2, 1, 1, 0])
    # Each once: nothing is lost.
    second = resampled([0.6, 0.4, 0.7, 0.3], [1, 1, 1, 1])
    metrics = {name: METRICS[name] for name in ("brier", "auroc")}
    found = find_optimism([first, second], metrics)
    assert found["brier"] == pytest.approx((0.025 - 0.225 + 0) / 2)
    # The last patient ties with the first and is above the third: 2 + 0.5 of 4.
    assert found["auroc"] == pytest.approx((1 - 2.5 / 4 + 0) / 2)


def test_the_versions_figures_are_corrected_with_its_own_recalibration() -> None:
    people, own = patients(), model("ridge")
    made = refits("ridge")
    design = correct_by_bootstrap(people, own, made, 1)["response"]
    known, recalibration = people.known, own.outcomes["response"].choice.recalibration
    y, once = people.outcomes["response"][people.known], np.ones(len(people.known))

    def measure(name: str, p: NDArray[np.float64], w: NDArray[np.float64]) -> float:
        return METRICS[name](Predicted(y, p, p, np.zeros(len(y), dtype=np.intp)), w)

    p = own.outcomes["response"].probability(own.inputs(people.rows[known]))
    for name in ("auroc", "brier", "calibration_slope"):
        lost = []
        for refit in made:
            assert refit is not None
            moved = expit(recalibration.apply(refit.logit["response"][known]))
            times = np.array([(refit.learned == patient).sum() for patient in known], dtype=np.float64)
            lost.append(measure(name, moved, times) - measure(name, moved, once))
        assert np.mean(lost) != 0
        assert design.metrics[name].value == pytest.approx(measure(name, p, once) - np.mean(lost)), name
    assert "8 samples of whole groups (site)" in design.how


def test_what_is_corrected_stays_in_range_and_below_what_is_apparent() -> None:
    people = patients(groups=False)
    own = model("ridge")
    known = people.known
    for name, design in correct_by_bootstrap(people, own, refits("ridge", groups=False), 1).items():
        for metric in METRICS:
            found, (least, most) = design.metrics[metric], METRICS[metric].within
            assert least <= found.low <= found.value <= found.high <= most, metric
        p = own.outcomes[name].probability(own.inputs(people.rows[known]))
        y = people.outcomes[name][known]
        apparent = METRICS["auroc"](Predicted(y, p, p, np.zeros(len(y), dtype=np.intp)), np.ones(len(y)))
        assert 0.5 < design.metrics["auroc"].value < apparent


def test_too_few_samples_are_said_to_be_too_few() -> None:
    found = correct_by_bootstrap(patients(), model("ridge"), [*refits("ridge", 4), None], 1)
    assert set(found) == set(OUTCOMES)
    for design in found.values():
        assert design.how.startswith("Not possible: 4 of 5 bootstrap samples had both classes")
        assert (design.patients, design.metrics) == (0, {})

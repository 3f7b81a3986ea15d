"""The verdict against an independent implementation of conformal prediction."""

import numpy as np
import pytest
from crepes import ConformalClassifier
from crepes.extras import hinge
from numpy.typing import NDArray

from models.conformal import ConformalBounds, fit_conformal

Case = tuple[NDArray[np.float64], NDArray[np.float64]]


def draw(n: int, seed: int) -> Case:
    """Exchangeable patients: probabilities that are right, and outcomes drawn by them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 2, n)
    return p, (rng.random(n) < p).astype(np.float64)


def crepes_sets(calibration: Case, p: NDArray[np.float64], level: float) -> NDArray[np.int_]:
    """Prediction sets from the p-values of crepes: Mondrian by class, hinge non-conformity, no smoothing.

    A class is in the set if its p-value is above 1 - level (Vovk et al. 2005); crepes' own sets also take
    those that are equal to it.
    """
    known, y = calibration
    both = np.column_stack([1 - known, known])
    alphas = hinge(both, np.array([0, 1]), y.astype(int))
    classifier = ConformalClassifier().fit(alphas, bins=y.astype(int))
    fresh = hinge(np.column_stack([1 - p, p]))
    values = [
        classifier.predict_p(fresh[:, [k]], bins=np.full(len(p), k), smoothing=False)[:, 0] for k in (0, 1)
    ]
    return (np.column_stack(values) > 1 - level + 1e-9).astype(int)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [5, 9, 40, 199, 200, 1000])
def test_prediction_sets_are_those_of_crepes(n: int, level: float) -> None:
    calibration, (p, _) = draw(n, n), draw(500, 77)
    bounds = fit_conformal(*calibration, level)
    ours = np.column_stack([p <= bounds.non_response_to, p >= bounds.response_from]).astype(int)
    np.testing.assert_array_equal(ours, crepes_sets(calibration, p, level))


def test_each_class_is_covered_at_least_as_often_as_asked_for() -> None:
    covered: list[tuple[float, float]] = []
    for seed in range(200):
        bounds = fit_conformal(*draw(100, seed), 0.9)
        p, y = draw(400, 10_000 + seed)
        covered.append(
            ((p[y == 1] >= bounds.response_from).mean(), (p[y == 0] <= bounds.non_response_to).mean())
        )
    mean = np.mean(covered, axis=0)
    # The guarantee holds on average over calibration samples; standard error about 0.003.
    assert (mean >= 0.9 - 0.01).all()
    assert (mean < 0.94).all()


def test_one_verdict_is_that_of_many() -> None:
    p, _ = draw(300, 4)
    for bounds in (fit_conformal(*draw(80, 1), 0.9), ConformalBounds(0.3, 0.6), ConformalBounds(0.6, 0.3)):
        many = bounds.verdicts(p)
        assert many.tolist() == [bounds.verdict(float(value)) for value in p]


def test_verdict_names_the_one_class_in_the_set() -> None:
    overlap, gap = ConformalBounds(0.3, 0.6), ConformalBounds(0.6, 0.3)
    assert [overlap.verdict(p) for p in (0.2, 0.3, 0.45, 0.6, 0.7)] == [
        "unlikely",
        "uncertain",
        "uncertain",
        "uncertain",
        "likely",
    ]
    # Neither class is in the set between the bounds: that is not knowing either.
    assert [gap.verdict(p) for p in (0.2, 0.3, 0.45, 0.6)] == ["unlikely", "unlikely", "uncertain", "likely"]


@pytest.mark.parametrize("events", [0, 8])
def test_with_too_few_of_a_class_the_verdict_cannot_exclude_it(events: int) -> None:
    # With 8 events the smallest p-value is 1/9, above 0.1: response can never be excluded.
    p = np.linspace(0.01, 0.99, 100)
    y = np.zeros(100)
    y[:events] = 1
    bounds = fit_conformal(p, y, 0.9)
    assert "unlikely" not in set(bounds.verdicts(np.linspace(0, 1, 50)).tolist())


def test_ties_are_covered() -> None:
    # Plan-wise prevalence gives everybody one probability: whoever has it belongs to the set.
    bounds = fit_conformal(np.full(60, 0.4), np.array([1.0, 0.0] * 30), 0.9)
    assert bounds.verdict(0.4) == "uncertain"


def test_sets_made_larger_at_even_odds_call_nobody_likely_below_them() -> None:
    p = np.linspace(0, 1, 101)
    for bounds in (ConformalBounds(0.1, 0.3), ConformalBounds(0.7, 0.9), ConformalBounds(0.6, 0.4)):
        larger = bounds.at_even_odds()
        # Whoever was in a set still is, so coverage is no less.
        assert ((p >= larger.response_from) | ~(p >= bounds.response_from)).all()
        assert ((p <= larger.non_response_to) | ~(p <= bounds.non_response_to)).all()
        verdicts = larger.verdicts(p)
        assert (p[verdicts == "likely"] > 0.5).all()
        assert (p[verdicts == "unlikely"] < 0.5).all()

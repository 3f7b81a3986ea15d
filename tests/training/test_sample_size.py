"""Riley's criteria against published worked examples."""

import numpy as np
import pytest

from training.sample_size import decisive_size, required_sample_size, size_outcomes


def as_nagelkerke(cox_snell: float, prevalence: float) -> float:
    null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)
    return cox_snell / float(1 - np.exp(2 * null))


def test_the_example_of_pmsampsize() -> None:
    # pmsampsize(type = "b", csrsquared = 0.288, parameters = 24, prevalence = 0.174), from the manual of the
    # R package: criterion 1: 623, criterion 2: 662, criterion 3: 221, final 662.
    found = required_sample_size(24, 0.174, as_nagelkerke(0.288, 0.174))
    assert (found.shrinkage, found.optimism, found.prevalence) == (623, 662, 221)
    assert max(found.shrinkage, found.optimism, found.prevalence) == 662


def test_pre_eclampsia_example_of_riley_2020() -> None:
    # BMJ 2020;368:m441: 30 parameters, prevalence 0.05, 15 % of the largest R-squared (0.33, rounded there):
    # about 5249 patients by criterion 1, 73 by criterion 3.
    found = required_sample_size(30, 0.05, 0.15)
    assert found.shrinkage == pytest.approx(5249, rel=0.02)
    assert found.prevalence == 73
    assert found.needed == found.shrinkage


def test_outcome_as_common_as_not_needs_385_for_its_prevalence() -> None:
    # (1.96 / 0.05)^2 * 0.25 = 384.16
    assert required_sample_size(5, 0.5).prevalence == 385


def test_more_parameters_and_less_signal_need_more_patients() -> None:
    base = required_sample_size(20, 0.4)
    assert required_sample_size(40, 0.4).shrinkage == pytest.approx(2 * base.shrinkage, abs=2)
    assert required_sample_size(40, 0.4).error > base.error
    assert required_sample_size(20, 0.4, 0.05).needed > base.needed
    assert base.needed == max(base.shrinkage, base.optimism, base.prevalence, base.error)


def test_the_rarer_class_counts_for_the_error() -> None:
    assert required_sample_size(20, 0.2).error == required_sample_size(20, 0.8).error


def test_the_rarer_outcome_needs_more_and_decides() -> None:
    sizes = size_outcomes(40, {"response": 0.45, "remission": 0.2})
    assert sizes["remission"] == required_sample_size(40, 0.2)
    assert sizes["remission"].needed > 1.1 * sizes["response"].needed
    assert decisive_size(sizes) == ("remission", sizes["remission"])


def test_an_outcome_that_nobody_has_is_not_sized() -> None:
    assert set(size_outcomes(10, {"response": 0.45, "remission": 0.0})) == {"response"}

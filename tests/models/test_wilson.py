"""Wilson's interval of many shares at once."""

import numpy as np
from scipy.stats import binomtest

from models.wilson import wilson_interval


def test_many_shares_have_the_intervals_that_each_has_alone() -> None:
    counts, of = np.array([0.0, 3, 7, 170]), np.array([7.0, 40, 7, 400])
    each = [
        binomtest(int(count), int(n)).proportion_ci(0.95, method="wilson")
        for count, n in zip(counts, of, strict=True)
    ]
    low, high = wilson_interval(counts, of)
    np.testing.assert_allclose(low, [one.low for one in each], atol=1e-12)
    np.testing.assert_allclose(high, [one.high for one in each], atol=1e-12)


def test_a_higher_level_widens_the_interval() -> None:
    (low, high), (lower, higher) = wilson_interval(3, 40), wilson_interval(3, 40, z=2.6)
    assert lower < low < high < higher

"""A drift over the calendar: what is drawn follows it, the truth too, and without one nothing changes."""

import numpy as np
import pytest
from scipy.special import logit

from features.errors import UserError
from features.simulation import simulate
from tests.features.simulation.helpers import get_response


def test_no_drift_is_the_cohort_as_it_was() -> None:
    plain, zero = simulate(300, 4), simulate(300, 4, drift=0.0)
    assert plain.table.equals(zero.table)
    assert plain.truth.equals(zero.truth)


def test_a_drift_changes_outcomes_and_nothing_known_before_them() -> None:
    plain, drifted = simulate(2000, 4).complete, simulate(2000, 4, drift=2.0).complete
    outcomes = plain.columns[list(plain.columns).index("madrs_day_1") :]
    before = plain.drop(columns=outcomes)
    assert before.equals(drifted[before.columns])
    assert not plain["madrs_day_28"].equals(drifted["madrs_day_28"])


def test_response_rises_over_the_calendar_and_the_truth_says_so() -> None:
    cohort = simulate(20_000, 4, drift=1.0, sites=2000)
    order = np.argsort(cohort.complete["start_date"].to_numpy(), kind="stable")
    thirds = np.array_split(order, 3)
    response, truth = get_response(cohort.complete), cohort.truth["response__iv_ketamine"].to_numpy()
    observed = [logit(response[third].mean()) for third in thirds]
    expected = [logit(truth[third].mean()) for third in thirds]
    # From the middle of the first third to that of the last: two thirds of a logit, less what averaging over
    # patients takes away.
    for rise in (observed[2] - observed[0], expected[2] - expected[0]):
        assert rise == pytest.approx(2 / 3 * 0.85, abs=0.1)
    # The middle of the calendar is where the published rates hold.
    assert truth[thirds[1]].mean() == pytest.approx(0.48, abs=0.02)


@pytest.mark.parametrize("drift", [float("nan"), 5.1, -6.0])
def test_a_drift_out_of_bounds_is_refused(drift: float) -> None:
    with pytest.raises(UserError, match=r"drift: got .*, allowed is -5 to 5"):
        simulate(10, 1, drift=drift)

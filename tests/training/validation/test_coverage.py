"""Calibration of the interval: what it finds, and what it cannot see."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from training.bootstrap import Estimate, draw_weights
from training.validation.coverage import measure_coverage

PATIENTS = 2000


def make_table(
    half_width: float, *, bold: float = 1.0, shift: float = 0.0, scatter: float = 0.0
) -> pd.DataFrame:
    """Out-of-fold rows of two repeats; logits of the prediction are `bold` times the true ones."""
    rng = np.random.default_rng(5)
    logit = rng.normal(0, 0.8, PATIENTS)
    truth = expit(logit + scatter * rng.choice([-1, 1], PATIENTS))
    observed = (rng.random(PATIENTS) < truth).astype(float)
    said = bold * logit + shift
    repeat = pd.DataFrame(
        {
            "patient": np.arange(PATIENTS),
            "fold": np.arange(PATIENTS) % 5,
            "observed": observed,
            "probability": expit(said),
            "low": expit(said - half_width),
            "high": expit(said + half_width),
            "candidate_prevalence": observed.mean(),
            "parameters": 0.0,
        }
    )
    return pd.concat([repeat.assign(repeat=0), repeat.assign(repeat=1)], ignore_index=True)


def coverage(table: pd.DataFrame) -> Estimate:
    return measure_coverage(table, draw_weights(PATIENTS, None, 0, 100))


def test_honest_intervals_of_a_calibrated_model_hold_the_observed_share() -> None:
    assert coverage(make_table(0.4)).value > 0.98


@pytest.mark.parametrize(
    "table",
    [
        make_table(0.01),  # as if it knew everything
        make_table(0.3, bold=2.5),  # too extreme by more than it admits
        make_table(0.3, shift=0.7),  # too high by more than it admits
    ],
)
def test_intervals_too_narrow_for_the_errors_made_do_not(table: pd.DataFrame) -> None:
    found = coverage(table)
    assert found.value < 0.7
    assert found.low <= found.value <= found.high < 0.9


def test_wider_intervals_never_hold_less() -> None:
    shares = [coverage(make_table(width, bold=1.6)).value for width in (0.05, 0.2, 0.5, 1.0)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_scatter_about_the_right_mean_is_not_seen() -> None:
    # The documented limit: every true probability is 1.5 logits away from the prediction, up or down.
    assert coverage(make_table(0.4, scatter=1.5, bold=0.6)).value > 0.9


def test_patients_without_an_endpoint_do_not_count() -> None:
    table = make_table(0.4)
    unknown = table.copy()
    unknown.loc[unknown["patient"] >= 1000, "observed"] = np.nan
    weights = draw_weights(1000, None, 0, 50)
    assert measure_coverage(unknown, weights) == measure_coverage(table[table["patient"] < 1000], weights)

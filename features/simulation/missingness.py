"""What the table does not show: predictors not recorded, courses not completed, follow-up not returned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.simulation.parameters import Population, load_parameters, load_setting
from features.simulation.randomness import Bools, Floats, make_stream


def draw_missing_predictors(patients: int, seed: int) -> dict[str, Bools]:
    """Draw which predictor values were not recorded, completely at random, column by column."""
    rates = {k: v for k, v in load_parameters()["missing"].items() if isinstance(v, float)}
    return {
        name: make_stream(seed, f"missing {name}").random(patients) < rate for name, rate in rates.items()
    }


def draw_last_day(population: Population, setting: str, patients: int, seed: int) -> NDArray[np.int64]:
    """Draw the last day each patient was seen in the induction, independent of the outcome.

    Those who complete it are seen on the endpoint's day; the others leave on a day between the first dose and
    the endpoint, each day alike.
    """
    stream = make_stream(seed, "not completed")
    leaves = stream.random(patients) < load_setting(setting)["not_completed"]
    day = stream.integers(1, population.endpoint_day, patients)
    return np.where(leaves, day, population.endpoint_day)


def draw_missing_follow_up(response: Bools, site: NDArray[Any], sites: int, seed: int) -> Bools:
    """Draw whose self-rated follow-up is missing: not at random, more often without response."""
    p, sd = load_parameters()["missing_follow_up"], load_parameters()["site"]["missing_sd"]
    effect: Floats = sd * make_stream(seed, "site follow-up").standard_normal(sites)
    chance = expit(p["intercept"] + p["non_responder"] * ~response + effect[site])
    missing: Bools = make_stream(seed, "follow-up").random(len(site)) < chance
    return missing

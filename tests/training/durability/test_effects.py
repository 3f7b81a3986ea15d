"""Effects of maintenance, against the truth of simulated patients and published ratios."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from features.cohort import make_cohort
from features.cohort_file import load_cohort_file
from features.simulation import simulate
from features.simulation.relapse import compute_relapse_day, draw_responders
from tests.features.simulation.helpers import get_columns
from tests.models.small_durability import follow_up_of, responders_of
from training.durability.candidates import FLOOR, fit_candidate
from training.durability.effects import Effects, estimate_effects
from training.durability.refits import refit, with_band

INTERVALS = {"none": 0, "every_4_weeks": 28, "every_2_weeks": 14, "weekly": 7}
PUBLISHED = {"every_4_weeks": 0.70, "every_2_weeks": 0.49, "weekly": 0.32}  # docs/evidence.md
TRD = load_cohort_file(files("features") / "cohorts" / "ketamine_trd.toml")  # type: ignore[arg-type]


class Recovered(NamedTuple):
    """What the model says of one simulated cohort, and the truth for the same patients."""

    effects: Effects
    truth: NDArray[np.float64]


@cache
def recover(seed: int, candidate: str, patients: int = 4_000) -> Recovered:
    simulated = simulate(patients, seed=seed)
    cohort = make_cohort(TRD, simulated.table)
    responders = responders_of(cohort)
    inputs = responders.encoded()
    model = fit_candidate(candidate, responders, inputs, seed)
    refits = refit(model, responders, inputs, seed)
    model = with_band(model, refits, responders)
    effects = estimate_effects(model, refits, responders, inputs, seed)
    assert effects is not None
    followed = np.flatnonzero(follow_up_of(cohort).followed)
    comparable = followed[model.supported(inputs).all(axis=1)]
    assert effects.patients == len(comparable)
    ids = cohort.ids[comparable].tolist()
    columns = get_columns(simulated.complete.set_index("patient_id").loc[ids].reset_index())
    endpoint = columns["madrs_day_28"].astype(np.int64)
    weeks = np.arange(53)
    truth = np.zeros((4, 53))
    for draw in range(5):  # other frailties of the same patients
        drawn = draw_responders(columns, endpoint, endpoint <= 10, seed=9_000 + draw)
        for k, interval in enumerate(INTERVALS.values()):
            day = compute_relapse_day(drawn, np.full(len(endpoint), interval), 364)
            truth[k] += (day[:, None] > 7 * weeks).mean(axis=0) / 5
    return Recovered(effects, truth)


SEEDS = range(300, 306)
WEEKS = [4, 8, 52]


@pytest.mark.slow
def test_simulated_curves_are_recovered_within_their_bands() -> None:
    recovered = [recover(seed, "remission") for seed in SEEDS]
    covered, errors = [], []
    for effects, truth in recovered:
        centre, low, high = effects.curves[..., WEEKS]
        covered.append((low <= truth[:, WEEKS]) & (truth[:, WEEKS] <= high))
        errors.append(centre - truth[:, WEEKS])
    # 72 bands of level 0.9, of which those of one cohort go together: three standard errors below.
    assert np.mean(covered) > 0.75
    # On average over cohorts no curve is off by more than what a reader would notice.
    assert np.abs(np.mean(errors, axis=0)).max() < 0.03


@pytest.mark.slow
def test_published_hazard_ratios_are_recovered_within_their_intervals() -> None:
    # Relapses per person-time if all the same patients were on one maintenance, as evidence.md has them.
    covered, errors = [], []
    for effects, _ in (recover(seed, "remission") for seed in SEEDS):
        for level, published in PUBLISHED.items():
            ratio = effects.rate_ratios[level]
            covered.append(ratio.low <= published <= ratio.high)
            errors.append((level, np.log(ratio.value / published)))
    assert np.mean(covered) > 0.8
    for level in PUBLISHED:
        assert abs(np.mean([error for name, error in errors if name == level])) < 0.12


@pytest.mark.slow
def test_adjusting_for_remission_removes_its_confounding() -> None:
    # Weekly maintenance goes to those without remission, who relapse sooner: unadjusted it looks worse.
    bias = {}
    for candidate in ("remission", FLOOR):
        ratios = [recover(seed, candidate).effects.rate_ratios["weekly"].value for seed in SEEDS]
        bias[candidate] = float(np.mean(np.log(np.array(ratios) / PUBLISHED["weekly"])))
    assert bias[FLOOR] > 0.08
    assert abs(bias["remission"]) < bias[FLOOR]

"""The main scale's path: 24 h after the first dose, before each session, at week 2 and at the endpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.parameters import PlanParameters, Population, load_parameters
from features.simulation.randomness import Columns, Floats, draw_integer_between, make_stream
from features.simulation.response import Outcomes


def draw_endpoint(
    population: Population, plan: NDArray[Any], outcomes: Outcomes, baseline: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Draw a whole-number endpoint score inside the class that was drawn.

    Response is a fall of at least half, remission a score at or below the cut; both hold exactly for the
    score returned, so the class can be read back from the table.
    """
    fall = load_parameters()["fall"]
    half, cut = baseline // 2, population.remission_at_most
    worse = _draw_worse(population, plan, outcomes, seed)
    kind = np.select(
        [outcomes.remission, outcomes.response, worse], ["remission", "response", "worse"], "no_response"
    )
    low = np.select(
        [kind == "remission", kind == "response", kind == "worse"], [0, cut + 1, baseline + 1], half + 1
    )
    top = np.full_like(baseline, population.score_high)
    high = np.select([kind == "remission", kind == "response", kind == "worse"], [cut, half, top], baseline)
    mean = np.select([kind == k for k in fall], [baseline * (1 - p["mean"]) for p in fall.values()])
    sd = np.select([kind == k for k in fall], [baseline * p["sd"] for p in fall.values()])
    return draw_integer_between(make_stream(seed, "endpoint"), mean, sd, low, high)


def draw_first_day(
    population: Population, plan: NDArray[Any], outcomes: Outcomes, baseline: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Draw the score 24 h after the first dose (on the oral plan: on the next day).

    Given the covariates it carries the early response (a fall of at least half) and nothing else about
    the endpoint: its mean is a share of the plan's *average* fall, not of the patient's own. Otherwise the
    first day would predict the endpoint far better than any published figure.
    """
    p, routes = load_parameters()["path"], load_parameters()["routes"]
    stream, half = make_stream(seed, "first day"), baseline // 2
    remits = make_stream(seed, "first day remission").random(len(plan))
    day_1 = np.empty_like(baseline)
    for entry in population.plans:
        rows = np.flatnonzero(plan == entry.name)
        b, early = baseline[rows], outcomes.early[rows]
        wanted = routes[entry.route]["first_day_share"] * _average_fall(entry)
        if_early = p["first_day_fall_if_early"]
        # The two classes average to the wanted fall.
        otherwise = (wanted - entry.early * if_early) / (1 - entry.early)
        mean = b * (1 - np.where(early, if_early, otherwise))
        low, high = np.where(early, 0, half[rows] + 1), np.where(early, half[rows], population.score_high)
        if entry.early_remission is not None:
            remission = early & (remits[rows] < entry.early_remission / entry.early)
            cut = population.remission_at_most
            high = np.where(remission, np.minimum(high, cut), high)
            low = np.where(early & ~remission, np.minimum(cut + 1, high), low)
        day_1[rows] = draw_integer_between(stream, mean, p["first_day_sd"], low, high)
    return day_1


def draw_path(
    population: Population,
    plan: NDArray[Any],
    baseline: NDArray[np.int64],
    day_1: NDArray[np.int64],
    endpoint: NDArray[np.int64],
    seed: int,
) -> Columns:
    """Draw the scores before each session and at week 2.

    Part of the first day's gain wears off before the second session; then the path runs to the endpoint.

    Returns
    -------
    dict
        Float columns ``SCALE_week_2`` (if the endpoint is later) and ``SCALE_session_1`` ..., NaN where the
        plan has fewer sessions.
    """
    p = load_parameters()["path"]
    swing = p["swing_sd"] * make_stream(seed, "swing").standard_normal(len(plan))
    wear_off = make_stream(seed, "wear-off").uniform(p["wear_off_low"], p["wear_off_high"], len(plan))
    second = day_1 + wear_off * (baseline - day_1)

    def score_on(day: int) -> Floats:
        share = (day - p["second_session_day"]) / (population.endpoint_day - p["second_session_day"])
        noise = p["session_sd"] * make_stream(seed, f"path day {day}").standard_normal(len(plan))
        noise += swing * np.sqrt(4 * share * (1 - share))  # none at either end, most in the middle
        raw = np.rint(second + share * (endpoint - second) + noise)
        score: Floats = np.clip(raw, 0, population.score_high)
        return score

    columns: Columns = {}
    if population.endpoint_day > p["week_2_day"]:
        columns[f"{population.scale}_week_2"] = score_on(p["week_2_day"])
    for session in range(max(len(entry.session_days) for entry in population.plans)):
        column = np.full(len(plan), np.nan)
        for entry in population.plans:
            if session < len(entry.session_days):
                rows = plan == entry.name
                day = entry.session_days[session]
                column[rows] = baseline[rows] if day == 0 else score_on(day)[rows]
        columns[f"{population.scale}_session_{session + 1}"] = column
    return columns


def _draw_worse(
    population: Population, plan: NDArray[Any], outcomes: Outcomes, seed: int
) -> NDArray[np.bool_]:
    """Among patients without response, draw who is worse than before (8 % of all on average)."""
    share = load_parameters()["worsening"]["share"]
    response = {entry.name: entry.response for entry in population.plans}
    chance = np.array([share / (1 - response[name]) for name in plan])
    worse: NDArray[np.bool_] = ~outcomes.response & (make_stream(seed, "worse").random(len(plan)) < chance)
    return worse


def _average_fall(entry: PlanParameters) -> float:
    """Return the plan's average fall at the endpoint, as a fraction, from the classes' means."""
    fall, worse = load_parameters()["fall"], load_parameters()["worsening"]["share"]
    classes = {
        "worse": worse,
        "no_response": 1 - entry.response - worse,
        "response": entry.response - entry.remission,
        "remission": entry.remission,
    }
    return float(sum(share * fall[name]["mean"] for name, share in classes.items()))

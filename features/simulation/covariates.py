"""What is known about a patient before treatment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.simulation.parameters import Population, Section, load_parameters
from features.simulation.randomness import Columns, Floats, draw_truncated_normal, make_stream

# Drawn in this order because later ones depend on earlier ones.
_BY_LOGIT = (
    "inpatient",
    "diabetes",
    "hypertension",
    "heart_disease",
    "ptsd",
    "suicidal_ideation",
    "past_suicide_attempt",
    "self_harm",
    "past_admission",
    "substance_use_disorder",
    "personality_disorder",
    "family_history_aud",
    "ect_failure",
    "bipolar",
    "lamotrigine",
    "antipsychotic",
    "chronic_pain",
    "concurrent_antidepressant",
    "psychotherapy",
    "bdnf_met",
    "smoking",
)
_ANXIETY_DISORDERS = ("generalised_anxiety", "social_anxiety", "panic_disorder")
_LINKED = ("hamd17", "phq9", "qids")


def draw_covariates(population: Population, patients: int, seed: int) -> Columns:
    """Draw baseline covariates as they would be written down (whole years, whole points).

    Every later step uses these recorded values, so nothing of the truth hides in the rounding.

    Parameters
    ----------
    population : Population
        Whose distributions replace the common ones where they differ.
    patients : int
        Number of patients.
    seed : int
        Each covariate has a stream of its own.
    """
    given = {**load_parameters()["covariates"], **population.covariates}
    draw = _Draw(given, patients, seed)
    columns: Columns = {"age": draw.rounded_normal("age")}
    female = draw.stream("sex").random(patients) < given["sex"]["female"]
    columns["sex"] = np.where(female, "female", "male").astype(object)
    for scale in ("madrs_baseline", "hama_baseline"):
        if scale in given:
            columns[scale] = draw.rounded_normal(scale)
    columns["failed_trials"] = _draw_failed_trials(draw)
    columns |= _draw_history(draw, columns["age"])
    columns["bmi"] = np.round(draw.log_normal("bmi"), 1)
    columns["anxiety_disorder"] = draw.binary("anxiety_disorder", columns)
    for name in _ANXIETY_DISORDERS:
        within = draw.stream(name).random(patients) < given[name]["within_anxiety"]
        columns[name] = columns["anxiety_disorder"] * within
    for name in _BY_LOGIT:
        columns[name] = draw.binary(name, columns)
    columns["benzodiazepine_dose"] = _draw_benzodiazepine(draw, columns)
    columns["crp"] = _draw_crp(draw, columns)
    columns["childhood_trauma_domains"] = _draw_trauma(draw)
    columns["sleep"] = _draw_sleep(draw)
    columns["gad7_baseline"] = draw.scale_score(given["gad7_baseline"], "gad7_baseline", columns)
    for name in _LINKED:
        columns[f"{name}_baseline"] = draw_linked_scale(name, columns["madrs_baseline"], draw.stream(name))
    return columns


def draw_linked_scale(name: str, score: NDArray[Any], stream: np.random.Generator) -> NDArray[np.int64]:
    """Draw another scale from the main one: a line plus noise, rounded, inside its range."""
    link = load_parameters()["links"][name]
    raw = link["slope"] * score + link["intercept"] + link["sd"] * stream.standard_normal(len(score))
    return _as_points(raw, link["low"], link["high"])


def _as_points(raw: NDArray[Any], low: float, high: float | NDArray[Any]) -> NDArray[np.int64]:
    """Round to whole numbers inside a range."""
    points: NDArray[np.int64] = np.clip(np.rint(raw), low, high).astype(np.int64)
    return points


def _as_binary(uniform: Floats, chance: float | Floats) -> NDArray[np.int64]:
    drawn: NDArray[np.int64] = (uniform < chance).astype(np.int64)
    return drawn


class _Draw:
    """The distributions, the number of patients and the seed, for the draws below."""

    def __init__(self, given: Mapping[str, Section], patients: int, seed: int) -> None:
        self.given, self.patients, self.seed = given, patients, seed

    def stream(self, name: str) -> np.random.Generator:
        return make_stream(self.seed, f"covariate {name}")

    def linear(self, name: str, columns: Columns) -> Floats:
        value = np.full(self.patients, float(self.given[name]["intercept"]))
        for column, (slope, origin) in self.given[name].get("slopes", {}).items():
            value += slope * (columns[column] - origin)
        return value

    def binary(self, name: str, columns: Columns) -> NDArray[np.int64]:
        return _as_binary(self.stream(name).random(self.patients), expit(self.linear(name, columns)))

    def rounded_normal(self, name: str) -> NDArray[np.int64]:
        p = self.given[name]
        raw = draw_truncated_normal(self.stream(name), self.patients, p["mean"], p["sd"], p["low"], p["high"])
        return _as_points(raw, p["low"], p["high"])

    def log_normal(self, name: str) -> Floats:
        p = self.given[name]
        raw = p["median"] * np.exp(p["log_sd"] * self.stream(name).standard_normal(self.patients))
        clipped: Floats = np.clip(raw, p["low"], p["high"])
        return clipped

    def scale_score(self, p: Section, name: str, columns: Columns) -> NDArray[np.int64]:
        raw = self.linear(name, columns) + p["sd"] * self.stream(name).standard_normal(self.patients)
        return _as_points(raw, p["low"], p["high"])


def _draw_failed_trials(draw: _Draw) -> NDArray[np.int64]:
    p = draw.given["failed_trials"]
    stream = draw.stream("failed_trials")
    if "one" in p:  # fewer than two failed trials
        return _as_binary(stream.random(draw.patients), p["one"])
    # Negative binomial by size and mean: success probability = size / (size + mean).
    count = stream.negative_binomial(p["size"], p["size"] / (p["size"] + p["mean"]), draw.patients)
    return _as_points(p["start"] + count, p["start"], p["high"])


def _draw_history(draw: _Draw, age: NDArray[Any]) -> Columns:
    """Draw the length of the present episode and age at first onset, consistent with the patient's age."""
    episode, onset = draw.given["episode_months"], draw.given["onset_age"]
    longest = 12 * (age - episode["youngest"])
    months = _as_points(draw.log_normal("episode_months"), episode["low"], longest)
    before = age - months / 12 - onset["youngest"]
    share = draw.stream("onset_age").beta(onset["alpha"], onset["beta"], draw.patients)
    onset_age = np.floor(onset["youngest"] + share * before)
    return {"episode_months": months, "onset_age": _as_points(onset_age, onset["youngest"], age)}


def _draw_benzodiazepine(draw: _Draw, columns: Columns) -> Floats:
    """Dose in mg/day of diazepam equivalents; 0 for those who take none."""
    p = draw.given["benzodiazepine_dose"]
    noise = draw.stream("benzodiazepine_dose amount").standard_normal(draw.patients)
    dose: Floats = np.clip(p["median"] * np.exp(p["log_sd"] * noise), p["low"], p["high"])
    return draw.binary("benzodiazepine_dose", columns) * np.round(dose, 1)


def _draw_crp(draw: _Draw, columns: Columns) -> Floats:
    """C-reactive protein in mg/L, such that P(crp >= cut) is exactly the logistic model.

    With logistic noise e, crp >= cut if and only if score + e >= 0, which has probability expit(score).
    Rounding down to one decimal keeps the cut.
    """
    p = draw.given["crp"]
    score = draw.linear("crp", columns) + draw.stream("crp").logistic(size=draw.patients)
    raw = p["cut"] * np.exp(p["log_scale"] * score)
    crp: Floats = np.clip(np.floor(raw * 10) / 10, p["low"], p["high"])
    return crp


def _draw_trauma(draw: _Draw) -> NDArray[np.int64]:
    p = draw.given["childhood_trauma_domains"]
    stream = draw.stream("childhood_trauma_domains")
    chance = stream.beta(p["alpha"], p["beta"], draw.patients)
    return _as_points(stream.binomial(p["domains"], chance), 0, p["domains"])


def _draw_sleep(draw: _Draw) -> NDArray[Any]:
    p = draw.given["sleep"]
    uniform = draw.stream("sleep").random(draw.patients)
    hypersomnia = uniform < p["insomnia"] + p["hypersomnia"]
    return np.where(
        uniform < p["insomnia"], "insomnia", np.where(hypersomnia, "hypersomnia", "normal")
    ).astype(object)

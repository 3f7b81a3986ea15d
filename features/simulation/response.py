"""True probabilities under every plan, and what happened on each patient's own plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.parameters import Population, load_parameters, load_setting
from features.simulation.plan_model import PlanModel, make_hidden_nodes, make_plan_model
from features.simulation.randomness import Bools, Columns, Floats, make_stream

_CHUNK = 20_000  # rows at a time in the quadrature: bounds the memory


def compute_truth(
    population: Population,
    setting: str,
    signal: float,
    columns: Mapping[str, NDArray[Any]],
    drift: Floats | float = 0.0,
) -> dict[str, Floats]:
    """Compute each patient's true probability of response and remission under every plan.

    The probability is conditional on all recorded covariates and averages over everything else: the hidden
    score, the early response and the effect of a new site (Gauss-Hermite quadrature).

    Parameters
    ----------
    population : Population
    setting : str
    signal : float
    columns : mapping of str to ndarray of shape (n,)
        Complete covariates.
    drift : ndarray of shape (n,) or float
        What the day on which each patient starts adds to the response logit.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        ``response__PLAN`` and ``remission__PLAN``.
    """
    truth: dict[str, Floats] = {}
    rules = load_setting(setting)
    for plan in population.plans:
        model = make_plan_model(population.name, plan.name, signal)
        response, remission = _integrate(model, columns, model.shift(rules) + drift)
        truth[f"response__{plan.name}"] = response
        truth[f"remission__{plan.name}"] = remission
    return truth


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened to each patient on the plan they were on."""

    early: Bools
    response: Bools
    remission: Bools


def draw_outcomes(
    population: Population,
    setting: str,
    signal: float,
    columns: Columns,
    plan: NDArray[Any],
    site_effect: Floats,
    seed: int,
) -> Outcomes:
    """Draw early response, response and remission on each patient's own plan."""
    size = len(plan)
    hidden = load_parameters()["hidden"]["sd"] * make_stream(seed, "hidden").standard_normal(size)
    uniform = {name: make_stream(seed, name).random(size) for name in ("early", "response", "remission")}
    outcomes = Outcomes(*(np.zeros(size, dtype=bool) for _ in range(3)))
    rules = load_setting(setting)
    for entry in population.plans:
        rows = np.flatnonzero(plan == entry.name)
        model = make_plan_model(population.name, entry.name, signal)
        own = {name: values[rows] for name, values in columns.items()}
        z = model.score(own) + hidden[rows]
        early = uniform["early"][rows] < model.early_probability(z)
        shift = model.shift(rules) + site_effect[rows]
        response = uniform["response"][rows] < model.response_probability(z, early.astype(float), shift)
        remission = response & (
            uniform["remission"][rows] < model.remission_given_response(z, model.remission_offset(own))
        )
        outcomes.early[rows], outcomes.response[rows], outcomes.remission[rows] = early, response, remission
    return outcomes


def _integrate(
    model: PlanModel, columns: Mapping[str, NDArray[Any]], shift: Floats | float
) -> tuple[Floats, Floats]:
    eta, offset = model.score(columns), model.remission_offset(columns)
    shifts = np.broadcast_to(shift, eta.shape)
    nodes, weights = make_hidden_nodes()
    response, remission = np.empty_like(eta), np.empty_like(eta)
    for start in range(0, eta.size, _CHUNK):
        rows = slice(start, start + _CHUNK)
        z = eta[rows, None] + nodes
        responds = model.marginal_response(z, shifts[rows, None])
        response[rows] = responds @ weights
        remission[rows] = (responds * model.remission_given_response(z, offset[rows, None])) @ weights
    return response, remission

"""Which site a patient is treated at, and which plan is chosen."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.covariates import draw_covariates
from features.simulation.parameters import Population, load_parameters, load_population, load_terms
from features.simulation.randomness import Bools, Columns, Floats, make_stream
from features.simulation.terms import compute_term


def draw_sites(patients: int, sites: int, seed: int) -> NDArray[np.int64]:
    """Draw each patient's site (0 to `sites` - 1); sites differ in size."""
    shape = load_parameters()["site"]["size_shape"]
    size = make_stream(seed, "site size").gamma(shape, size=sites)
    return make_stream(seed, "site").choice(sites, size=patients, p=size / size.sum())


def draw_site_effects(sites: int, seed: int) -> Floats:
    """Draw each site's effect on the response logit."""
    sd = float(load_parameters()["site"]["response_sd"])
    return sd * make_stream(seed, "site effect").standard_normal(sites)


def compute_propensity(population: Population, columns: Columns, missing: dict[str, Bools]) -> Floats:
    """Compute the probability of each plan from recorded covariates only.

    A covariate that was not recorded plays no part, so the choice is ignorable given the recorded table.

    Parameters
    ----------
    population : Population
        With its plans and their shares.
    columns : dict
        Covariates before anything was made missing.
    missing : dict
        For columns with missing values, which rows are missing.

    Returns
    -------
    ndarray of shape (n, number of plans)
    """
    scores = _choice_scores(population, columns, missing) + np.array(_choice_intercepts(population.name))
    scores -= scores.max(axis=1, keepdims=True)
    odds = np.exp(scores)
    propensity: Floats = odds / odds.sum(axis=1, keepdims=True)
    return propensity


def draw_plan(population: Population, propensity: Floats, seed: int) -> NDArray[Any]:
    """Draw each patient's plan."""
    uniform = make_stream(seed, "plan").random(len(propensity))
    index = (uniform[:, None] > np.cumsum(propensity, axis=1)[:, :-1]).sum(axis=1)
    names = np.array([plan.name for plan in population.plans], dtype=object)
    chosen: NDArray[Any] = names[index]
    return chosen


def _choice_scores(population: Population, columns: Columns, missing: dict[str, Bools]) -> Floats:
    scores = np.zeros((len(columns["age"]), len(population.plans)))
    for term in load_terms("choice_terms"):
        value = compute_term(term, columns[term.column])
        if term.column in missing:
            value = np.where(missing[term.column], 0.0, value)
        scores += value[:, None] * np.array([term.effects.get(plan.name, 0.0) for plan in population.plans])
    return scores


@cache
def _choice_intercepts(name: str) -> tuple[float, ...]:
    """Solve the intercepts so that the plans' shares hold in the reference population."""
    p = load_parameters()["reference"]
    population = load_population(name)
    scores = _choice_scores(population, draw_covariates(population, p["patients"], p["seed"]), {})
    shares = np.array([plan.share for plan in population.plans])
    intercepts = np.log(shares)
    # Iterative proportional scaling: each step multiplies a plan's odds by wanted / obtained share.
    for _ in range(50):
        odds = np.exp(scores + intercepts)
        obtained = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
        intercepts = intercepts + np.log(shares / obtained)
    return tuple(float(b) for b in intercepts)

"""Each plan's response model, with intercepts solved to meet the plan's targets.

For a patient with recorded score ``eta`` (signal times the centred sum of terms) and hidden ``u``:

    z = eta + u,                       u ~ N(0, hidden sd)
    logit P(early) = b_early + slope z                  (a fall of at least half 24 h after the first dose)
    logit P(response) = b_response + z + effect (early - P(early)) + site + setting
    logit P(remission | response) = b_remission + slope z + severity + failed trials

The intercepts are solved so that the averages over a reference population meet each plan's targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from features.simulation.covariates import draw_covariates
from features.simulation.parameters import (
    PlanParameters,
    Population,
    Section,
    load_parameters,
    load_population,
    load_terms,
)
from features.simulation.randomness import Columns, Floats
from features.simulation.terms import compute_score

_BLOCK = 40  # reference patients with almost the same score, taken together


@dataclass(frozen=True, slots=True)
class PlanModel:
    """A plan with its solved constants.

    Attributes
    ----------
    centre : float
        Population mean of the sum of terms.
    early, response, remission : float
        Intercepts on the logit scale.
    """

    plan: PlanParameters
    population: Population
    signal: float
    centre: float = 0.0
    early: float = 0.0
    response: float = 0.0
    remission: float = 0.0

    @property
    def route(self) -> Section:
        """Parameters of the route."""
        route: Section = load_parameters()["routes"][self.plan.route]
        return route

    def raw_score(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Sum of terms; the oral plan borrows the weights of the intranasal route."""
        name = "in" if self.plan.route == "oral" else self.plan.route
        return compute_score(load_terms("terms"), columns, name, self.plan.omits)

    def score(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the centred latent score of the recorded covariates."""
        return self.signal * (self.raw_score(columns) - self.centre)

    def early_probability(self, z: Floats) -> Floats:
        """P(early response | z)."""
        return _expit(self.early + self.route["early_slope"] * z)

    def response_probability(self, z: Floats, early: Floats | float, shift: Floats | float) -> Floats:
        """P(response | z, early response), with site and setting in the shift."""
        gain = self.route["early_effect"] * (early - self.plan.early)
        return _expit(self.response + z + gain + shift)

    def marginal_response(self, z: Floats, shift: Floats | float) -> Floats:
        """P(response | z), averaged over the early response and a new site."""
        p_early = self.early_probability(z)
        total = np.zeros_like(z)
        for node, weight in zip(*make_site_nodes(), strict=True):
            with_early = self.response_probability(z, 1.0, shift + node)
            without = self.response_probability(z, 0.0, shift + node)
            total += weight * (without + p_early * (with_early - without))
        return total

    def remission_offset(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Severity and failed trials on the logit of remission; infinite where halving is remission."""
        p = load_parameters()["remission"]
        baseline = columns[self.population.baseline]
        severity = (baseline - self.population.severity_origin) / 5
        failed = np.maximum(columns["failed_trials"] - p["failed_trials_from"], 0)
        offset: Floats = p["severity_per_5"] * severity + p["failed_trial"] * failed
        return np.where(baseline // 2 <= self.population.remission_at_most, np.inf, offset)

    def remission_given_response(self, z: Floats, offset: Floats) -> Floats:
        """P(remission | response, z)."""
        return _expit(self.remission + load_parameters()["remission"]["score_slope"] * z + offset)

    def shift(self, setting: Section) -> float:
        """Return what population and setting add to the response logit."""
        return float(self.population.shift + setting[self.plan.route])


@cache
def make_plan_model(population_name: str, plan: str, signal: float) -> PlanModel:
    """Solve one plan's intercepts on the reference population, once per population and signal.

    Parameters
    ----------
    population_name : str
        A population; one that is `like` another takes its constants from that one.
    plan : str
        Name of the plan.
    signal : float
        Scale of the sum of terms.
    """
    population = load_population(population_name)
    model = PlanModel(next(p for p in population.plans if p.name == plan), population, signal)
    reference = _draw_reference(population.like)
    model = replace(model, centre=float(model.raw_score(reference).mean()))
    eta, (nodes, weights) = model.score(reference), make_hidden_nodes()
    # Response depends on eta alone, so a few hundred points of its distribution are enough.
    few = np.sort(eta).reshape(-1, _BLOCK).mean(axis=1)[:, None] + nodes

    def early(b: float) -> float:
        return _mean(replace(model, early=b).early_probability(few), weights)

    model = replace(model, early=_solve(early, model.plan.early))

    def response(b: float) -> float:
        return _mean(replace(model, response=b).marginal_response(few, 0.0), weights)

    model = replace(model, response=_solve(response, model.plan.response))
    z, offset = eta[:, None] + nodes, model.remission_offset(reference)[:, None]
    responds = model.marginal_response(z, 0.0)

    def remission(b: float) -> float:
        return _mean(responds * replace(model, remission=b).remission_given_response(z, offset), weights)

    return replace(model, remission=_solve(remission, model.plan.remission))


def make_hidden_nodes() -> tuple[Floats, Floats]:
    """Nodes and weights for the expectation over the hidden score."""
    return _nodes(load_parameters()["quadrature"]["nodes_hidden"], load_parameters()["hidden"]["sd"])


def make_site_nodes() -> tuple[Floats, Floats]:
    """Nodes and weights for the expectation over the effect of a new site."""
    return _nodes(load_parameters()["quadrature"]["nodes_site"], load_parameters()["site"]["response_sd"])


@cache
def _draw_reference(population: str) -> Columns:
    p = load_parameters()["reference"]
    return draw_covariates(load_population(population), p["patients"], p["seed"])


@cache
def _nodes(count: int, sd: float) -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights for N(0, sd)."""
    x, w = np.polynomial.hermite_e.hermegauss(count)
    return sd * x, w / w.sum()


def _mean(values: Floats, weights: Floats) -> float:
    return float((values @ weights).mean())


def _solve(average: Callable[[float], float], target: float) -> float:
    return float(brentq(lambda b: average(b) - target, -12.0, 12.0, xtol=1e-8))


def _expit(x: Floats) -> Floats:
    p: Floats = expit(x)
    return p

"""The simulation's parameters, read from ``parameters.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from features.errors import UserError

Section = Mapping[str, Any]

POPULATIONS = ("trd", "mdd", "single_infusion", "anxiety")
SETTINGS = ("clinic", "trial", "veterans")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a linear score: how a column becomes a number, and its weight in each score."""

    column: str
    kind: str
    effects: Mapping[str, float]
    origin: float = 0.0
    per: float = 1.0
    low: float = float("-inf")
    high: float = float("inf")
    threshold: float = 0.0
    level: str = ""


@dataclass(frozen=True, slots=True)
class PlanParameters:
    """What the simulation knows about one plan; probabilities are population averages."""

    name: str
    title: str
    route: str
    share: float
    response: float
    remission: float
    early: float
    session_days: Sequence[int]
    early_remission: float | None = None
    omits: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Population:
    """Who is simulated, on which scale, and on which plans.

    Attributes
    ----------
    like : str
        Population on which predictors are centred and intercepts solved.
    shift : float
        Added to the response logit of every plan.
    covariates : Mapping
        Distributions that differ from the common ones.
    """

    name: str
    like: str
    shift: float
    scale: str
    remission_at_most: int
    score_high: int
    endpoint_day: int
    follow_up: str
    severity_origin: float
    durability: bool
    plans: tuple[PlanParameters, ...]
    covariates: Mapping[str, Section] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """Name of the baseline score's column."""
        return f"{self.scale}_baseline"

    @property
    def endpoint(self) -> str:
        """Name of the endpoint score's column."""
        return f"{self.scale}_day_{self.endpoint_day}"


@cache
def load_parameters() -> Section:
    """Read ``parameters.toml`` once.

    Examples
    --------
    >>> load_parameters()["signal"]["default"]
    1.5
    """
    text = files("features.simulation").joinpath("parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def load_terms(section: str) -> tuple[Term, ...]:
    """Return the terms of one score: ``terms``, ``relapse_terms`` or ``choice_terms``."""
    provenance = {"mark", "source"}
    entries = load_parameters()[section]
    return tuple(Term(**{k: v for k, v in entry.items() if k not in provenance}) for entry in entries)


@cache
def load_population(name: str) -> Population:
    """Return a population by name.

    Raises
    ------
    UserError
        If there is no such population.
    """
    if name not in POPULATIONS:
        raise UserError(f"population: got {name!r}, allowed are {', '.join(POPULATIONS)}")
    entry = load_parameters()["populations"][name]
    like = entry.get("like", name)
    base = load_parameters()["populations"][like]
    return Population(
        name=name,
        like=like,
        shift=entry["shift"],
        scale=base["scale"],
        remission_at_most=base["remission_at_most"],
        score_high=base["score_high"],
        endpoint_day=base["endpoint_day"],
        follow_up=base["follow_up"],
        severity_origin=base["severity_origin"],
        durability=base["durability"],
        plans=tuple(_make_plan(plan, values) for plan, values in base["plans"].items()),
        covariates=entry.get("covariates", {}),
    )


def _make_plan(name: str, values: Section) -> PlanParameters:
    provenance = {"mark", "source"}
    return PlanParameters(name=name, **{k: v for k, v in values.items() if k not in provenance})


def load_setting(name: str) -> Section:
    """Return a setting: shifts of the response logit by route, and the share not completing induction.

    Raises
    ------
    UserError
        If there is no such setting.
    """
    if name not in SETTINGS:
        raise UserError(f"setting: got {name!r}, allowed are {', '.join(SETTINGS)}")
    setting: Section = load_parameters()["settings"][name]
    return setting

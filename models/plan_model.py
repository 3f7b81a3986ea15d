"""Plans side by side: support for each, and whether choosing by patient is shown to pay."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from models.comparable import ComparableGroups
from models.propensity import Propensity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.inputs import Inputs

__all__ = [
    "FEWEST_COMPARABLE",
    "LOWEST_PROPENSITY",
    "PlanChoice",
    "PlanModel",
    "Support",
    "is_sufficient",
    "state_assumption",
]

FEWEST_COMPARABLE: Final = 10
"""Comparable patients below which no number is given for a plan."""
LOWEST_PROPENSITY: Final = 0.02
"""Propensity below which no number is given for a plan: fewer than one such patient in 50 was put on it."""


@dataclass(frozen=True)
class Support:
    """What the training patients can say about each plan for each patient.

    Parameters
    ----------
    propensity : ndarray of shape (n, n_plans)
        Share of such patients that was put on the plan.
    comparable : ndarray of int, shape (n, n_plans)
        Comparable training patients on the plan.
    sufficient : ndarray of bool, shape (n, n_plans)
        Whether both reach their bounds.
    """

    propensity: NDArray[np.float64]
    comparable: NDArray[np.intp]
    sufficient: NDArray[np.bool_]


def is_sufficient(comparable: NDArray[np.intp], propensity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a plan's support reaches both bounds."""
    sufficient: NDArray[np.bool_] = (comparable >= FEWEST_COMPARABLE) & (propensity >= LOWEST_PROPENSITY)
    return sufficient


@dataclass(frozen=True)
class PlanChoice:
    """What validation says about choosing the plan by patient.

    Parameters
    ----------
    best_single : str
        The plan with the highest expected response if all patients were on one and the same.
    gain, low, high : float
        Response that choosing by patient adds to the best single plan, out of fold, with its 95 %
        interval, in probability.
    patients : int
        Patients that this was estimated from.
    tree : str
        The interpretable policy, one rule a line.
    """

    best_single: str
    gain: float
    low: float
    high: float
    patients: int
    tree: str

    @property
    def shown(self) -> bool:
        """Whether choosing by patient is shown to beat the best plan for all."""
        return self.low > 0

    def sentence(self) -> str:
        """Say it in words."""
        gain, low, high = (f"{100 * value:+.1f}" for value in (self.gain, self.low, self.high))
        verdict = "beats" if self.shown else "is not shown to beat"
        return (
            f"Choosing the plan by patient {verdict} the best plan for all: {gain} responders in 100 "
            f"({low} to {high}), {self.patients} patients."
        )


@dataclass(frozen=True)
class PlanModel:
    """What is served beside the outcomes on every plan.

    Parameters
    ----------
    propensity : Propensity
    groups : ComparableGroups
    choice : PlanChoice
    """

    propensity: Propensity
    groups: ComparableGroups
    choice: PlanChoice

    def support(self, inputs: Inputs) -> Support:
        """Propensity, comparable patients, and whether they suffice, for every plan."""
        propensity = self.propensity.probabilities(inputs)
        comparable = self.groups.count(inputs.rows)
        return Support(propensity, comparable, is_sufficient(comparable, propensity))

    def recommend(self, response: NDArray[np.float64], offered: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Plan with the highest probability of response among those offered.

        Parameters
        ----------
        response : ndarray of shape (n, n_plans)
        offered : ndarray of bool, shape (n, n_plans)
            Supported and not contraindicated.

        Returns
        -------
        ndarray of int, shape (n,)
            Index of the plan; -1 where none is recommended, which is everywhere unless choosing by patient
            is shown to pay. A single plan that is left over is no choice and is not recommended either.
        """
        best = np.where(offered, response, -np.inf).argmax(axis=1)
        chosen: NDArray[np.intp] = np.where((offered.sum(axis=1) > 1) & self.choice.shown, best, -1)
        return chosen

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give plain values and arrays, from which `unpack` makes the same model again."""
        arrays = {f"groups/{f.name}": getattr(self.groups, f.name) for f in fields(self.groups)}
        return {"choice": asdict(self.choice)}, arrays | {"propensity": self.propensity.weights}

    @classmethod
    def unpack(cls, text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make a model of what `pack` gave.

        Raises
        ------
        KeyError, TypeError
            If something is missing or not known.
        """
        groups = ComparableGroups(**{f.name: arrays[f"groups/{f.name}"] for f in fields(ComparableGroups)})
        return cls(Propensity(arrays["propensity"]), groups, PlanChoice(**text["choice"]))


def state_assumption(provenance: str) -> str:
    """Say what differences between plans rest on.

    Parameters
    ----------
    provenance : {"simulated", "observational", "randomised"}

    Returns
    -------
    str
    """
    if provenance == "randomised":
        return "Plans were assigned at random; patients without an endpoint are taken as missing at random."
    return (
        "Differences between plans hold if, given the recorded predictors, nothing else bears on both the "
        "choice of plan and response (no unmeasured confounding); "
        "patients without an endpoint are taken as missing at random."
    )

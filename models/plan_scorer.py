"""All plans side by side, from a loaded care model: for one patient without a table, and for many at once.

A number is shown for a plan only if the plan is offered (the safety screen has nothing against it) and enough
comparable training patients were on it. The difference from the reference plan needs both plans to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.plan_outcomes import PlanOutcomes, compare_outcomes, on_every_plan
from models.scorer import Likelihood, Scorer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from models.care_model import CareModel
    from models.inputs import Inputs
    from models.plan_model import PlanModel, Support
    from models.scorer import Unusual

__all__ = [
    "Compared",
    "Durability",
    "PlanAnswer",
    "PlanScorer",
    "PlansAnswer",
    "compare_plans",
    "remission_share",
]

_DECIMALS = 4
"""Of relapse-free probabilities: far finer than their band, and half as long on the wire."""


@dataclass(frozen=True)
class Compared:
    """Plans side by side for many patients.

    Parameters
    ----------
    shown : ndarray of bool, shape (n, n_plans)
        Offered, and with enough support.
    outcomes : PlanOutcomes
        NaN where not shown; differences also where the reference plan is not.
    support : Support
    recommended : ndarray of int, shape (n,)
        Index of the recommended plan, -1 for none.
    """

    shown: NDArray[np.bool_]
    outcomes: PlanOutcomes
    support: Support
    recommended: NDArray[np.intp]


def compare_plans(model: CareModel, rows: NDArray[np.float64], offered: NDArray[np.bool_]) -> Compared:
    """Compare all plans for encoded patients.

    Parameters
    ----------
    model : CareModel
        With a plan model.
    rows : ndarray of shape (n, m)
        Encoded baseline predictors; the plan in the last column is of no account.
    offered : ndarray of bool, shape (n, n_plans)
        Plans that the safety screen has nothing against.

    Returns
    -------
    Compared

    Raises
    ------
    ValueError
        If the model has no plan model.
    """
    return _compare(model, model.baseline.inputs(on_every_plan(rows, offered.shape[1])), offered)


def _compare(model: CareModel, inputs: Inputs, offered: NDArray[np.bool_]) -> Compared:
    """Compare from inputs on every plan, whose columns all parts of the model share."""
    predicted = compare_outcomes(model.baseline, inputs)
    support = _plan_model(model).support(inputs.take(slice(None, None, offered.shape[1])))
    shown = offered & support.sufficient
    against = shown & shown[:, [model.baseline.encoder.reference_]]
    outcomes = PlanOutcomes(
        np.where(shown, predicted.response, np.nan),
        np.where(shown, predicted.remission, np.nan),
        np.where(against, predicted.difference, np.nan),
    )
    return Compared(shown, outcomes, support, _plan_model(model).recommend(predicted.response[0], shown))


def _plan_model(model: CareModel) -> PlanModel:
    if model.plans is None:
        raise ValueError("the model has no plans to compare")
    return model.plans


@dataclass(frozen=True)
class Durability:
    """Relapse-free curves of one patient on one plan, if the patient responds.

    Parameters
    ----------
    levels : tuple of str
        Maintenances with a curve, the least frequent first.
    curves : ndarray of shape (3, n_levels, n_weeks)
        Probability, lower and upper end of the band at weeks 0, 1, …; NaN in weeks that too few training
        patients were followed to.
    """

    levels: tuple[str, ...]
    curves: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What is said of one plan.

    Parameters
    ----------
    plan : str
    offered : bool
    response, remission, difference : Likelihood or None
        None without a number; the difference is in probability of response, against the reference plan.
    propensity : float or None
        None if the plan is not offered.
    comparable : int or None
    sufficient : bool or None
    durability : Durability or None
    recommended : bool
    """

    plan: str
    offered: bool
    response: Likelihood | None
    remission: Likelihood | None
    difference: Likelihood | None
    propensity: float | None
    comparable: int | None
    sufficient: bool | None
    durability: Durability | None
    recommended: bool


@dataclass(frozen=True, slots=True)
class PlansAnswer:
    """What is said of one patient.

    Parameters
    ----------
    plans : tuple of PlanAnswer
        In the order of the cohort file; none beside a danger sign.
    missing : tuple of str
        Predictors that were not given.
    unusual : tuple of Unusual
    """

    plans: tuple[PlanAnswer, ...]
    missing: tuple[str, ...]
    unusual: tuple[Unusual, ...]


class PlanScorer:
    """A care model that compares plans for one patient at a time.

    Parameters
    ----------
    model : CareModel
        With a plan model.

    Raises
    ------
    ValueError
        If the model has no plan model.
    """

    def __init__(self, model: CareModel) -> None:
        self.model = model
        self.plan_model = _plan_model(model)
        self.levels = model.cohort_file.plan_levels
        self._baseline = Scorer(model.baseline)

    def answer(self, row: Sequence[float], offered: Collection[str]) -> PlansAnswer:
        """Compare all plans.

        Parameters
        ----------
        row : sequence of float, length m
            An encoded patient; the plan is of no account.
        offered : collection of str
            Plans that the safety screen has nothing against; empty beside a danger sign, when nothing is
            predicted at all.

        Returns
        -------
        PlansAnswer
        """
        rows = np.array([row], dtype=np.float64)
        missing, unusual = self._baseline.notice(rows[0])
        if not offered:
            return PlansAnswer(tuple(map(_not_offered, self.levels)), missing, unusual)
        mask = np.array([[plan in offered for plan in self.levels]])
        inputs = self.model.baseline.inputs(on_every_plan(rows, len(self.levels)))
        compared = _compare(self.model, inputs, mask)
        curves = self._durability(inputs, compared)
        plans = _plan_answers(self.levels, mask[0].tolist(), compared, curves)
        return PlansAnswer(plans, missing, unusual)

    def _durability(self, inputs: Inputs, compared: Compared) -> list[Durability | None]:
        """Curves on every plan; None where the plan is not shown or nobody was followed on it."""
        result: list[Durability | None] = [None] * len(self.levels)
        model, shown = self.model.durability, np.flatnonzero(compared.shown[0])
        if model is None or not len(shown):
            return result
        inputs = inputs.take(shown)
        curves = np.round(model.curves(inputs, remission_share(compared.outcomes)[0, shown]), _DECIMALS)
        supported = model.supported(inputs)
        for i, j in enumerate(shown.tolist()):
            if supported[i].any():
                names = tuple(name for name, kept in zip(model.levels, supported[i], strict=True) if kept)
                own = curves[:, i] if supported[i].all() else curves[:, i, supported[i]]
                result[j] = Durability(names, own)
        return result


def _not_offered(plan: str) -> PlanAnswer:
    return PlanAnswer(plan, False, None, None, None, None, None, None, None, False)


def _plan_answers(
    levels: Sequence[str],
    offered: Sequence[bool],
    compared: Compared,
    curves: Sequence[Durability | None],
) -> tuple[PlanAnswer, ...]:
    """Write the comparison of a single patient plan by plan."""
    # Lists at once: picking single numbers from arrays would take as long as a prediction.
    found, support = compared.outcomes, compared.support
    response, remission, difference = (
        part[:, 0].T.tolist() for part in (found.response, found.remission, found.difference)
    )
    propensity, comparable = support.propensity[0].tolist(), support.comparable[0].tolist()
    sufficient, chosen = support.sufficient[0].tolist(), int(compared.recommended[0])
    return tuple(
        PlanAnswer(
            plan=plan,
            offered=offered[j],
            response=_likelihood(response[j]),
            remission=_likelihood(remission[j]),
            difference=_likelihood(difference[j]),
            propensity=propensity[j] if offered[j] else None,
            comparable=comparable[j] if offered[j] else None,
            sufficient=sufficient[j] if offered[j] else None,
            durability=curves[j],
            recommended=chosen == j,
        )
        for j, plan in enumerate(levels)
    )


def remission_share(outcomes: PlanOutcomes) -> NDArray[np.float64]:
    """Probability of remission given response, shape (n, n_plans).

    Remission is response too in all but mildly ill patients, so that it is their ratio, at most 1.
    """
    response, remission = outcomes.response[0], outcomes.remission[0]
    result: NDArray[np.float64] = np.minimum(remission / response, 1.0)
    return result


def _likelihood(values: Sequence[float]) -> Likelihood | None:
    probability, low, high = values
    return None if probability != probability else Likelihood(probability, low, high)  # NaN

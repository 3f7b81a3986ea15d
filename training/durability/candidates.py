"""Ways to model relapse, the simplest first.

Each has a baseline hazard for every maintenance. Proportional effects of maintenance are not among them: the
last dose of the induction protects those without maintenance too, so that its effect cannot be constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xgboost as xgb

from features.preprocessing import EncodePredictors
from models.cox import CoxData, CoxFit, cumulative_hazard, fit_cox
from models.durability import HORIZON, DurabilityModel, predictor_columns
from models.inputs import Inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile

__all__ = [
    "CANDIDATES",
    "FLOOR",
    "WEAK",
    "Responders",
    "Ridge",
    "baseline_hazard",
    "cox_columns",
    "fit_candidate",
    "fit_ridge",
]

FLOOR: Final = "maintenance"
"""A curve for each maintenance from the Nelson-Aalen estimator, which in large samples is Kaplan-Meier's."""
CANDIDATES: Final = ("remission", "ridge_cox", "xgboost")
"""All adjust for remission, or a curve would mistake whom a maintenance is given to for its effect."""

_SCALES = (0.0, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6)
"""Prior standard deviations of a log hazard ratio, among which the marginal likelihood chooses."""
WEAK = 1.0  # prior variance of remission's and maintenance's log hazard ratios: enough to keep them finite
_BOOSTING: dict[str, str | float] = {
    "objective": "survival:cox",
    "eta": 0.05,
    "max_depth": 2,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "min_child_weight": 5.0,
    "reg_lambda": 5.0,
    "tree_method": "hist",
    "verbosity": 0,
}
_ROUNDS = 80


@dataclass(frozen=True)
class Responders:
    """Responders whose follow-up is known.

    Parameters
    ----------
    cohort_file : CohortFile
    rows : ndarray of shape (n, m)
        Encoded as at baseline.
    weeks, relapsed : ndarray of shape (n,)
        See `features.cohort.FollowUp`.
    remission : ndarray of shape (n,)
        1 or 0.
    maintenance : ndarray of int, shape (n,)
        Index into `levels`.
    groups : ndarray of int, shape (n,), or None
    levels : tuple of str
    """

    cohort_file: CohortFile
    rows: NDArray[np.float64]
    weeks: NDArray[np.float64]
    relapsed: NDArray[np.float64]
    remission: NDArray[np.float64]
    maintenance: NDArray[np.intp]
    groups: NDArray[np.intp] | None
    levels: tuple[str, ...]

    def __len__(self) -> int:
        """Number of responders."""
        return len(self.rows)

    def take(self, index: NDArray[np.intp]) -> Responders:
        """Keep some of them."""
        return replace(
            self,
            rows=self.rows[index],
            weeks=self.weeks[index],
            relapsed=self.relapsed[index],
            remission=self.remission[index],
            maintenance=self.maintenance[index],
            groups=None if self.groups is None else self.groups[index],
        )

    def encoded(self) -> Inputs:
        """Encode them by what they themselves teach."""
        return Inputs(EncodePredictors(self.cohort_file).fit(self.rows), self.rows)

    def data(self, columns: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> CoxData:
        """Give them as a Cox regression takes them, stratified by maintenance."""
        counts = np.ones(len(self)) if weights is None else weights
        return CoxData(columns, self.weeks, self.relapsed, self.maintenance, counts)


def fit_candidate(name: str, responders: Responders, inputs: Inputs, seed: int) -> DurabilityModel:
    """Fit one way to model relapse, without its band.

    Parameters
    ----------
    name : str
        `FLOOR` or one of `CANDIDATES`.
    responders : Responders
    inputs : Inputs
        Of these responders, whoever the encoder was fitted on.
    seed : int

    Returns
    -------
    DurabilityModel
        With zeros for the covariances, and curves up to `HORIZON` whoever is still observed.
    """
    columns = cox_columns(name, responders, inputs)
    weights, trees = np.zeros(columns.shape[1]), None
    if name == "ridge_cox":
        weights = fit_ridge(responders, inputs).fit.beta
    elif name != FLOOR:
        weights[0] = fit_cox(responders.data(columns[:, :1]), np.array([1 / WEAK])).beta[0]
    if name == "xgboost":
        trees = _boost(responders, inputs, seed)
    weeks, plans = np.arange(HORIZON + 1), max(1, inputs.encoder.n_plans_)
    levels, size = len(responders.levels), len(weights)
    together = np.zeros((plans, levels), dtype=np.intp)
    np.add.at(together, (inputs.plans, responders.maintenance), 1)
    model = DurabilityModel(
        candidate=name,
        levels=responders.levels,
        weeks=weeks,
        hazard=np.zeros((levels, len(weeks))),
        weights=weights,
        trees=trees,
        together=together,
        hazard_variance=np.zeros((levels, len(weeks))),
        hazard_covariance=np.zeros((levels, len(weeks), size)),
        weights_covariance=np.zeros((size, size)),
    )
    eta = model.log_hazard(inputs) + weights[0] * responders.remission
    return replace(model, hazard=baseline_hazard(responders.data(columns), eta, levels, weeks))


def cox_columns(name: str, responders: Responders, inputs: Inputs) -> NDArray[np.float64]:
    """Give the columns of a candidate's Cox regression: remission, then predictors if it uses them.

    Parameters
    ----------
    name : str
    responders : Responders
    inputs : Inputs

    Returns
    -------
    ndarray of shape (n, 1) or (n, 1 + n_base + n_plans)
    """
    remission = responders.remission[:, None]
    return remission if name in (FLOOR, "remission") else np.hstack([remission, predictor_columns(inputs)])


def baseline_hazard(
    data: CoxData, eta: NDArray[np.float64], levels: int, weeks: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Estimate the cumulative baseline hazard of each maintenance.

    Parameters
    ----------
    data : CoxData
    eta : ndarray of shape (n,)
        Log hazard of each patient against the baseline.
    levels : int
    weeks : ndarray of int, shape (n_weeks,)

    Returns
    -------
    ndarray of shape (levels, n_weeks)
        A maintenance without any relapse, as there may be in a fold, takes the hazard of all.
    """
    at = weeks.astype(np.float64)
    hazard = cumulative_hazard(data, eta, levels, at)
    silent = np.bincount(data.strata, data.event, levels) == 0
    if silent.any():
        hazard[silent] = cumulative_hazard(replace(data, strata=np.zeros_like(data.strata)), eta, 1, at)
    hazard[:, 0] = 0.0  # a response that is lost in the very hour counts for the first week
    return hazard


class Ridge(NamedTuple):
    """A ridge Cox regression with the penalty that the marginal likelihood chose."""

    fit: CoxFit
    penalty: NDArray[np.float64]


def fit_ridge(responders: Responders, inputs: Inputs) -> Ridge:
    """Fit remission and predictors, stratified by maintenance; one prior scale for all predictors.

    Parameters
    ----------
    responders : Responders
    inputs : Inputs

    Returns
    -------
    Ridge
        Of the prior scales tried, that with the largest Laplace approximation of the marginal likelihood
        (MacKay, Neural Comput 1992;4:415-447).
    """
    columns = cox_columns("ridge_cox", responders, inputs)
    data, size = responders.data(columns), columns.shape[1] - 1
    best: Ridge | None = None
    most, start = -float("inf"), np.zeros(size + 1)
    for scale in _SCALES:
        penalty = np.concatenate([[1 / WEAK], np.full(size, 1 / max(scale, 1e-4) ** 2)])
        fit = fit_cox(data, penalty, start)
        curvature = np.linalg.slogdet(fit.information + np.diag(penalty))[1]
        prior = np.log(penalty).sum() - fit.beta @ (penalty * fit.beta)
        evidence = float(fit.log_likelihood + (prior - curvature) / 2)
        if evidence > most:
            best, most = Ridge(fit, penalty), evidence
        start = fit.beta
    if best is None:
        raise FloatingPointError("the marginal likelihood of the Cox regression is not a number")
    return best


def _boost(responders: Responders, inputs: Inputs, seed: int) -> xgb.Booster:
    """Grow trees on baseline predictors, with remission and maintenance as an offset."""
    on_level = responders.maintenance[:, None] == np.arange(len(responders.levels))
    columns = np.hstack([responders.remission[:, None], on_level])
    data = replace(responders.data(columns), strata=np.zeros_like(responders.maintenance))
    offset = columns @ fit_cox(data, np.full(columns.shape[1], 1 / WEAK)).beta
    time = np.maximum(responders.weeks, 1e-3)  # the sign says who relapsed, and zero has none
    label = np.where(responders.relapsed == 1, time, -time)
    matrix = xgb.DMatrix(inputs.trees, label, base_margin=offset)
    return xgb.train(_BOOSTING | {"seed": seed}, matrix, num_boost_round=_ROUNDS)

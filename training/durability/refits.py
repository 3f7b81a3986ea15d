"""Refits with other weights of the patients, and the band that comes from their spread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from models.cox import fit_cox
from models.durability import BAND_LEVEL, DurabilityModel
from training.durability.candidates import FLOOR, WEAK, baseline_hazard, cox_columns, fit_ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import Inputs
    from training.durability.candidates import Responders

__all__ = ["REFITS", "STILL_OBSERVED", "RefitWeights", "Refits", "draw_refit_weights", "refit", "with_band"]

REFITS: Final = 100
_FEWEST_GROUPS = 5  # fewer say too little of how groups differ
STILL_OBSERVED = 0.1
"""Share of a maintenance's patients who must still be observed: below 10 to 20 % a curve is mostly noise
(Pocock, Clayton and Altman, Lancet 2002;359:1686-1689)."""


@dataclass(frozen=True)
class Refits:
    """What the same model would have been with other patients.

    Parameters
    ----------
    weights : ndarray of shape (refits, n_weights)
    hazard : ndarray of shape (refits, n_levels, n_weeks)
    unit : {"groups", "patients"}
        What was weighed as a whole.
    inflation : float
        Factor by which variances between refits fall short, with that few units.
    """

    weights: NDArray[np.float64]
    hazard: NDArray[np.float64]
    unit: str
    inflation: float


def refit(model: DurabilityModel, responders: Responders, inputs: Inputs, seed: int) -> Refits:
    """Refit the linear part and the baseline hazards with random weights of whole groups.

    Parameters
    ----------
    model : DurabilityModel
        From `fit_candidate` on these responders.
    responders : Responders
    inputs : Inputs
    seed : int

    Returns
    -------
    Refits

    Notes
    -----
    Weights are exponential, the Bayesian bootstrap (Rubin, Ann Stat 1981;9:130-134): unlike counts they
    never empty a maintenance that few groups use. Trees stay as they are; what their refits would do is
    taken from the ridge regression's.
    """
    draws = draw_refit_weights(responders, seed)
    columns = cox_columns(model.candidate, responders, inputs)
    if len(model.weights) > 1:
        centre, penalty = fit_ridge(responders, inputs)
        start = centre.beta
    else:
        start, penalty = model.weights, np.array([1 / WEAK])
    eta = model.log_hazard(inputs) + model.weights[0] * responders.remission
    betas, hazards = [], []
    for own in draws.weights:
        data = responders.data(columns, own)
        shift = np.zeros_like(start)
        if model.candidate != FLOOR:
            shift = fit_cox(data, penalty, start).beta - start
        betas.append(model.weights + shift)
        hazards.append(baseline_hazard(data, eta + columns @ shift, len(model.levels), model.weeks))
    return Refits(np.array(betas), np.array(hazards), draws.unit, draws.inflation)


class RefitWeights(NamedTuple):
    """Weights of the responders in each refit, with mean 1; the rest as in `Refits`."""

    weights: NDArray[np.float64]
    unit: str
    inflation: float


def draw_refit_weights(responders: Responders, seed: int) -> RefitWeights:
    """Draw one exponential weight for each group, or each patient, and refit.

    Parameters
    ----------
    responders : Responders
    seed : int

    Returns
    -------
    RefitWeights
        The inflation makes good that the Bayesian bootstrap of k units has (k - 1) / (k + 1) of the
        variance of a mean, and puts Student's t with k - 1 degrees of freedom for the normal
        distribution (Cameron, Gelbach and Miller, Rev Econ Stat 2008;90:414-427, on few clusters).
    """
    groups = responders.groups
    if groups is None or len(np.unique(groups)) < _FEWEST_GROUPS:
        index, unit = np.arange(len(responders)), "patients"
    else:
        index, unit = np.unique(groups, return_inverse=True)[1], "groups"
    units, tail = int(index.max()) + 1, (1 + BAND_LEVEL) / 2
    drawn = np.random.default_rng(seed).exponential(size=(REFITS, units))[:, index]
    inflation = (units + 1) / (units - 1) * float(stdtrit(units - 1, tail) / ndtri(tail)) ** 2
    return RefitWeights(drawn / drawn.mean(axis=1, keepdims=True), unit, inflation)


def with_band(model: DurabilityModel, refits: Refits, responders: Responders) -> DurabilityModel:
    """Give a model its covariances, and end each curve where too few were still observed.

    Parameters
    ----------
    model : DurabilityModel
    refits : Refits
    responders : Responders

    Returns
    -------
    DurabilityModel
    """
    log_hazard = np.log(np.where(refits.hazard > 0, refits.hazard, 1.0))  # no relapse yet: no spread to see
    log_hazard -= log_hazard.mean(axis=0)
    weights = refits.weights - refits.weights.mean(axis=0)
    freedom = (len(weights) - 1) / refits.inflation
    observed = responders.weeks[:, None] >= model.weeks
    seen = np.array([observed[responders.maintenance == k].mean(axis=0) for k in range(len(model.levels))])
    last = int(np.flatnonzero((seen >= STILL_OBSERVED).any(axis=0))[-1]) + 1
    return replace(
        model,
        weeks=model.weeks[:last],
        hazard=np.where(seen >= STILL_OBSERVED, model.hazard, np.nan)[:, :last],
        hazard_variance=((log_hazard**2).sum(axis=0) / freedom)[:, :last],
        hazard_covariance=(np.einsum("blw,bk->lwk", log_hazard, weights) / freedom)[:, :last],
        weights_covariance=weights.T @ weights / freedom,
    )

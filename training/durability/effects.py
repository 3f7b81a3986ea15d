"""What maintenance does on average: curves standardised to the same patients, and hazard ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from models.cox import fit_cox
from models.durability import make_band, predictor_columns
from models.inputs import Inputs
from training.bootstrap import Estimate
from training.durability.candidates import FLOOR, fit_ridge
from training.durability.refits import draw_refit_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.durability import DurabilityModel
    from training.durability.candidates import Responders
    from training.durability.refits import Refits

__all__ = ["Effects", "cox_ratios", "estimate_effects"]

_MOST = 2_000  # patients that averages are taken over
_NORMAL: Final = float(ndtri(0.975))


@dataclass(frozen=True)
class Effects:
    """Average curves and hazard ratios of maintenance.

    Parameters
    ----------
    curves : ndarray of shape (3, n_levels, n_weeks)
        Probability of no relapse if all these patients were on one maintenance; low and high of a band of
        level `models.durability.BAND_LEVEL`.
    reference : str
        The maintenance that ratios compare with.
    rate_ratios : mapping of str to Estimate
        By maintenance: relapses per person-week up to `horizon` if all were on it, over those on the
        reference. The average of a hazard ratio that changes over time.
    cox_ratios : mapping of str to Estimate
        By maintenance: hazard ratio of a proportional Cox regression adjusted for the same.
    horizon : int
        Weeks; the last that every curve reaches.
    patients : int
        Over whom averages are taken: responders whose plan was followed by every maintenance.
    """

    curves: NDArray[np.float64]
    reference: str
    rate_ratios: Mapping[str, Estimate]
    cox_ratios: Mapping[str, Estimate]
    horizon: int
    patients: int


def estimate_effects(
    model: DurabilityModel, refits: Refits, responders: Responders, inputs: Inputs, seed: int
) -> Effects | None:
    """Standardise over remission and predictors (g-formula), with the spread of the refits.

    Parameters
    ----------
    model : DurabilityModel
        With its band.
    refits : Refits
        Of that model.
    responders : Responders
        Those it was fitted on.
    inputs : Inputs
    seed : int

    Returns
    -------
    Effects or None
        None if no plan was followed by every maintenance: nobody is comparable on all of them.

    Notes
    -----
    The assumption: given remission, plan and baseline predictors, who got which maintenance has nothing to
    do with who would relapse (Hernán and Robins, Causal Inference: What If, chapter 13).
    """
    comparable = np.flatnonzero(model.supported(inputs).all(axis=1))
    if not len(comparable):
        return None
    if len(comparable) > _MOST:
        comparable = np.sort(np.random.default_rng(seed).choice(comparable, _MOST, replace=False))
    some = Inputs(inputs.encoder, inputs.rows[comparable])
    remission = responders.remission[comparable]
    centre = _average(model, some, remission)
    drawn = np.array([_average(m, some, remission) for m in _models(model, refits)])
    reached = int(np.flatnonzero(~np.isnan(centre).any(axis=0))[-1])
    value = _log_rates(centre[:, : reached + 1])
    rates = np.array([_log_rates(each[:, : reached + 1]) for each in drawn])
    others = range(1, len(model.levels))
    return Effects(
        curves=_band(centre, drawn, refits.inflation),
        reference=model.levels[0],
        rate_ratios={
            model.levels[k]: _ratio(value[k] - value[0], rates[:, k] - rates[:, 0], refits.inflation)
            for k in others
        },
        cox_ratios=cox_ratios(responders, inputs, seed, adjusted=model.candidate != FLOOR),
        horizon=int(model.weeks[reached]),
        patients=len(comparable),
    )


def cox_ratios(
    responders: Responders, inputs: Inputs, seed: int, *, adjusted: bool = True
) -> dict[str, Estimate]:
    """Hazard ratios of each maintenance over the first, as one proportional effect.

    Parameters
    ----------
    responders : Responders
    inputs : Inputs
    seed : int
    adjusted : bool
        For remission and, by ridge, for plan and baseline predictors.

    Returns
    -------
    dict of str to Estimate
    """
    on_level = (responders.maintenance[:, None] == np.arange(1, len(responders.levels))).astype(np.float64)
    columns, penalty = on_level, np.zeros(on_level.shape[1])
    if adjusted:
        columns = np.hstack([columns, responders.remission[:, None], predictor_columns(inputs)])
        penalty = np.concatenate([penalty, fit_ridge(responders, inputs).penalty])
    draws = draw_refit_weights(responders, seed)
    pooled = replace(responders.data(columns), strata=np.zeros_like(responders.maintenance))
    centre = fit_cox(pooled, penalty).beta
    drawn = np.array([fit_cox(replace(pooled, weights=own), penalty, centre).beta for own in draws.weights])
    return {
        level: _ratio(centre[k], drawn[:, k], draws.inflation)
        for k, level in enumerate(responders.levels[1:])
    }


def _models(model: DurabilityModel, refits: Refits) -> list[DurabilityModel]:
    ended = np.isnan(model.hazard)
    hazards = np.where(ended, np.nan, refits.hazard[:, :, : len(model.weeks)])
    return [
        replace(model, weights=weights, hazard=hazard)
        for weights, hazard in zip(refits.weights, hazards, strict=True)
    ]


def _average(model: DurabilityModel, inputs: Inputs, remission: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean curve of these patients under each maintenance, shape (n_levels, n_weeks)."""
    mean: NDArray[np.float64] = model.probability(inputs, remission).mean(axis=0)
    return mean


def _log_rates(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of relapses per person-week: those who relapse over the weeks spent without relapse."""
    rates: NDArray[np.float64] = np.log((1 - curves[:, -1]) / np.trapezoid(curves, axis=1))
    return rates


def _band(centre: NDArray[np.float64], drawn: NDArray[np.float64], inflation: float) -> NDArray[np.float64]:
    """Curves with a band from the spread of the refits."""
    falling = (centre < 1)[None] & ~np.isnan(drawn)
    scale = np.log(-np.log(np.clip(np.where(falling, drawn, 0.5), 1e-300, 1 - 1e-15)))
    return make_band(centre, np.sqrt(inflation) * scale.std(axis=0, ddof=1))


def _ratio(log_ratio: float, drawn: NDArray[np.float64], inflation: float) -> Estimate:
    half = _NORMAL * float(np.sqrt(inflation) * drawn.std(ddof=1))
    low, value, high = np.exp([log_ratio - half, log_ratio, log_ratio + half])
    return Estimate(float(value), float(low), float(high))

"""How well relapse is foretold, with censoring allowed for: Uno's C, Brier score over time, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sksurv.metrics import concordance_index_ipcw
from sksurv.nonparametric import CensoringDistributionEstimator, kaplan_meier_estimator
from sksurv.util import Surv

from features.errors import TrainingDataError
from training.bootstrap import Estimate, draw_weights
from training.durability.refits import STILL_OBSERVED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.durability.candidates import Responders

__all__ = [
    "CALIBRATION_WEEKS",
    "brier_contributions",
    "estimate_durability",
    "integrate",
    "kaplan_meier",
    "scored_weeks",
]

CALIBRATION_WEEKS: Final = (4, 8, 26)
_RISK_WEEK = 26  # where Uno's C ranks patients: curves may cross
_SAMPLES = 100  # ranking all pairs of patients is what takes the time


def scored_weeks(responders: Responders) -> NDArray[np.intp]:
    """Weeks 1, 2, … that enough responders were followed beyond to score a prediction.

    Parameters
    ----------
    responders : Responders

    Returns
    -------
    ndarray of int, shape (n_weeks,)

    Raises
    ------
    TrainingDataError
        If there are not two such weeks.
    """
    weeks = np.arange(1, int(np.ceil(responders.weeks.max())))
    enough: NDArray[np.bool_] = (responders.weeks[:, None] > weeks).mean(axis=0) >= STILL_OBSERVED
    if enough.sum() < 2:
        raise TrainingDataError("cannot be scored: too few responders were followed for 2 weeks")
    return weeks[enough].astype(np.intp)


def brier_contributions(
    well: NDArray[np.float64], responders: Responders, at: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Squared errors of each patient, weighted by the inverse probability of still being observed.

    Parameters
    ----------
    well : ndarray of shape (n, n_weeks)
        Predicted probability of no relapse by each week.
    responders : Responders
        Censoring is taken to be independent of prognosis.
    at : ndarray of int, shape (n_weeks,)

    Returns
    -------
    ndarray of shape (n, n_weeks)
        The mean over patients is the Brier score at a week (Graf et al., Stat Med 1999;18:2529-2545), as
        scikit-survival's `brier_score` gives it; single contributions are needed for standard errors.
    """
    censoring = CensoringDistributionEstimator().fit(_outcome(responders))
    observed_at = censoring.predict_proba(at.astype(np.float64))
    observed_then = censoring.predict_proba(responders.weeks)
    time = responders.weeks[:, None]
    lost = (time <= at) & (responders.relapsed == 1)[:, None]
    inverse = np.divide(1.0, observed_then, out=np.zeros(len(time)), where=observed_then > 0)[:, None]
    result: NDArray[np.float64] = lost * well**2 * inverse + (time > at) * (1 - well) ** 2 / observed_at
    return result


def integrate(contributions: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each patient's part of the integrated Brier score: the mean over the weeks by the trapezoid rule.

    Parameters
    ----------
    contributions : ndarray of shape (n, n_weeks)
    at : ndarray of int, shape (n_weeks,)

    Returns
    -------
    ndarray of shape (n,)
    """
    result: NDArray[np.float64] = np.trapezoid(contributions, at, axis=1) / (at[-1] - at[0])
    return result


def kaplan_meier(responders: Responders, at: NDArray[np.intp] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Kaplan-Meier's estimate at some weeks.

    Parameters
    ----------
    responders : Responders
    at : ndarray of shape (n_weeks,)

    Returns
    -------
    ndarray of shape (n_weeks,)
    """
    times, well = kaplan_meier_estimator(responders.relapsed == 1, responders.weeks)
    result: NDArray[np.float64] = np.append(1.0, well)[np.searchsorted(times, at, side="right")]
    return result


def estimate_durability(
    well: NDArray[np.float64],
    floor: NDArray[np.float64],
    responders: Responders,
    at: NDArray[np.intp],
    seed: int,
) -> dict[str, Estimate]:
    """Figures of out-of-fold curves with intervals from a bootstrap of whole groups.

    Parameters
    ----------
    well, floor : ndarray of shape (n, n_weeks)
        Curves of the model, and of maintenance alone.
    responders : Responders
    at : ndarray of int, shape (n_weeks,)
        From `scored_weeks`.
    seed : int

    Returns
    -------
    dict of str to Estimate
        `uno_c`; `integrated_brier`; `integrated_brier_skill` over the floor; `relapse_free_W`,
        `predicted_W` and `calibration_W` (predicted minus Kaplan-Meier's) at each week W of
        `CALIBRATION_WEEKS` that is scored.

    References
    ----------
    Uno et al., Stat Med 2011;30:1105-1117.
    """
    loss, reference = (integrate(brier_contributions(w, responders, at), at) for w in (well, floor))
    outcome = _outcome(responders)
    risk = 1 - well[:, np.searchsorted(at, min(_RISK_WEEK, at[-1]))]
    weeks = np.array([week for week in CALIBRATION_WEEKS if week in at], dtype=np.intp)
    predicted = well[:, np.isin(at, weeks)]

    def measure(rows: NDArray[np.intp]) -> dict[str, float]:
        values = {
            "uno_c": concordance_index_ipcw(outcome, outcome[rows], risk[rows], tau=at[-1])[0],
            "integrated_brier": loss[rows].mean(),
            "integrated_brier_skill": 1 - loss[rows].mean() / reference[rows].mean(),
        }
        seen, said = kaplan_meier(responders.take(rows), weeks), predicted[rows].mean(axis=0)
        for week, observed, probability in zip(weeks, seen, said, strict=True):
            values[f"relapse_free_{week}"] = observed
            values[f"predicted_{week}"] = probability
            values[f"calibration_{week}"] = probability - observed
        return {name: float(value) for name, value in values.items()}

    # Patients as often as they were drawn: scikit-survival's estimators take no weights.
    everyone = np.arange(len(responders))
    counts = draw_weights(len(responders), responders.groups, seed, _SAMPLES).astype(np.intp)
    draws = [np.repeat(everyone, count) for count in counts if responders.relapsed[count > 0].any()]
    sampled = [measure(rows) for rows in draws]
    return {
        name: Estimate(value, *np.quantile([drawn[name] for drawn in sampled], (0.025, 0.975)).tolist())
        for name, value in measure(everyone).items()
    }


def _outcome(responders: Responders) -> NDArray[Any]:
    """Give relapse and time as scikit-survival takes them."""
    result: NDArray[Any] = Surv.from_arrays(responders.relapsed == 1, responders.weeks)
    return result

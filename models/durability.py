"""How long a response lasts under each maintenance: relapse-free curves with a band.

    P(no relapse by week w | x, remission, maintenance l) = exp(-H_l(w) exp(a * remission + x beta + f(x)))

H_l is the cumulative baseline hazard of maintenance l, one for each level: a dose at the end of the induction
protects everybody for a while, so that effects of maintenance start small and are not proportional. f is the
margin of boosted trees, or nothing.

Clinicians choose maintenance with an eye on remission, which is known when maintenance starts but not when
treatment does. So remission is in the model, and a prediction made before mixes the two curves with the
patient's probability of remission among responders. Curves of one patient under several maintenances are
comparable as far as remission, plan and baseline predictors are all that both choice and relapse depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xgboost as xgb
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import Inputs

__all__ = ["BAND_LEVEL", "FEWEST_TOGETHER", "HORIZON", "DurabilityModel", "make_band", "predictor_columns"]

HORIZON: Final = 52
"""Last week of a curve."""
BAND_LEVEL: Final = 0.9
FEWEST_TOGETHER: Final = 5
"""Responders needed on a plan and a maintenance together before that pair gets a curve. With none at all a
curve would be an extrapolation (positivity: Petersen et al., Stat Methods Med Res 2012;21:31-54); that five
are enough is a choice of this project, as plans share everything but their level."""
_QUANTILE: Final = float(ndtri((1 + BAND_LEVEL) / 2))
_LARGEST = 30.0  # logarithm of a hazard ratio beyond which a curve is 0 or 1 anyway, and exp() would overflow


def predictor_columns(inputs: Inputs) -> NDArray[np.float64]:
    """Baseline predictors as the Cox regression takes them.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    ndarray of shape (n, n_base + n_plans)
        Scaled base columns, then one column for each plan.
    """
    on_plan = inputs.plans[:, None] == np.arange(inputs.encoder.n_plans_)
    return np.concatenate([inputs.base, on_plan], axis=1)


class _Mixture(NamedTuple):
    """Curves mixed over remission, and minus their slopes: in the log hazard, in the log HR of remission."""

    columns: NDArray[np.float64]
    probability: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_remission: NDArray[np.float64]


@dataclass(frozen=True)
class DurabilityModel:
    """Relapse-free curves of responders by maintenance.

    Parameters
    ----------
    candidate : str
        What was chosen (see `training.durability.candidates`).
    levels : tuple of str
        Maintenance levels with a curve, the least frequent first.
    weeks : ndarray of int, shape (n_weeks,)
        0, 1, 2, … weeks after response.
    hazard : ndarray of shape (n_levels, n_weeks)
        Cumulative baseline hazard; NaN from where too few were still observed.
    weights : ndarray of shape (1,) or (1 + n_base + n_plans,)
        Log hazard ratio of remission, then those of `predictor_columns`.
    trees : xgboost.Booster or None
        Its margin adds to the log hazard.
    together : ndarray of int, shape (n_plans or 1, n_levels)
        Training patients on each plan and maintenance.
    hazard_variance : ndarray of shape (n_levels, n_weeks)
        Variance of the logarithm of `hazard` between refits.
    hazard_covariance : ndarray of shape (n_levels, n_weeks, n_weights)
        Its covariance with `weights`.
    weights_covariance : ndarray of shape (n_weights, n_weights)
        Between refits. Refits are of the linear model, also where trees were chosen.
    """

    candidate: str
    levels: tuple[str, ...]
    weeks: NDArray[np.intp]
    hazard: NDArray[np.float64]
    weights: NDArray[np.float64]
    trees: xgb.Booster | None
    together: NDArray[np.intp]
    hazard_variance: NDArray[np.float64]
    hazard_covariance: NDArray[np.float64]
    weights_covariance: NDArray[np.float64]

    def supported(self, inputs: Inputs) -> NDArray[np.bool_]:
        """Which maintenances each patient's plan was followed by often enough.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        ndarray of bool, shape (n, n_levels)
        """
        return self.together[inputs.plans] >= FEWEST_TOGETHER

    def curves(self, inputs: Inputs, remission_share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of no relapse by each week, if the patient responds, under each maintenance.

        Parameters
        ----------
        inputs : Inputs
            Of the model at baseline.
        remission_share : ndarray of shape (n,)
            Probability of remission given response, 0 to 1; 0 or 1 itself once it is known.

        Returns
        -------
        ndarray of shape (3, n, n_levels, n_weeks)
            Probability, low and high of the band of level `BAND_LEVEL`. NaN where a maintenance is not
            `supported`, and in weeks that too few were followed to.

        Notes
        -----
        The band is normal on the scale log(-log probability), by the delta method from the covariance of
        the refits; it is that of the estimated curve and says nothing of what missing inputs leave open.
        """
        mixture = self._mix(inputs, remission_share)
        probability = mixture.probability
        spread = np.sqrt(self._variance(mixture))
        # Slope of the probability in log(-log probability).
        slope = -probability * np.log(np.maximum(probability, np.finfo(np.float64).tiny))
        result = make_band(probability, _divide(spread, slope))
        result[:, ~self.supported(inputs)] = np.nan
        return result

    def probability(self, inputs: Inputs, remission_share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the curves alone: without a band, and also where a maintenance is not `supported`.

        Parameters
        ----------
        inputs : Inputs
        remission_share : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n, n_levels, n_weeks)
        """
        return self._mix(inputs, remission_share).probability

    def log_hazard(self, inputs: Inputs) -> NDArray[np.float64]:
        """Log hazard against the baseline, without that of remission, shape (n,)."""
        return self._log_hazard(inputs, self._columns(inputs))

    def _columns(self, inputs: Inputs) -> NDArray[np.float64]:
        return predictor_columns(inputs) if len(self.weights) > 1 else np.empty((len(inputs), 0))

    def _log_hazard(self, inputs: Inputs, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = columns @ self.weights[1:]
        if self.trees is not None:
            result = result + self.trees.inplace_predict(inputs.trees, predict_type="margin").astype(
                np.float64
            )
        return np.clip(result, -_LARGEST, _LARGEST)

    def _mix(self, inputs: Inputs, remission_share: NDArray[np.float64]) -> _Mixture:
        columns = self._columns(inputs)
        share = remission_share[:, None, None]
        without = self.hazard * np.exp(self._log_hazard(inputs, columns))[:, None, None]
        with_it = without * np.exp(self.weights[0])
        well_without, well_with = (1 - share) * np.exp(-without), share * np.exp(-with_it)
        by_remission = well_with * with_it
        return _Mixture(
            columns, well_without + well_with, well_without * without + by_remission, by_remission
        )

    def _variance(self, mixture: _Mixture) -> NDArray[np.float64]:
        """Variance of the probabilities, shape (n, n_levels, n_weeks)."""
        x, together = mixture.columns, self.hazard_covariance
        levels, weeks, size = together.shape
        own = np.einsum("ij,ij->i", x @ self.weights_covariance[1:, 1:], x)
        across = (x @ together[:, :, 1:].reshape(levels * weeks, size - 1).T).reshape(-1, levels, weeks)
        log_hazard = self.hazard_variance + 2 * across + own[:, None, None]
        between = together[:, :, 0] + (x @ self.weights_covariance[1:, 0])[:, None, None]
        slope, by_remission = mixture.slope, mixture.slope_remission
        variance = slope**2 * log_hazard + 2 * slope * by_remission * between
        variance += by_remission**2 * self.weights_covariance[0, 0]
        positive: NDArray[np.float64] = np.maximum(variance, 0.0)  # rounding
        return positive

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give the model as plain JSON values and plain arrays; no patient's row is among them.

        Returns
        -------
        text : dict
        arrays : dict of str to ndarray
        """
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _ARRAYS}
        if self.trees is not None:
            arrays["trees"] = np.frombuffer(self.trees.save_raw("ubj"), dtype=np.uint8)
        return {"candidate": self.candidate, "levels": list(self.levels)}, arrays

    @classmethod
    def unpack(cls, text: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> DurabilityModel:
        """Undo `pack`.

        Parameters
        ----------
        text : dict
        arrays : dict of str to ndarray

        Returns
        -------
        DurabilityModel

        Raises
        ------
        KeyError
            If a part is missing.
        """
        trees = None
        if "trees" in arrays:
            trees = xgb.Booster()
            trees.load_model(bytearray(arrays["trees"].tobytes()))
        parts = {name: arrays[name] for name in _ARRAYS}
        return cls(candidate=text["candidate"], levels=tuple(text["levels"]), trees=trees, **parts)


_ARRAYS: Final = (
    "weeks",
    "hazard",
    "weights",
    "together",
    "hazard_variance",
    "hazard_covariance",
    "weights_covariance",
)


def make_band(curves: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put a band of level `BAND_LEVEL` around curves.

    Parameters
    ----------
    curves : ndarray of shape (..., n_weeks)
        Probabilities that never rise.
    spread : ndarray of shape (..., n_weeks)
        Standard error of log(-log probability).

    Returns
    -------
    ndarray of shape (3, ..., n_weeks)
        Curves, low, high. Neither end rises: what bounds a curve from below in a later week does so
        before, and what bounds it from above does so ever after.
    """
    factor = np.exp(np.minimum(_QUANTILE * spread, _LARGEST))
    low = np.fmax.accumulate((curves**factor)[..., ::-1], axis=-1)[..., ::-1]
    high = np.minimum.accumulate(curves ** (1 / factor), axis=-1)
    return np.stack([curves, low, high])


def _divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide, with 0 where a curve is still at 1 and knows no spread."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)

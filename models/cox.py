"""Ridge Cox regression with a baseline hazard of its own for each stratum, in numpy.

    hazard_s(t | x) = hazard_s(t) exp(x beta)

The weights beta maximise the weighted partial likelihood, with ties after Breslow, minus
beta' diag(penalty) beta / 2.
scikit-survival's Cox regression knows neither strata nor case weights, which refits of a bootstrap need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CoxData", "CoxFit", "cumulative_hazard", "fit_cox"]

_ROUNDS, _HALVINGS, _ENOUGH = 50, 30, 1e-10


@dataclass(frozen=True)
class CoxData:
    """Patients to fit a Cox regression on.

    Parameters
    ----------
    columns : ndarray of shape (n, p)
    time : ndarray of shape (n,)
        To event or last contact; patients are at risk up to and including it.
    event : ndarray of shape (n,)
        1 event, 0 censored.
    strata : ndarray of int, shape (n,)
        Index of each patient's stratum.
    weights : ndarray of shape (n,)
        How often each patient counts, above 0.
    """

    columns: NDArray[np.float64]
    time: NDArray[np.float64]
    event: NDArray[np.float64]
    strata: NDArray[np.intp]
    weights: NDArray[np.float64]

    def by_stratum(self) -> list[_Stratum]:
        """Patients of each stratum in the order of their times."""
        return [
            _Stratum(self, rows[np.argsort(self.time[rows], kind="stable")])
            for rows in (np.flatnonzero(self.strata == s) for s in np.unique(self.strata))
        ]


class _Stratum:
    """One stratum, sorted, with what does not change while beta does."""

    def __init__(self, data: CoxData, rows: NDArray[np.intp]) -> None:
        self.rows = rows
        self.columns = data.columns[rows]
        self.weights = data.weights[rows]
        events = self.weights * data.event[rows]
        times, self.first, place = np.unique(data.time[rows], return_index=True, return_inverse=True)
        self.at_time = np.bincount(place, events, len(times))  # weighted events at each distinct time
        self.place = place
        self.event_sum = events @ self.columns
        self.events = events

    def evaluate(self, eta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Log partial likelihood, its gradient, and the information matrix."""
        shift = float(eta.max())  # exp never overflows
        risk = self.weights * np.exp(eta - shift)
        at_risk = _sum_from(risk, self.first)
        means = _sum_from(risk[:, None] * self.columns, self.first) / at_risk[:, None]
        value = float(self.events @ eta - self.at_time @ (np.log(at_risk) + shift))
        # The sum over events of the covariance among those at risk: each patient's own products count
        # with the hazard that he or she has been through, minus the products of the means.
        passed = risk * np.cumsum(self.at_time / at_risk)[self.place]
        information = (self.columns * passed[:, None]).T @ self.columns
        information -= (means * self.at_time[:, None]).T @ means
        return value, self.event_sum - self.at_time @ means, information


def _sum_from(values: NDArray[np.float64], first: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum over all rows from each distinct time on: those at risk."""
    sums: NDArray[np.float64] = np.cumsum(values[::-1], axis=0)[::-1][first]
    return sums


@dataclass(frozen=True)
class CoxFit:
    """Weights that maximise the penalised partial likelihood.

    Parameters
    ----------
    beta : ndarray of shape (p,)
        Log hazard ratio of each column.
    information : ndarray of shape (p, p)
        Minus the second derivative of the log partial likelihood, without the penalty.
    log_likelihood : float
        Log partial likelihood, without the penalty.
    """

    beta: NDArray[np.float64]
    information: NDArray[np.float64]
    log_likelihood: float


def fit_cox(data: CoxData, penalty: NDArray[np.float64], start: NDArray[np.float64] | None = None) -> CoxFit:
    """Fit by Newton's method, with steps halved where the penalised likelihood would fall.

    Parameters
    ----------
    data : CoxData
    penalty : ndarray of shape (p,)
        1 / variance of the normal prior of each weight; 0 for none.
    start : ndarray of shape (p,), optional
        Where to begin; a nearby fit saves rounds.

    Returns
    -------
    CoxFit

    References
    ----------
    Cox, J R Stat Soc B 1972;34:187-220. Breslow, Biometrics 1974;30:89-99. Verweij and van Houwelingen,
    Stat Med 1994;13:2427-2436 (ridge).

    Examples
    --------
    >>> half = np.array([0.0, 1.0, 0.0, 1.0])
    >>> ones = np.ones(4)
    >>> data = CoxData(half[:, None], np.array([4.0, 1.0, 3.0, 2.0]), ones, np.zeros(4, dtype=np.intp), ones)
    >>> bool(fit_cox(data, np.array([1.0])).beta[0] > 0)
    True
    """
    strata = data.by_stratum()
    beta = np.zeros(data.columns.shape[1]) if start is None else start

    def evaluate(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        eta = data.columns @ at
        parts = [stratum.evaluate(eta[stratum.rows]) for stratum in strata]
        return (
            sum(part[0] for part in parts),
            np.sum([part[1] for part in parts], axis=0),
            np.sum([part[2] for part in parts], axis=0),
        )

    value, gradient, information = evaluate(beta)
    for _ in range(_ROUNDS):
        slope = gradient - penalty * beta
        step = np.linalg.lstsq(information + np.diag(penalty), slope, rcond=None)[0]
        if slope @ step < _ENOUGH:
            break
        objective = value - beta @ (penalty * beta) / 2
        for _ in range(_HALVINGS):
            candidate = beta + step
            value, gradient, information = evaluate(candidate)
            if value - candidate @ (penalty * candidate) / 2 >= objective:
                break
            step = step / 2
        beta = candidate
    return CoxFit(beta, information, value)


def cumulative_hazard(
    data: CoxData, eta: NDArray[np.float64], n_strata: int, at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cumulative baseline hazard of each stratum (Breslow's estimator).

    Parameters
    ----------
    data : CoxData
        The columns are not used.
    eta : ndarray of shape (n,)
        Log hazard of each patient against the baseline; with zeros this is the Nelson-Aalen estimator.
    n_strata : int
    at : ndarray of shape (n_times,)
        Ascending times; events at a time count for it.

    Returns
    -------
    ndarray of shape (n_strata, n_times)
        0 where a stratum has no patients.
    """
    result = np.zeros((n_strata, len(at)))
    for stratum in data.by_stratum():
        rows = stratum.rows
        at_risk = _sum_from(data.weights[rows] * np.exp(eta[rows]), stratum.first)
        steps = np.concatenate([[0.0], np.cumsum(stratum.at_time / at_risk)])
        times = data.time[rows][stratum.first]
        result[data.strata[rows[0]]] = steps[np.searchsorted(times, at, side="right")]
    return result

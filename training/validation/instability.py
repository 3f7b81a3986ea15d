"""Prediction instability: how far a patient's probability moves if other patients had been learned from.

Riley and Collins, Biom J 2023;65:2200302. The model is learned anew from bootstrap samples of the patients,
and each refit's prediction is held against the version's own. It tells what a mean figure hides: a model may
discriminate well on average, and yet tell a patient 40 or 60 in 100 by the chance of who was in the cohort.

It is about the data that the version was learned from; on other data there is nothing to refit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from joblib import delayed

from training.bootstrap import Estimate
from training.validation.pool import Work
from training.validation.refits import Refit, bootstrap_refit
from training.validation.results import Curve, Instability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.response_model import ResponseModel
    from training.patients import Patients

__all__ = [
    "FEWEST_REFITS",
    "REFITS",
    "make_bootstrap_jobs",
    "predict_everybody",
    "summarise_instability",
]

REFITS: Final = 25
"""The mean over patients is settled by then (its simulation error is a twentieth of it); Riley and Collins'
200 are for plots of single patients, which are not shown here."""
FEWEST_REFITS: Final = 5
"""An end of an interval over fewer is a single refit's."""
_TENTHS: Final = 10


def make_bootstrap_jobs(
    patients: Patients, model: ResponseModel, seed: int, refits: int = REFITS
) -> Work[Sequence[Refit | None]]:
    """Make the jobs that learn the version's candidates from bootstrap samples.

    Parameters
    ----------
    patients : Patients
        Those that the version was learned from; whole groups are drawn.
    model : ResponseModel
        The version.
    seed : int
    refits : int

    Returns
    -------
    Work
        Its result, a `Refit` or None of each sample, is for `summarise_instability` and for
        `training.validation.bootstrap_optimism`.

    Notes
    -----
    Candidate and hyperparameters are fixed, the fit and its recalibration are learned anew. What the choice
    between candidates and settings adds is not in it: see docs/adr/0015-what-else-a-validation-asks.md.
    """
    choices = {name: outcome.choice for name, outcome in model.outcomes.items()}
    jobs = [delayed(bootstrap_refit)(patients, choices, seed + number) for number in range(refits)]
    return Work(jobs, list)


def predict_everybody(patients: Patients, model: ResponseModel) -> dict[str, NDArray[np.float64]]:
    """Predict all patients, with and without an endpoint, by the version itself.

    Parameters
    ----------
    patients : Patients
    model : ResponseModel

    Returns
    -------
    dict of str to ndarray of shape (n,)
        By outcome.
    """
    inputs = model.inputs(patients.rows)
    return {name: outcome.probability(inputs) for name, outcome in model.outcomes.items()}


def summarise_instability(
    own: Mapping[str, NDArray[np.float64]], refits: Sequence[Refit | None]
) -> dict[str, Instability]:
    """Compare predictions of refits with the version's own.

    Parameters
    ----------
    own : mapping of str to ndarray of shape (n,)
        The version's probabilities by outcome, from `predict_everybody`.
    refits : sequence of Refit or None
        From `make_bootstrap_jobs`, about the same patients.

    Returns
    -------
    dict of str to Instability
        By outcome; empty with fewer than 5 refits.
    """
    done = [refit for refit in refits if refit is not None]
    if len(done) < FEWEST_REFITS:
        return {}
    return {
        name: _summarise(p, np.array([refit.probability[name] for refit in done])) for name, p in own.items()
    }


def _summarise(own: NDArray[np.float64], refitted: NDArray[np.float64]) -> Instability:
    """Mean absolute difference with the central 95 % of refits, and ends by tenths.

    Parameters
    ----------
    own : ndarray of shape (n,)
    refitted : ndarray of shape (refits, n)
    """
    moved = refitted - own
    by_refit = np.abs(moved).mean(axis=1)
    low, high = np.quantile(by_refit, (0.025, 0.975))
    order = np.argsort(own, kind="stable")
    tenths = [part for part in np.array_split(order, _TENTHS) if len(part)]
    # All patients' moves of a tenth together: a single patient's ends would rest on a few refits.
    ends = np.array([np.quantile(moved[:, part], (0.025, 0.975)) for part in tenths])
    at = np.array([own[part].mean() for part in tenths])
    value = np.array([refitted[:, part].mean() for part in tenths])
    return Instability(
        len(refitted),
        Estimate(float(by_refit.mean()), float(low), float(high)),
        Curve(*(tuple(column.tolist()) for column in (at, value, at + ends[:, 0], at + ends[:, 1]))),
    )

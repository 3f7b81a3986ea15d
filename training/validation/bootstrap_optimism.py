"""Bootstrap optimism of the version on its own patients: Harrell's correction, the usual one of the field.

A refit to a bootstrap sample is as far above its own level on that sample as the version is on its patients.
So what it loses from its sample to the patients as they are is taken off the version's apparent figures.

What is bootstrapped has to be what the apparent figure is of: one score and one map from it to probability.
Here these are the version's score, learned anew from each sample with the version's hyperparameters, and the
version's own recalibration, which was learned out of fold. The correction therefore covers the coefficients,
or trees; the choice of candidate, tuning and recalibration are learned anew in nested cross-validation alone.

It is too kind where a learner memorises, since two thirds of the patients are in a sample. It is too kind to
the slope of a model that shrinks, too, which starts far above 1 among its own patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import expit

from models.response_model import OUTCOMES
from training.bootstrap import SAMPLES, draw_metrics, draw_weights
from training.net_benefit import metrics_of
from training.validation.instability import FEWEST_REFITS
from training.validation.moved import move
from training.validation.optimism import predict_own
from training.validation.results import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.response_model import ResponseModel
    from training.bootstrap import Estimate
    from training.metrics import Metric, Predicted
    from training.patients import Patients
    from training.validation.refits import Refit

__all__ = ["Resampled", "correct_by_bootstrap", "find_optimism"]

_KEY: Final = "bootstrap_optimism"
_TITLE: Final = "Bootstrap optimism"


class Resampled(NamedTuple):
    """What a model of a bootstrap sample says of all patients.

    Parameters
    ----------
    predicted : Predicted
    times : ndarray of shape (n,)
        How often each patient was drawn.
    """

    predicted: Predicted
    times: NDArray[np.float64]


def correct_by_bootstrap(
    patients: Patients, model: ResponseModel, refits: Sequence[Refit | None], seed: int
) -> dict[str, Design]:
    """Take the mean optimism of refits to bootstrap samples off the version's figures on its own patients.

    Parameters
    ----------
    patients : Patients
        Those that the version was learned from.
    model : ResponseModel
        The version.
    refits : sequence of Refit or None
        From `training.validation.instability.make_bootstrap_jobs`.
    seed : int

    Returns
    -------
    dict of str to Design
        By outcome. The interval is that of the apparent figure, moved by the optimism; it takes the optimism
        as known. Without figures if fewer than 5 samples could be learned from.

    References
    ----------
    Harrell, Lee and Mark, Stat Med 1996;15:361-387. The moved interval: Noma et al., Stat Med
    2021;40:5691-5701.
    """
    done = [refit for refit in refits if refit is not None]
    if len(done) < FEWEST_REFITS:
        how = (
            f"Not possible: {len(done)} of {len(refits)} bootstrap samples had both classes among those "
            f"drawn and those not drawn; {FEWEST_REFITS} are needed"
        )
        return {name: Design.not_possible(_KEY, _TITLE, how) for name in OUTCOMES}
    known = patients.known
    weights = draw_weights(len(known), patients.known_groups, seed)
    how = _tell(patients, len(done))
    found = {}
    for name, apparent in predict_own(patients, model, seed).items():
        samples = [_resample(refit, apparent, model, name, known) for refit in done]
        metrics = _correct(apparent, samples, weights, metrics_of(name))
        found[name] = Design(
            key=_KEY,
            title=_TITLE,
            how=how,
            patients=len(known),
            events=int(apparent.y.sum()),
            metrics=metrics,
        )
    return found


def find_optimism(samples: Sequence[Resampled], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Give by how much refits are better on their own samples than on the patients as they are.

    Parameters
    ----------
    samples : sequence of Resampled
    metrics : mapping of str to Metric

    Returns
    -------
    dict of str to float
        Mean over the samples of the figure in the sample, less that of all patients.
    """
    found: dict[str, list[float]] = {name: [] for name in metrics}
    for predicted, times in samples:
        for name, drawn in draw_metrics([predicted], times[None, :], metrics).items():
            found[name].append(float(drawn.samples[0] - drawn.repeats[0]))
    return {name: float(np.mean(differences)) for name, differences in found.items()}


def _correct(
    apparent: Predicted,
    samples: Sequence[Resampled],
    weights: NDArray[np.float64],
    metrics: Mapping[str, Metric],
) -> dict[str, Estimate]:
    optimism = find_optimism(samples, metrics)
    found = {}
    for name, drawn in draw_metrics([apparent], weights, metrics).items():
        own = drawn.estimate()
        found[name] = move(name, own, own.value - optimism[name])
    return found


def _resample(
    refit: Refit, apparent: Predicted, model: ResponseModel, outcome: str, known: NDArray[np.intp]
) -> Resampled:
    """Bring a refit's score to probabilities as the version does."""
    recalibration = model.outcomes[outcome].choice.recalibration
    p = expit(recalibration.apply(refit.logit[outcome][known]))
    times = np.bincount(refit.learned, minlength=len(refit.logit[outcome]))[known]
    predicted = replace(apparent, p=p, floor=refit.floor[outcome][known])
    return Resampled(predicted, times.astype(np.float64))


def _tell(patients: Patients, refits: int) -> str:
    drawn = "patients" if patients.groups is None else f"whole groups ({patients.cohort_file.group})"
    return (
        "the version on its own patients, less what it loses from a bootstrap sample to them (Harrell), mean "
        f"of {refits} samples of {drawn}; hyperparameters and recalibration are the version's, so that the "
        "optimism of coefficients is taken off, not that of selection and tuning, and learners that memorise "
        f"stay too good; 95 % intervals from {SAMPLES} bootstrap samples of {drawn}, moved"
    )

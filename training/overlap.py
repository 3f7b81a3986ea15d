"""What the folds of a cross-validation add to the uncertainty of a figure by learning from each other.

A patient who is tested in one fold is learned from in the others. If by chance a patient responded, the
models of the other folds expect a little more of all who resemble that patient, and their responses have
raised what is expected of the patient in turn. Each pair of patients meets twice; a bootstrap of patients,
who keep their predictions, counts it once. Its intervals are too narrow, the more so the fewer the patients.

To first order the logit of patient i has the error sum_j S_ij r_j, where r_j = y_j - p_j is what chance
added to patient j and S_ij the covariance of both logits. A figure T moves by sum_ij (dT / d logit_i) S_ij
r_j. Of the variance of this quadratic form the part where (i, j) meets (j, i) is not in the bootstrap. It
has two parts. With K folds and w_i = p_i (1 - p_i):

- differences between patients: (D / sum w)^2 q K / (K - 1), where D is the derivative of T when each logit
  moves by its r less the mean of its fold, and q = sum_ij S_ij^2 w_i w_j = tr(H H), of the hat matrix H, an
  effective number of parameters without the intercept. q K / (K - 1) is at most what the logits vary by
  within folds, sum_i w_i (logit_i - mean)^2: a model that says nearly the same of everybody has learned
  nearly nothing. Of a part of the patients, found in M of the K folds, q counts by the square of their share,
  times (1 - 1 / M) / (1 - 1 / K). Plan-wise prevalence, against which skill is counted, has a part of its
  own, with one parameter for each plan but one, added as if the model had learned of plans apart from it;
- the level of all patients, which those of one group (site) move together, so that q would say too little.
  Folds hold whole groups: (L / (K - 1))^2 K / (K - 1), where L is the derivative when each fold moves by what
  its mean logit is off by, less that of all, the model and plan-wise prevalence alike. AUROC and slope
  compare patients within folds and have L = 0. L is a rough estimate: folds are off by more from what they
  were left out of, and by less since each is given its share of the events. With a dozen groups it is too
  large, with many too small, without groups next to nothing.

Calibration in the large has no part in any of this.

In the difference of two procedures on the same patients the level of folds, and what plan-wise prevalence
learned, cancel as far as both move the figure alike. What the models learned has tr(H1 H2) in common. Where
there is nothing to find, the correlation of their logits within folds is its share of the root of q1 q2: 1 of
the same procedure twice, 0 of two that ask for unrelated things. A signal that both have found makes them
look more alike than their errors are; but projections have no more in common than the smaller of q1 and q2,
and no more than that is taken off.

No estimate of this variance from one cross-validation is unbiased whatever the data (Bengio and Grandvalet,
J Mach Learn Res 2004;5:1089-1105). This one leans on what is known of the model, q. How often intervals then
hold what they should is measured on simulated cohorts (`make bench`, `gates`; ADR 13).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.metrics import Predicted

__all__ = ["centred_logits", "overlap_errors", "overlap_parts", "subtract_parts"]

_EPSILON = 1e-12
_REACH = 0.5
"""Standard deviations of the logits over which D is taken: figures that count ranks are flat from one patient
to the next."""

_Figures = Mapping[str, "NDArray[np.float64]"]


def overlap_errors(
    repeats: Sequence[Predicted], measure: Callable[[Predicted], _Figures]
) -> dict[str, NDArray[np.float64]]:
    """Give the standard errors that the overlap of the folds adds to those of a bootstrap.

    Parameters
    ----------
    repeats : sequence of Predicted
        Repeats share the patients, so that their mean has the error of one.
    measure : callable
        Computes figures, by name.

    Returns
    -------
    dict of str to ndarray
        Of the shapes that `measure` gives; 0 with one model, or if models learned from none of the patients.
    """
    return {name: np.linalg.norm(parts, axis=0) for name, parts in overlap_parts(repeats, measure).items()}


def overlap_parts(
    repeats: Sequence[Predicted], measure: Callable[[Predicted], _Figures]
) -> dict[str, NDArray[np.float64]]:
    """Give the parts of `overlap_errors`, whose squares add up.

    Parameters
    ----------
    repeats, measure
        As of `overlap_errors`.

    Returns
    -------
    dict of str to ndarray of shape (3, ...)
        What the model learned of differences between patients, what plan-wise prevalence learned, and the
        level of folds; each with the sign of the figure's derivative.
    """
    found = [_errors(data, measure) for data in repeats]
    return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}


def subtract_parts(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    lines: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Give the parts of the difference of a figure of two procedures on the same patients.

    Parameters
    ----------
    one, other : ndarray of shape (3,)
        From `overlap_parts`.
    lines : tuple of two ndarrays of one shape
        From `centred_logits`, of both.

    Returns
    -------
    ndarray of shape (3,)
    """
    (a, *rest), (b, *others) = one, other
    smaller, larger = sorted((abs(a), abs(b)))
    spread = float(np.prod([np.linalg.norm(line) for line in lines]))
    alike = float(np.vdot(*lines)) / spread if spread > 0 else 0.0
    shared = min(max(alike, 0.0), smaller / larger) if larger > 0 else 0.0
    model = np.sqrt(max(a**2 + b**2 - 2 * shared * a * b, 0.0))
    return np.array([model, *np.subtract(rest, others)])


def centred_logits(repeats: Sequence[Predicted]) -> NDArray[np.float64]:
    """Give the logits of the predictions, less the mean of their fold.

    Parameters
    ----------
    repeats : sequence of r Predicted
        Of the same n patients.

    Returns
    -------
    ndarray of shape (r, n)
    """
    lines = []
    for data in repeats:
        line, fold = _logit(data.p), np.unique(data.fold, return_inverse=True)[1]
        lines.append(line - (np.bincount(fold, line) / np.bincount(fold))[fold])
    return np.array(lines)


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = logit(np.clip(p, _EPSILON, 1 - _EPSILON))
    return result


def _errors(data: Predicted, measure: Callable[[Predicted], _Figures]) -> _Figures:
    """Each part, with its sign: of shape (3, ...)."""
    labels, fold = np.unique(data.fold, return_inverse=True)
    if len(labels) < 2 or not data.parameters:
        return {name: np.zeros((3, *value.shape)) for name, value in measure(data).items()}
    folds = data.folds or len(labels)
    factor = folds / (folds - 1)
    among = factor**2 * (1 - 1 / len(labels))  # of a part of the patients, fewer pairs are in different folds
    weight, chance = data.p * (1 - data.p), data.y - data.p
    line, floor = _logit(data.p), _logit(data.floor)

    def centred(values: NDArray[np.float64], by: NDArray[np.intp]) -> NDArray[np.float64]:
        return values - _over(weight * values, weight, by)

    def among_patients(logits: NDArray[np.float64], parameters: float) -> tuple[NDArray[np.float64], float]:
        spread = float((weight * centred(logits, fold) ** 2).sum())
        if not min(spread, weight.sum(), chance.std()) > _EPSILON:  # all alike, or all certain
            return nowhere, 0.0
        reach = _REACH * np.sqrt(spread / weight.sum()) / chance.std()
        learned = min(among * parameters, spread / data.share)
        return reach * centred(chance, fold), np.sqrt(learned) / weight.sum() / reach if learned > 0 else 0.0

    nowhere = np.zeros_like(line)
    of_fold = _over(chance, weight, fold)
    off = centred(of_fold, np.zeros_like(fold))
    model, model_scale = among_patients(line, data.parameters - 1)
    plan, plan_scale = among_patients(floor, data.plans - 1)
    moves = (
        (model, nowhere, model_scale),
        (nowhere, plan, plan_scale),
        (off, off, np.sqrt(factor) / (folds - 1)),
    )
    parts = []
    for of_model, of_floor, scale in moves:
        along, against = (
            measure(replace(data, p=expit(line + sign * of_model), floor=expit(floor + sign * of_floor)))
            for sign in (1, -1)
        )
        parts.append({name: scale * (value - against[name]) / 2 for name, value in along.items()})
    found = {name: data.share * np.array([part[name] for part in parts]) for name in parts[0]}
    # A figure that is not defined a little to the side has no derivative: nothing is added to its interval.
    return {name: np.where(np.isfinite(values), values, 0.0) for name, values in found.items()}


def _over(
    values: NDArray[np.float64], weight: NDArray[np.float64], by: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sum of the values over that of the weights of each patient's fold.

    0 where all predictions of a fold are exactly 0 or 1: their logits do not move.
    """
    sums, weights = (np.bincount(by, each).astype(np.float64) for each in (values, weight))
    return np.divide(sums, weights, out=np.zeros_like(weights), where=weights > 0)[by]

"""How far a patient's true probability may lie from the prediction, in logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.encoder import BLOCKS
from models.plan_design import PlanDesign
from models.posterior import Posterior, fit_posterior
from models.scores import LinearScore, linear_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.encoder import Encoder
    from models.inputs import Inputs, TrainingSet

__all__ = ["Ridge", "Uncertainty", "fit_ridge", "fit_uncertainty", "prior_of_blocks"]

_TYPICAL = {
    "main": 0.07,
    "curve": 0.06,
    "missing": 0.09,
    "plan": 0.4,
    "plan_term": 0.045,
    "plan_curve": 0.012,
    "variant": 0.07,
    "variant_term": 0.01,
    "variant_curve": 0.005,
    "group": 0.15,
}
"""Typical size of an effect before the data, in logits (of a predictor: for one standard deviation).
Published moderators of response are that weak (docs/evidence.md), curves and interactions weaker than main
effects (effect hierarchy; Chipman, Can J Stat 1996;24:17-36); plans and sites differ by more. Moderators
of a drug's effect hold for every plan that gives it, nearly."""

_FREEDOM = {"plan_term": 2.0, "plan_curve": 2.0, "variant_term": 2.0, "variant_curve": 2.0}
"""Degrees of freedom of the Student prior where they are not 4: most interactions are nil, a few are not."""

_MOST_GROUPS = 500  # more have no intercepts of their own: the posterior would be all groups

_ZEGER = (16 * np.sqrt(3) / (15 * np.pi)) ** 2
"""Factor by which a logit shrinks when a normal random intercept is averaged out (Zeger, Liang and
Albert, Biometrics 1988;44:1049-1060): a new site's effect is not known."""


@dataclass(frozen=True)
class Uncertainty:
    """Posterior of a ridge logistic regression, folded into what a prediction needs.

    Parameters
    ----------
    centre : LinearScore
        The posterior mean as a model of its own: the candidate `ridge`.
    covariance : ndarray of shape (n_plans or 1, 1 + n_base, 1 + n_base)
        Posterior covariance of the weights that hold on each plan.
    missing : ndarray of shape (n_plans or 1, n_predictors)
        Variance that each predictor adds when its value is not known.
    contrast_covariance, contrast_missing : ndarray
        As the two above, for the difference of each plan's weights from the reference plan's.
    scales : ndarray of shape (n_blocks,)
        Prior scale of each block, in logits; the last is the groups' when there are groups.
    parameters : ndarray of shape ()
        Effective number of parameters that the patients decided, tr(H H) of the hat matrix H; groups'
        intercepts, which say nothing of a new patient, are left out (Hastie and Tibshirani, Generalized
        Additive Models, 1990, section 3.5).
    """

    centre: LinearScore
    covariance: NDArray[np.float64]
    missing: NDArray[np.float64]
    contrast_covariance: NDArray[np.float64]
    contrast_missing: NDArray[np.float64]
    scales: NDArray[np.float64]
    parameters: NDArray[np.float64]

    def variance(self, inputs: Inputs) -> NDArray[np.float64]:
        """Variance of the logit: what the coefficients and what missing inputs leave open.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        ndarray of shape (n,)
        """
        return _variance(inputs, self.covariance, self.missing)

    def contrast_variance(self, inputs: Inputs) -> NDArray[np.float64]:
        """Variance of the logit's difference between each row's plan and the reference plan.

        Less than the two variances together: what is not known of the patient is the same on both plans.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        ndarray of shape (n,)
            0 on the reference plan.
        """
        return _variance(inputs, self.contrast_covariance, self.contrast_missing)


@dataclass(frozen=True)
class Ridge:
    """A ridge logistic regression whose penalties were learned with it.

    Parameters
    ----------
    centre : LinearScore
        The posterior mean, groups averaged out: the candidate `ridge`.
    posterior : Posterior
        Of all coefficients, groups' intercepts last.
    shrink : float
        Factor of the logits that averages groups out.
    """

    centre: LinearScore
    posterior: Posterior
    shrink: float


def fit_ridge(train: TrainingSet) -> Ridge:
    """Fit the regression on training patients; groups (sites) get intercepts that are averaged out.

    Parameters
    ----------
    train : TrainingSet

    Returns
    -------
    Ridge
    """
    encoder = train.inputs.encoder
    groups = _usable_groups(train)
    design = PlanDesign(
        train.inputs.with_intercept,
        train.inputs.plans,
        tuple(encoder.plan_columns(plan) for plan in range(encoder.n_plans_)),
        groups,
        0 if groups is None else int(groups.max()) + 1,
    )
    n_design = len(encoder.blocks_)
    blocks = np.concatenate([encoder.blocks_, np.full(design.shape[1] - n_design, len(BLOCKS))])
    used, compact = np.unique(blocks, return_inverse=True)  # the first is the intercept's, -1
    names = [(*BLOCKS, "group")[block] for block in used[1:]]
    posterior = fit_posterior(design, train.y, compact - 1, *prior_of_blocks(names))
    shrink = 1.0
    if groups is not None:
        shrink = float(1 / np.sqrt(1 + _ZEGER * posterior.scales[-1] ** 2))
    return Ridge(
        linear_score(encoder, posterior.mean[:n_design] * shrink, train.plan_shares), posterior, shrink
    )


def prior_of_blocks(names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the prior of each block of coefficients, as `models.posterior.fit_posterior` takes it.

    Parameters
    ----------
    names : sequence of str
        Of `features.encoder.BLOCKS`, or "group" for the intercepts of groups.

    Returns
    -------
    typical : ndarray of shape (n_blocks,)
        Size of an effect before the data, in logits (of a predictor: for one standard deviation).
    freedom : ndarray of shape (n_blocks,)
        Of the Student prior.

    Examples
    --------
    >>> prior_of_blocks(["main", "plan_term"])
    (array([0.07 , 0.045]), array([4., 2.]))
    """
    return np.array([_TYPICAL[name] for name in names]), np.array([_FREEDOM.get(name, 4.0) for name in names])


def fit_uncertainty(train: TrainingSet) -> Uncertainty:
    """Fold the posterior on training patients into what the variance of a prediction needs.

    Parameters
    ----------
    train : TrainingSet

    Returns
    -------
    Uncertainty
    """
    encoder, ridge = train.inputs.encoder, train.ridge
    centre, posterior = ridge.centre, ridge.posterior
    design = slice(len(encoder.blocks_))
    covariance = posterior.covariance[design, design] * ridge.shrink**2
    folded = np.stack([_fold(encoder, covariance, plan) for plan in range(len(train.plan_shares))])
    contrast = np.stack([_fold_contrast(encoder, covariance, plan) for plan in range(len(train.plan_shares))])
    reference = centre.weights[encoder.reference_]
    learned = posterior.learned[design, design]
    return Uncertainty(
        centre,
        folded,
        _missing(encoder, centre.weights, folded),
        contrast,
        _missing(encoder, centre.weights - reference, contrast),
        posterior.scales,
        np.array((learned * learned.T).sum()),
    )


def _variance(
    inputs: Inputs, covariance: NDArray[np.float64], missing: NDArray[np.float64]
) -> NDArray[np.float64]:
    if inputs.repeated:
        return _variance_on_every_plan(inputs, covariance, missing)
    total = np.empty(len(inputs))
    for plan, rows in inputs.by_plan:
        columns = inputs.with_intercept[rows]
        spread = np.einsum("ij,ij->i", columns @ covariance[plan], columns)
        total[rows] = spread + inputs.missing[rows] @ missing[plan]
    return total


def _variance_on_every_plan(
    inputs: Inputs, covariance: NDArray[np.float64], missing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """All plans at once: for a single patient the calls would cost more than the sums."""
    plans = len(covariance)
    columns = inputs.with_intercept.reshape(-1, plans, covariance.shape[1]).swapaxes(0, 1)
    gone = inputs.missing.reshape(-1, plans, missing.shape[1])
    spread = np.einsum("kij,kij->ik", columns @ covariance, columns)
    total: NDArray[np.float64] = spread + np.einsum("ikj,kj->ik", gone, missing)
    return total.ravel()


def _usable_groups(train: TrainingSet) -> NDArray[np.intp] | None:
    """Groups counted without gaps; None without groups, or with too small or too many to learn from."""
    if train.groups is None:
        return None
    labels, index = np.unique(train.groups, return_inverse=True)
    if not 2 <= len(labels) <= min(len(index) // 4, _MOST_GROUPS):
        return None
    return index


def _fold(encoder: Encoder, covariance: NDArray[np.float64], plan: int) -> NDArray[np.float64]:
    """Covariance of the sums of weights that hold on one plan."""
    size = 1 + len(encoder.sources_)
    folded = np.zeros((size, size))
    sets = [np.arange(size), *(encoder.plan_columns(plan) if encoder.n_plans_ else ())]
    for a in sets:
        for b in sets:
            folded[: len(a), : len(b)] += covariance[np.ix_(a, b)]
    return folded


def _fold_contrast(encoder: Encoder, covariance: NDArray[np.float64], plan: int) -> NDArray[np.float64]:
    """Covariance of what sets a plan's weights apart from the reference plan's."""
    size = 1 + len(encoder.sources_)
    folded = np.zeros((size, size))
    if encoder.n_plans_ and plan != encoder.reference_:
        sets = [(1.0, own) for own in encoder.plan_columns(plan)]
        sets += [(-1.0, other) for other in encoder.plan_columns(encoder.reference_)]
        terms = slice(0, 1 + encoder.n_terms_)
        for sign, a in sets:
            for other_sign, b in sets:
                folded[terms, terms] += sign * other_sign * covariance[np.ix_(a, b)]
    return folded


def _missing(
    encoder: Encoder, weights: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """E[w' C w] for each plan and predictor: what an unknown value spreads the logit by."""
    second = covariance[:, 1:, 1:] + weights[:, 1:, None] * weights[:, None, 1:]
    spread = (second * encoder.missing_covariance()).sum(axis=2)
    result = np.zeros((len(weights), encoder.n_predictors_))
    np.add.at(result.T, encoder.sources_, spread.T)
    return result

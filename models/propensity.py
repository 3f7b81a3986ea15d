"""Which plan such a patient is put on: the propensity of every plan, given what was recorded before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.inputs import Inputs

__all__ = ["Propensity", "fit_constant_propensity", "fit_propensity"]

_PRIOR_SD: Final = 0.2
"""Typical size, in logits, of what one standard deviation of a predictor does to the choice of a plan. The
penalty is not tuned: the best prediction of the choice shrinks too hard and leaves confounding behind."""
_NOBODY: Final = -30.0  # logit of a plan that nobody was on


@dataclass(frozen=True)
class Propensity:
    """Multinomial logistic regression of the plan on the base columns.

    Parameters
    ----------
    weights : ndarray of shape (1 + n_base, n_plans)
        Intercepts first.
    """

    weights: NDArray[np.float64]

    def probabilities(self, inputs: Inputs) -> NDArray[np.float64]:
        """Probability of each plan, shape (n, n_plans); the patients' own plans are of no account."""
        result: NDArray[np.float64] = softmax(inputs.with_intercept @ self.weights, axis=1)
        return result


def fit_constant_propensity(inputs: Inputs) -> Propensity:
    """Take each plan's share for everyone: the known assignment of a randomised cohort.

    Parameters
    ----------
    inputs : Inputs
        Training patients, their plan in the last column.

    Returns
    -------
    Propensity
    """
    weights = np.zeros((1 + inputs.base.shape[1], inputs.encoder.n_plans_))
    share = np.bincount(inputs.plans, minlength=weights.shape[1]) / len(inputs)
    weights[0] = np.log(np.maximum(share, np.exp(_NOBODY)))
    return Propensity(weights)


def fit_propensity(inputs: Inputs) -> Propensity:
    """Learn the propensity by ridge multinomial logistic regression.

    Parameters
    ----------
    inputs : Inputs
        Training patients, their plan in the last column.

    Returns
    -------
    Propensity
        A plan that nobody was on has a probability of nearly 0.

    References
    ----------
    Rosenbaum and Rubin, Biometrika 1983;70:41-55. Imbens, Biometrika 2000;87:706-710 (several plans).
    """
    from sklearn.linear_model import LogisticRegression  # a service, which only predicts, starts without it

    present = np.unique(inputs.plans)
    if len(present) < 2:
        return fit_constant_propensity(inputs)
    model = LogisticRegression(C=_PRIOR_SD**2, max_iter=1000, tol=1e-6).fit(inputs.base, inputs.plans)
    weights = np.zeros((1 + inputs.base.shape[1], inputs.encoder.n_plans_))
    weights[0] = _NOBODY
    if len(present) == 2:  # scikit-learn gives the second class against the first
        weights[0, present] = 0.0, model.intercept_[0]
        weights[1:, present[1]] = model.coef_[0]
    else:
        weights[0, present], weights[1:, present] = model.intercept_, model.coef_.T
    return Propensity(weights)

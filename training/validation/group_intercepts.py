"""Intercepts of groups, partially pooled: small groups are drawn to the others, large ones hardly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["group_intercepts"]

_ROUNDS: Final = 200
_SETTLED: Final = 1e-3  # relative change of the variance between groups
_LONGEST: Final = 2.0  # logits; Newton's method overshoots from far away
_START: Final = 0.5**2


def group_intercepts(
    y: NDArray[np.float64], line: NDArray[np.float64], groups: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """Find how far the logits of each group lie from what a model says of its patients.

    Group g has the logits line + u_g, u_g normal around 0 with variance v. The u are taken at their posterior
    mode, and v is learned by expectation-maximisation: the mean of u_g^2 plus the variance of u_g given the
    data (empirical Bayes, with Laplace's approximation).

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    line : ndarray of shape (n,)
        Logits of the model without groups.
    groups : ndarray of int, shape (n,)
        Counted from 0.
    count : int
        Number of groups, with or without patients here.

    Returns
    -------
    ndarray of shape (count,)
        In logits; 0 of groups without patients. Each step costs as much as there are patients, however
        many groups there are.

    References
    ----------
    Breslow and Clayton, J Am Stat Assoc 1993;88:9-25; Laird and Ware, Biometrics 1982;38:963-974.

    Examples
    --------
    Twenty patients with 18 and 2 events, and one of whom little can be said:

    >>> y = np.repeat([1.0, 0, 1, 0, 1], [18, 2, 2, 18, 1])
    >>> group_intercepts(y, np.zeros(41), np.repeat([0, 1, 2], [20, 20, 1]), 4).round(1)
    array([ 1.9, -1.9,  1. ,  0. ])
    """
    seen = np.bincount(groups, minlength=count) > 0
    u, variance = np.zeros(count), _START
    for _ in range(_ROUNDS):  # one Newton step a round is enough: both converge together
        p = expit(line + u[groups])
        information = np.bincount(groups, p * (1 - p), count) + 1 / variance
        move = (np.bincount(groups, y - p, count) - u / variance) / information
        u = u + np.clip(move, -_LONGEST, _LONGEST)
        updated = max(float((u**2 + 1 / information)[seen].mean()), 1e-6)
        settled = abs(updated - variance) < _SETTLED * variance and float(np.abs(move).max()) < _SETTLED
        variance = updated
        if settled:
            break
    return np.where(seen, u, 0.0)

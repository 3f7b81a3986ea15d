"""Decision curves: what it is worth to give the treatment to those whom the model expects to respond.

At a threshold probability t one treats patients with a probability of at least t, and so accepts t / (1 - t)
treatments without response too many for one that is followed by response: who treats at 20 % weighs a
response missed as four treatments in vain. Net benefit counts, per patient, responders treated less others
treated at that rate of exchange. Treating all and treating none are what the model has to beat. All patients
were treated, and treating none is taken to give no responder: acting on prognosis is valued, not what
treatment adds to it.

References
----------
Vickers and Elkin, Med Decis Making 2006;26:565-574 (net benefit). Vickers and others, BMC Med Inform Decis
Mak 2008;8:53 (interventions avoided, bootstrap). Vickers, van Calster and Steyerberg, Diagn Progn Res
2019;3:18 (how to read a decision curve).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from training.bootstrap import in_blocks, rows_with_both
from training.intervals import count_units, find_band
from training.metrics import METRICS, Metric, Predicted
from training.overlap import overlap_errors
from training.validation.results import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CURVE",
    "THRESHOLDS",
    "decision_curves",
    "gain_metric",
    "metrics_of",
    "net_benefit",
    "net_benefit_gain",
]

THRESHOLDS: Final[Mapping[str, tuple[float, float]]] = {"response": (0.2, 0.5), "remission": (0.1, 0.3)}
"""Clinical range of the probability from which one would treat. Below the lower end a further change of
tablets does as well (STAR*D, third and fourth step: 17 and 16 % responded, 14 and 13 % remitted; Rush et
al., Am J Psychiatry 2006;163:1905-1917); above the upper end electroconvulsive therapy does not (ELEKT-D:
41 % responded, 22 % remitted; Anand et al., N Engl J Med 2023;388:2315-2325)."""

CURVE: Final = tuple(percent / 200 for percent in range(10, 181, 5))
"""Thresholds of a decision curve: 5 to 90 %, in steps of 2.5 points."""


def net_benefit(data: Predicted, w: NDArray[np.float64], threshold: float) -> float:
    """Responders treated less others treated times t / (1 - t), per patient.

    Parameters
    ----------
    data : Predicted
    w : ndarray of shape (n,)
    threshold : float
        t, between 0 and 1.

    Returns
    -------
    float
        At most the share of responders; below 0 it is worse than treating nobody.

    Raises
    ------
    ValueError
        If the threshold is not between 0 and 1.

    Examples
    --------
    Of 4 patients 3 are treated, 2 of whom respond: (2 - 1 * 0.25 / 0.75) / 4.

    >>> one = np.ones(4)
    >>> data = Predicted(np.array([1.0, 1, 0, 0]), np.array([0.9, 0.4, 0.3, 0.1]), one / 2, np.zeros(4, int))
    >>> round(net_benefit(data, one, 0.25), 4)
    0.4167
    """
    return float(_benefits(data, w[None, :], [threshold])["model"][0, 0])


def net_benefit_gain(data: Predicted, w: NDArray[np.float64], threshold: float) -> float:
    """Net benefit of the model over that of treating all or of treating none, whichever is better.

    Parameters
    ----------
    data : Predicted
    w : ndarray of shape (n,)
    threshold : float
        Between 0 and 1.

    Returns
    -------
    float
        Per patient; below 0 it is better not to use the model.

    Raises
    ------
    ValueError
        If the threshold is not between 0 and 1.
    """
    return gain_metric(threshold)(data, w)


def gain_metric(threshold: float) -> Metric:
    """Make `net_benefit_gain` at one threshold a figure that the bootstrap computes for all samples at once.

    Parameters
    ----------
    threshold : float
        Between 0 and 1.

    Returns
    -------
    Metric
        Named `net_benefit_gain`.
    """

    def figures(data: Predicted, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"net_benefit_gain": _benefits(data, weights, [threshold])["gain"][:, 0]}

    return Metric("net_benefit_gain", figures)


def metrics_of(outcome: str) -> Mapping[str, Metric]:
    """Give every figure of predictions of an outcome: `METRICS`, and what is gained by using them.

    Parameters
    ----------
    outcome : str
        One of `THRESHOLDS`.

    Returns
    -------
    mapping of str to Metric
        With `net_benefit_gain` at the middle of the outcome's clinical range of thresholds.

    Examples
    --------
    >>> list(metrics_of("response"))[-2:]
    ['o_e', 'net_benefit_gain']
    """
    return {**METRICS, "net_benefit_gain": gain_metric(sum(THRESHOLDS[outcome]) / 2)}


def decision_curves(
    repeats: list[Predicted], weights: NDArray[np.float64], thresholds: Sequence[float]
) -> Mapping[str, Curve]:
    """Net benefit by threshold, with pointwise 95 % bands.

    Parameters
    ----------
    repeats : list of Predicted
        The same patients in the same order in each.
    weights : ndarray of shape (samples, n)
        From `training.bootstrap.draw_weights`.
    thresholds : sequence of float
        Between 0 and 1.

    Returns
    -------
    mapping of str to Curve
        `model`, `all` and `none` (treating all, treating none), per patient; `avoided`: treatments that the
        model spares, per 100 patients, against treating all, at no loss of responders (net); `gain`: over the
        better of treating all and none, paired, which gates judge.

    Raises
    ------
    ValueError
        If a threshold is not between 0 and 1.
    """
    rows = rows_with_both(repeats[0].y, weights)
    units = count_units(weights)
    found = [in_blocks(rows, partial(_benefits, data, thresholds=thresholds)) for data in repeats]
    drawn = {name: np.array([benefits[name] for benefits in found]) for name in found[0]}
    overlap = overlap_errors(repeats, lambda data: _benefits(data, rows[:1], thresholds))
    # No sample has patients beyond a threshold that none of these crosses: what one more of them would count.
    one_more = np.maximum(1.0, _odds(thresholds)) / len(repeats[0].y)
    overlap["gain"] = np.hypot(overlap["gain"], one_more)
    at = tuple(float(t) for t in thresholds)
    return {name: Curve(at, *find_band(values, units, overlap[name][0])) for name, values in drawn.items()}


def _benefits(
    data: Predicted, weights: NDArray[np.float64], thresholds: Sequence[float]
) -> dict[str, NDArray[np.float64]]:
    """Figures of `decision_curves`, each of shape (samples, thresholds)."""
    odds = _odds(thresholds)
    treated = (data.p[:, None] >= np.asarray(thresholds)).astype(np.float64)
    patients = weights.sum(axis=1, keepdims=True)
    with_, without = weights * data.y, weights * (1 - data.y)
    everybody = (with_.sum(axis=1, keepdims=True) - without.sum(axis=1, keepdims=True) * odds) / patients
    model = (with_ @ treated - without @ treated * odds) / patients
    return {
        "model": model,
        "all": everybody,
        "none": np.zeros_like(everybody),
        "avoided": 100 * (model - everybody) / odds,
        "gain": model - np.maximum(everybody, 0.0),
    }


def _odds(thresholds: Sequence[float]) -> NDArray[np.float64]:
    t = np.asarray(thresholds, dtype=np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("thresholds of net benefit lie between 0 and 1, both excluded")
    result: NDArray[np.float64] = t / (1 - t)
    return result

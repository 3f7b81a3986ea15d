"""Figures within one held-out unit (a site, a period), with standard errors, and their summary over units.

Each figure has a scale on which its errors are about normal and units differ by about a normal amount:
AUROC on the logit, observed over expected on the logarithm, calibration and skill as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from training.bootstrap import Estimate
from training.calibration import is_separated
from training.logistic import clipped_logit, fit_logistic
from training.metrics import Predicted
from training.validation.random_effects import FEWEST_UNITS, pool
from training.validation.results import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["FEWEST_OF_CLASS", "SUMMARISED", "Figure", "Summary", "measure_unit", "summarise_units"]

FEWEST_OF_CLASS: Final = 10
"""Patients with the outcome, and without, below which a unit says nothing by itself."""

_NORMAL: Final = 1.959963984540054


class Figure(NamedTuple):
    """A figure of one unit, on the scale on which it is summarised.

    Parameters
    ----------
    value, error : float
        Estimate and standard error.
    """

    value: float
    error: float


class _Scale(NamedTuple):
    """How a figure is measured in a unit, and how it is brought back."""

    measure: Callable[[Predicted], Figure]
    back: Callable[[float], float]


@dataclass(frozen=True)
class Summary:
    """What the units say together, by figure; empty if fewer than three are large enough.

    Parameters
    ----------
    mean, new_unit : mapping of str to Estimate
        On the figure's own scale.
    between : mapping of str to Estimate
        Standard deviation between units, on the scale of the summary.
    used : int
        Units that were large enough.
    """

    mean: Mapping[str, Estimate]
    new_unit: Mapping[str, Estimate]
    between: Mapping[str, Estimate]
    used: int


def measure_unit(name: str, data: Predicted) -> Unit:
    """Measure the patients of one unit, who were predicted by one and the same model.

    Parameters
    ----------
    name : str
    data : Predicted

    Returns
    -------
    Unit
        Without metrics if fewer than 10 patients have the outcome, or have it not. Intervals are of 95 %
        within the unit: symmetric on the scale of the summary, by patients.
    """
    patients, events = len(data.y), int(data.y.sum())
    figures: dict[str, Estimate] = {}
    if min(events, patients - events) >= FEWEST_OF_CLASS:
        for key, scale in _SCALES.items():
            value, error = scale.measure(data)
            ends = (value, value - _NORMAL * error, value + _NORMAL * error)
            figures[key] = Estimate(*(scale.back(end) for end in ends))
    return Unit(name, patients, events, figures)


def summarise_units(units: Sequence[Predicted]) -> Summary:
    """Summarise the units that are large enough by a random-effects model for each figure.

    Parameters
    ----------
    units : sequence of Predicted

    Returns
    -------
    Summary

    References
    ----------
    Debray et al., BMJ 2017;356:i6460 (scales); Snell, Ensor, Debray, Moons and Riley, Stat Methods Med Res
    2018;27:3505-3522 (logit of AUROC, logarithm of O:E). The model: `training.validation.random_effects`.
    """
    large = [u for u in units if min(u.y.sum(), len(u.y) - u.y.sum()) >= FEWEST_OF_CLASS]
    mean, new_unit, between = {}, {}, {}
    for key, scale in _SCALES.items():
        figures = np.array([scale.measure(unit) for unit in large]).reshape(-1, 2)
        figures = figures[np.isfinite(figures).all(axis=1) & (figures[:, 1] > 0)]
        if len(figures) < FEWEST_UNITS:
            continue
        found = pool(figures[:, 0], figures[:, 1])
        between[key] = found.tau
        mean[key], new_unit[key] = (
            Estimate(scale.back(e.value), scale.back(e.low), scale.back(e.high))
            for e in (found.mean, found.new_unit)
        )
    return Summary(mean, new_unit, between, len(large))


def _auroc(data: Predicted) -> Figure:
    """Logit of the AUROC; error by DeLong, DeLong and Clarke-Pearson (Biometrics 1988;44:837-845)."""
    cases, controls = data.p[data.y == 1], data.p[data.y == 0]
    ranks = rankdata(np.concatenate([cases, controls]))
    m, n = len(cases), len(controls)
    above = (ranks[:m] - rankdata(cases)) / n  # share of controls below each case, ties half
    below = 1 - (ranks[m:] - rankdata(controls)) / m
    variance = above.var(ddof=1) / m + below.var(ddof=1) / n
    # All pairs in order leave no variance and an infinite logit: half a pair is taken as out of order.
    area = float(np.clip(above.mean(), 0.5 / (m * n), 1 - 0.5 / (m * n)))
    least = area * (1 - area) / (m * n)  # if all pairs were independent
    return Figure(float(logit(area)), float(np.sqrt(max(variance, least)) / (area * (1 - area))))


def _intercept(data: Predicted) -> Figure:
    """Calibration intercept, slope held at 1; error by Wald."""
    line = clipped_logit(data.p)
    value = fit_logistic(np.ones((len(line), 1)), data.y, np.ones((1, len(line))), offset=line)[0, 0]
    p = expit(line + value)
    return Figure(float(value), float(1 / np.sqrt((p * (1 - p)).sum())))


def _slope(data: Predicted) -> Figure:
    """Calibration slope; error by Wald; not defined where the model says the same of all or separates all."""
    line = clipped_logit(data.p)
    if np.ptp(line) < 1e-6 or is_separated(line, data.y, np.zeros(len(line), dtype=np.intp)):
        return Figure(float("nan"), float("nan"))
    columns = np.column_stack([np.ones_like(line), line])
    beta = fit_logistic(columns, data.y, np.ones((1, len(line))))[0]
    p = expit(columns @ beta)
    covariance = np.linalg.inv((columns.T * (p * (1 - p))) @ columns)
    return Figure(float(beta[1]), float(np.sqrt(covariance[1, 1])))


def _observed_over_expected(data: Predicted) -> Figure:
    """Logarithm of observed over expected events; error as Debray et al. 2017, appendix 7: 1/O - 1/n."""
    observed, expected = data.y.sum(), data.p.sum()
    return Figure(float(np.log(observed / expected)), float(np.sqrt(1 / observed - 1 / len(data.y))))


def _skill(data: Predicted) -> Figure:
    """Brier skill; error by the delta method for a ratio of two means of the same patients."""
    ours, floor = (data.y - data.p) ** 2, (data.y - data.floor) ** 2
    ratio = ours.mean() / floor.mean()
    parts = (ours - ratio * floor) / floor.mean()
    return Figure(float(1 - ratio), float(parts.std(ddof=1) / np.sqrt(len(parts))))


_SCALES: Final[Mapping[str, _Scale]] = {
    "auroc": _Scale(_auroc, lambda x: float(expit(x))),
    "brier_skill": _Scale(_skill, float),
    "calibration_intercept": _Scale(_intercept, float),
    "calibration_slope": _Scale(_slope, float),
    "o_e": _Scale(_observed_over_expected, lambda x: float(np.exp(x))),
}
SUMMARISED: Final = tuple(_SCALES)
"""Figures that have a standard error within a unit; all are among `training.metrics.METRICS`."""

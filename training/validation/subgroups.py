"""Figures in the subgroups that the cohort file declares, and whether they differ between them.

The members of one predictor: each level; a number cut at the cohort file's `cuts`, or at the median; and
patients of whom it is not recorded, who are a group of their own and often the worst served.

The test of heterogeneity is Cochran's (Biometrics 1954;10:101-129) with the covariance that the bootstrap
gives: members are drawn together, by group, so that what they share (sites) counts once. With few groups
its distribution is Hotelling's (Ann Math Stat 1931;2:360-378), not chi-squared.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import f as fisher

from features.encoding import column_names
from training.bootstrap import Draws, draw_metrics
from training.intervals import FEWEST_UNITS
from training.metrics import METRICS, Predicted
from training.net_benefit import gain_metric
from training.validation.results import Subgroup, Subgroups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import Predictor

__all__ = ["FEWEST", "TESTED", "find_subgroups", "heterogeneity", "measure_subgroups"]

FEWEST: Final = 10
"""Patients with, and without, the outcome that a member needs. With fewer, even beside a hundred others, the
interval of an AUROC of 0.7 is wider than 0.37 (Hanley and McNeil, Radiology 1982;143:29-36)."""

TESTED: Final = (
    "auroc",
    "brier_skill",
    "calibration_intercept",
    "calibration_slope",
    "o_e",
    "net_benefit_gain",
)
"""Figures whose differences mean something: others follow prevalence, or are larger in small groups."""

_FEWEST_SAMPLES: Final = 100


def measure_subgroups(
    cohort: Cohort,
    repeats: list[Predicted],
    patients: NDArray[np.intp],
    weights: NDArray[np.float64],
    threshold: float,
) -> tuple[Subgroups, ...]:
    """Measure each declared subgroup, with intervals, counts and a test of heterogeneity.

    Parameters
    ----------
    cohort : Cohort
    repeats : list of Predicted
        Of one outcome.
    patients : ndarray of shape (n,)
        Row of the cohort of each patient, in the order of the repeats.
    weights : ndarray of shape (samples, n)
        From `training.bootstrap.draw_weights`.
    threshold : float
        At which net benefit is taken.

    Returns
    -------
    tuple of Subgroups
        One for each predictor with `subgroup = true`, in the order of the file. Members with too few patients
        of a class, or of fewer than three groups where groups are drawn, are there without figures.
    """
    return tuple(
        _measure_predictor(
            name, {level: who[patients] for level, who in members.items()}, repeats, weights, threshold
        )
        for name, members in find_subgroups(cohort).items()
    )


def find_subgroups(cohort: Cohort) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Find the patients of each declared subgroup.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    dict of str to dict of str to ndarray of shape (n,)
        By predictor, then by member: each level; a number cut at the cohort file's `cuts`, or at the median;
        "not recorded" where that happens.
    """
    columns = dict(zip(column_names(cohort.file), cohort.rows.T, strict=True))
    return {
        predictor.name: dict(_members(predictor, columns[predictor.name]))
        for predictor in cohort.file.baseline_predictors
        if predictor.subgroup
    }


def heterogeneity(draws: Sequence[Draws]) -> float:
    """Test whether a figure is the same in several subgroups.

    Parameters
    ----------
    draws : sequence of Draws
        Of each subgroup, from the same bootstrap weights of all patients.

    Returns
    -------
    float
        p value; NaN with fewer than two subgroups, too few groups of patients for so many, or a figure that
        is not defined.
    """
    values = np.array([d.repeats.mean() for d in draws])
    size, units = len(draws) - 1, min((d.units for d in draws), default=0)
    if size < 1 or units <= size or np.isnan(values).any():
        return float("nan")
    samples = np.array([d.samples for d in draws])
    samples = samples[:, ~np.isnan(samples).any(axis=0)]
    if samples.shape[1] < _FEWEST_SAMPLES:
        return float("nan")
    covariance = np.atleast_2d(np.cov(samples[1:] - samples[0])) * units / (units - 1)
    difference = values[1:] - values[0]
    if np.linalg.matrix_rank(covariance, hermitian=True) < size:
        return float("nan")
    statistic = float(difference @ np.linalg.solve(covariance, difference))
    return float(fisher.sf(statistic * (units - size) / (size * (units - 1)), size, units - size))


def _measure_predictor(
    name: str,
    members: dict[str, NDArray[np.bool_]],
    repeats: list[Predicted],
    weights: NDArray[np.float64],
    threshold: float,
) -> Subgroups:
    drawn: list[dict[str, Draws]] = []
    shown = []
    for level, inside in members.items():
        y = repeats[0].y[inside]
        count, events = len(y), int(y.sum())
        found = {}
        if min(events, count - events) >= FEWEST:
            found = draw_metrics(
                [data.take(inside) for data in repeats],
                weights[:, inside],
                {**METRICS, "net_benefit_gain": gain_metric(threshold)},
                keep_all=True,
            )
        if found and found["auroc"].units < FEWEST_UNITS:
            found = {}
        if found:
            drawn.append(found)
        figures = {metric: draws.estimate() for metric, draws in found.items()}
        shown.append(Subgroup(name, level, count, events, too_small=not found, metrics=figures))
    tests = {metric: heterogeneity([found[metric] for found in drawn]) for metric in TESTED}
    return Subgroups(name, tuple(shown), tests)


def _members(predictor: Predictor, column: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name the subgroups of a predictor, and say who is in each."""
    if predictor.kind == "number":
        yield from _parts(predictor, column)
    else:
        levels = predictor.levels or ("no", "yes")
        for code, level in enumerate(levels):
            yield level, column == code
    if np.isnan(column).any():
        yield "not recorded", np.isnan(column)


def _parts(predictor: Predictor, column: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    unit = f" {predictor.unit}" if predictor.unit else ""
    note = "" if predictor.cuts else " (median)"
    cuts = predictor.cuts or _median(column[~np.isnan(column)])
    if not cuts:
        yield "all alike", ~np.isnan(column)
        return
    yield f"under {cuts[0]:g}{unit}{note}", column < cuts[0]
    for low, high in pairwise(cuts):
        yield f"{low:g} to under {high:g}{unit}", (column >= low) & (column < high)
    yield f"{cuts[-1]:g}{unit} or over{note}", column >= cuts[-1]


def _median(recorded: NDArray[np.float64]) -> tuple[float, ...]:
    """Median, to three digits where that still parts the patients; none if there is nothing to part."""
    levels = np.unique(recorded)
    if len(levels) < 2:
        return ()
    median = float(np.median(recorded))
    for cut in (float(f"{median:.3g}"), median):
        if levels[0] < cut <= levels[-1]:
            return (cut,)
    return (float(levels[1]),)  # half of the patients or more have the lowest value

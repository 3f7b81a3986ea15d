"""How a fitted model uses its predictors, over patients: effects and partial dependence, summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features.encoding import column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from models.response_model import OutcomeModel, ResponseModel

__all__ = ["describe_dependence", "describe_drivers"]

_PATIENTS: Final = 500  # drawn: means over them are exact to well within what is printed
_SHOWN: Final = 8  # predictors whose partial dependence is worked out
_POINTS: Final = 11
_FEWEST: Final = 20  # patients whose mean is given


def describe_drivers(cohort: Cohort, model: ResponseModel, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Sum up, over patients, what each predictor adds to the probability against the average patient.

    Parameters
    ----------
    cohort : Cohort
    model : ResponseModel
    seed : int

    Returns
    -------
    dict
        By outcome, one entry a predictor, the largest mean absolute effect first: `name`, `label`,
        `mean_absolute`; `low`, `q1`, `median`, `q3`, `high` (5th to 95th percentile); the mean effect
        `when_low` and `when_high` (lowest and highest third of the values seen, or no and yes), None for
        categories and where fewer than 20 patients stand behind it. Effects are in probability.
    """
    rows = _draw(cohort, seed)
    inputs = model.inputs(rows)
    return {
        name: sorted(
            (_sum_up(cohort.file, j, rows[:, j], effect) for j, effect in enumerate(part.drivers(inputs).T)),
            key=lambda driver: -driver["mean_absolute"],
        )
        for name, part in model.outcomes.items()
    }


def describe_dependence(cohort: Cohort, model: ResponseModel, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Mean probability if all patients had the same value of one predictor, for the strongest predictors.

    Parameters
    ----------
    cohort : Cohort
    model : ResponseModel
    seed : int

    Returns
    -------
    dict
        By outcome, one entry a predictor: `label`, `unit`, `kind`, `values` (a number from its 5th to its
        95th percentile, otherwise the levels), `mean`, and `low` and `high`: the middle half of patients.

    References
    ----------
    Friedman, Ann Stat 2001;29:1189-1232, section 8.2.
    """
    rows = _draw(cohort, seed)
    inputs = model.inputs(rows)
    found = {}
    for name, part in model.outcomes.items():
        strength = np.abs(part.drivers(inputs)).mean(axis=0)
        strongest = [int(j) for j in np.argsort(-strength, kind="stable")[:_SHOWN] if strength[j] > 0]
        curves = [_depend(cohort.file, model, part, rows, j) for j in strongest]
        found[name] = [curve for curve in curves if curve is not None]
    return found


def _draw(cohort: Cohort, seed: int) -> NDArray[np.float64]:
    """Rows of at most 500 patients with an endpoint."""
    known = np.flatnonzero(~np.isnan(cohort.endpoint))
    if len(known) > _PATIENTS:
        known = np.sort(np.random.default_rng(seed).choice(known, _PATIENTS, replace=False))
    return cohort.rows[known]


def _sum_up(
    file: CohortFile, j: int, values: NDArray[np.float64], effect: NDArray[np.float64]
) -> dict[str, Any]:
    low, q1, median, q3, high = (float(q) for q in np.quantile(effect, (0.05, 0.25, 0.5, 0.75, 0.95)))
    ends: tuple[float | None, float | None] = (None, None)
    if _is_ordered(file, j) and (~np.isnan(values)).any():
        cuts = np.nanquantile(values, (1 / 3, 2 / 3))
        if cuts[0] == cuts[1]:  # a rare yes, a dose that is mostly 0: the commonest value against the others
            cuts = np.array([cuts[0], np.nextafter(cuts[0], np.inf)])
        if (values >= cuts[1]).sum() < _FEWEST:
            cuts = np.array([np.nextafter(cuts[0], -np.inf), cuts[0]])
        ends = (_mean(effect[values <= cuts[0]]), _mean(effect[values >= cuts[1]]))
    name, label = _named(file, j)
    return {
        "name": name,
        "label": label,
        "mean_absolute": float(np.abs(effect).mean()),
        "low": low,
        "q1": q1,
        "median": median,
        "q3": q3,
        "high": high,
        "when_low": ends[0],
        "when_high": ends[1],
    }


def _depend(
    file: CohortFile, model: ResponseModel, part: OutcomeModel, rows: NDArray[np.float64], j: int
) -> dict[str, Any] | None:
    values, shown = _grid(file, j, rows[:, j])
    if len(values) < 2:
        return None
    changed = np.repeat(rows[None], len(values), axis=0)
    changed[:, :, j] = values[:, None]
    p = part.probability(model.inputs(changed.reshape(-1, rows.shape[1]))).reshape(len(values), -1)
    low, high = np.quantile(p, (0.25, 0.75), axis=1)
    name, label = _named(file, j)
    predictors = file.baseline_predictors
    return {
        "name": name,
        "label": label,
        "unit": predictors[j].unit if j < len(predictors) else None,
        "kind": predictors[j].kind if j < len(predictors) else "category",
        "values": shown,
        "mean": p.mean(axis=1).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }


def _grid(file: CohortFile, j: int, column: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[Any]]:
    """Encoded values of one predictor at which the mean is taken, and as they are shown."""
    predictors = file.baseline_predictors
    if j < len(predictors) and predictors[j].kind == "number":
        if np.isnan(column).all():
            return np.empty(0), []
        first, last = (float(end) for end in np.nanquantile(column, (0.05, 0.95)))
        # Rounded, so that no patient's own value is printed as an end.
        grid = np.unique([float(f"{v:.3g}") for v in np.linspace(first, last, _POINTS)])
        return grid, grid.tolist()
    levels: list[Any] = list(file.plan_levels if j == len(predictors) else predictors[j].levels)
    if not levels:
        levels = [False, True]
    return np.arange(len(levels), dtype=np.float64), levels


def _is_ordered(file: CohortFile, j: int) -> bool:
    return j < len(file.baseline_predictors) and file.baseline_predictors[j].kind != "category"


def _named(file: CohortFile, j: int) -> tuple[str, str]:
    name = column_names(file)[j]
    return name, file.baseline_predictors[j].label if j < len(file.baseline_predictors) else "Plan"


def _mean(effect: NDArray[np.float64]) -> float | None:
    return float(effect.mean()) if len(effect) >= _FEWEST else None

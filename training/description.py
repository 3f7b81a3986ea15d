"""What a report says of the patients and of the model's use of predictors: sums and shares, no patient's row.

Made when a model is fitted, because a report reads what was logged and never the data. Counts below 5 are
written as "<5"; where that alone would let a reader work the count out, another count is hidden with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features.encoding import column_names
from training.dependence import describe_dependence, describe_drivers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import Predictor
    from models.response_model import ResponseModel

__all__ = ["FEWEST", "describe", "hide_small"]

FEWEST: Final = 5
"""Smallest count that is written."""
_FEWEST_SUMMARISED: Final = 20  # observed values below which quartiles would come close to naming patients

Shown = int | str | None


def describe(cohort: Cohort, model: ResponseModel, seed: int) -> dict[str, Any]:
    """Describe patients and model.

    Parameters
    ----------
    cohort : Cohort
    model : ResponseModel
        The final model of the baseline.
    seed : int

    Returns
    -------
    dict
        `dates` (months), `groups`, `outcome`, `predictors`, `columns` and `characteristics`, `drivers`,
        `partial_dependence`: plain values, as `metrics.json` holds them.
    """
    parts = _parts(cohort)
    return {
        "dates": _months(cohort),
        "groups": _groups(cohort),
        "outcome": _outcome(cohort),
        "predictors": [_predictor(p, column) for p, column in _predictor_columns(cohort)],
        "columns": {name: int(keep.sum()) for name, keep in parts.items()},
        "characteristics": [
            _characteristic(p, {name: column[keep] for name, keep in parts.items()})
            for p, column in _predictor_columns(cohort)
            if p.landmark == "baseline"
        ],
        "drivers": describe_drivers(cohort, model, seed),
        "partial_dependence": describe_dependence(cohort, model, seed),
    }


def hide_small(counts: Mapping[str, int]) -> dict[str, Shown]:
    """Hide counts from 1 to 4, and one more where the hidden one could be found by subtraction.

    Parameters
    ----------
    counts : mapping of str to int
        Of all levels; their total is known to the reader.

    Returns
    -------
    dict
        The count, "<5", or None for the one that is hidden to protect another.

    Examples
    --------
    >>> hide_small({"female": 40, "male": 30, "other": 2})
    {'female': 40, 'male': None, 'other': '<5'}
    >>> hide_small({"female": 40, "male": 30})
    {'female': 40, 'male': 30}
    """
    shown: dict[str, Shown] = {k: f"<{FEWEST}" if 0 < n < FEWEST else n for k, n in counts.items()}
    if sum(isinstance(value, str) for value in shown.values()) == 1:
        others = {name: n for name, n in counts.items() if n >= FEWEST}
        if others:
            shown[min(others, key=others.__getitem__)] = None
    return shown


def _predictor_columns(cohort: Cohort) -> list[tuple[Predictor, NDArray[np.float64]]]:
    """Each predictor of any landmark with its encoded column."""
    columns = dict(zip(column_names(cohort.file), cohort.rows.T, strict=True))
    columns |= {p.name: c for p, c in zip(cohort.file.later_predictors, cohort.later.T, strict=True)}
    return [(p, columns[p.name]) for p in cohort.file.predictors]


def _parts(cohort: Cohort) -> dict[str, NDArray[np.bool_]]:
    """Groups of patients that characteristics are given for."""
    known = ~np.isnan(cohort.endpoint)
    parts = {"all": np.ones(len(known), dtype=bool), "with endpoint": known, "without endpoint": ~known}
    for place, plan in enumerate(cohort.file.plan_levels):
        parts[plan] = cohort.rows[:, -1] == place
    return {name: keep for name, keep in parts.items() if keep.sum() >= FEWEST}


def _predictor(predictor: Predictor, column: NDArray[np.float64]) -> dict[str, Any]:
    missing = int(np.isnan(column).sum())
    shown = hide_small({"missing": missing, "observed": len(column) - missing})
    return {
        "name": predictor.name,
        "label": predictor.label,
        "kind": predictor.kind,
        "unit": predictor.unit,
        "landmark": predictor.landmark,
        "patients": len(column),
        "missing": shown["missing"],
    }


def _characteristic(predictor: Predictor, parts: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    found = {name: _summary(predictor, column) for name, column in parts.items()}
    _protect({name: part["counts"] for name, part in found.items()})
    return {
        "name": predictor.name,
        "label": predictor.label,
        "kind": predictor.kind,
        "unit": predictor.unit,
        "parts": found,
    }


def _summary(predictor: Predictor, column: NDArray[np.float64]) -> dict[str, Any]:
    """Counts of what was seen and of what is missing; mean, deviation and quartiles of a number."""
    seen = column[~np.isnan(column)]
    missing = {"missing": len(column) - len(seen)}
    if predictor.kind == "number":
        counts = hide_small({"observed": len(seen)} | missing)
        if len(seen) < _FEWEST_SUMMARISED:
            return {"counts": counts}
        quartiles = [float(f"{q:.4g}") for q in np.quantile(seen, (0.25, 0.5, 0.75))]
        return {
            "counts": counts,
            "mean": float(seen.mean()),
            "sd": float(seen.std(ddof=1)),
            "quartiles": quartiles,
        }
    levels = ("no", "yes") if predictor.kind == "binary" else predictor.levels
    return {"counts": hide_small({level: int((seen == k).sum()) for k, level in enumerate(levels)} | missing)}


def _protect(parts: dict[str, dict[str, Shown]]) -> None:
    """Hide more counts until none that is hidden is the only one of a sum that the reader knows.

    Sums are those of the levels in each column, whose size is known, and those of the columns that add up to
    all patients: with and without an endpoint, and the plans.
    """
    ends = ("with endpoint", "without endpoint")
    levels = list(parts["all"])
    columns = [[(name, level) for level in levels] for name in parts]
    plans = tuple(name for name in parts if name not in ("all", *ends))
    sums = columns + [
        [(name, level) for name in ("all", *names) if name in parts]
        for names in (ends, plans)
        for level in levels
    ]
    again = True
    while again:
        again = False
        for cells in sums:
            seen = {(n, k): count for n, k in cells if isinstance(count := parts[n][k], int)}
            if len(cells) - len(seen) == 1 and seen:
                name, level = min(seen, key=lambda cell: (seen[cell] == 0, seen[cell]))
                parts[name][level] = None
                again = True


def _months(cohort: Cohort) -> dict[str, str] | None:
    """First and last month of treatment starts; days would be dates of single patients."""
    if cohort.dates is None:
        return None
    months = cohort.dates[~np.isnat(cohort.dates)].astype("datetime64[M]")
    return {"first": str(months.min()), "last": str(months.max())} if len(months) else None


def _groups(cohort: Cohort) -> dict[str, Any] | None:
    if cohort.groups is None:
        return None
    sizes = np.bincount(cohort.groups)
    first, middle, last = (int(size) for size in np.quantile(sizes, (0, 0.5, 1), method="nearest"))
    smallest = first if first >= FEWEST else f"<{FEWEST}"
    return {"column": cohort.file.group, "count": len(sizes), "patients": [smallest, middle, last]}


def _outcome(cohort: Cohort) -> dict[str, Any]:
    known = ~np.isnan(cohort.endpoint)

    def moments(scores: NDArray[np.float64]) -> dict[str, float | int]:
        return {"patients": len(scores), "mean": float(scores.mean()), "sd": float(scores.std())}

    events = {"response": cohort.response, "remission": cohort.remission}
    return {
        "baseline": moments(cohort.baseline),
        "endpoint": moments(cohort.endpoint[known]),
        "events": {
            name: {"patients": int(known.sum()), "events": int(np.nansum(y))} for name, y in events.items()
        },
    }

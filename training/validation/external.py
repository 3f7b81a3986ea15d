"""External validation: the version on patients it has not learned from, as it is and recalibrated."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from features.errors import TrainingDataError, UserError
from models.response_model import OUTCOMES
from training.patients import Patients, make_outer_splits
from training.validation.designs import measure_design
from training.validation.held_out import HeldOut
from training.validation.recalibration import recalibrate, tell_update

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from models.response_model import ResponseModel
    from training.folds import Split
    from training.validation.results import Design

__all__ = [
    "check_same_inputs",
    "find_differences",
    "predict_externally",
    "take_externally",
    "validate_externally",
]

_TITLES: Final = {
    "external": "External, as it is",
    "external_recalibrated_in_large": "External, in the large",
    "external_recalibrated": "External, recalibrated",
}
_LEARNED: Final = {"external": 0.0, "external_recalibrated_in_large": 1.0, "external_recalibrated": 2.0}
"""Parameters that each learns from the other folds."""


def check_same_inputs(cohort_file: CohortFile, model: CohortFile) -> None:
    """Refuse a cohort whose encoded rows would mean something else to the version.

    Parameters
    ----------
    cohort_file : CohortFile
        Of the cohort.
    model : CohortFile
        Of the version.

    Raises
    ------
    UserError
        Naming what differs.
    """
    if differences := find_differences(cohort_file, model):
        listed = "\n  - ".join(differences)
        raise UserError(f"the cohort file does not fit the version:\n  - {listed}")


def find_differences(cohort_file: CohortFile, model: CohortFile) -> list[str]:
    """Tell what the encoded rows of a cohort would mean otherwise to the version.

    Parameters
    ----------
    cohort_file, model : CohortFile
        Of the cohort and of the version.

    Returns
    -------
    list of str
        Baseline predictors that differ (name, kind, unit, levels, or a range with numbers that the version
        refuses), plans, scale or response.
    """
    problems = []
    ours, theirs = (
        {p.name: (p.kind, p.unit, p.levels) for p in file.baseline_predictors}
        for file in (cohort_file, model)
    )
    for name in dict.fromkeys([*theirs, *ours]):
        if name not in ours:
            problems.append(f"predictor {name!r} of the version is missing")
        elif name not in theirs:
            problems.append(f"predictor {name!r} is not known to the version")
        elif ours[name] != theirs[name]:
            problems.append(f"predictor {name!r} has another kind, unit or levels")
    problems += _wider_ranges(cohort_file, model)
    if not problems and list(ours) != list(theirs):
        problems.append("the predictors stand in another order")
    if cohort_file.plan_levels != model.plan_levels:
        problems.append("the plans differ, or stand in another order")
    for part in ("scale", "response_reduction"):
        if getattr(cohort_file.outcome, part) != getattr(model.outcome, part):
            problems.append(f"the outcome's {part} differs")
    return problems


def _wider_ranges(cohort_file: CohortFile, model: CohortFile) -> Iterator[str]:
    """Tell which numbers the cohort file allows and the version refuses: nobody is served on them."""
    accepted = {p.name: p.valid for p in model.baseline_predictors if p.valid is not None}
    for predictor in cohort_file.baseline_predictors:
        if (theirs := accepted.get(predictor.name)) is None:
            continue
        low, high = predictor.valid or (-math.inf, math.inf)
        if low < theirs[0] or high > theirs[1]:
            yield (
                f"predictor {predictor.name!r} may be from {low:g} to {high:g}; the version accepts "
                f"{theirs[0]:g} to {theirs[1]:g} (set valid to that: who is beyond is not predicted by it)"
            )


def take_externally(cohort: Cohort) -> Patients:
    """Take the patients of a cohort from elsewhere, which may be a single site.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    Patients
        Without groups if all are of one: what holds for others of that one site is then told by its
        patients, each drawn alone.
    """
    patients = Patients.from_cohort(cohort)
    alone = patients.groups is not None and len(np.unique(patients.groups[patients.known])) == 1
    return replace(patients, groups=None) if alone else patients


def predict_externally(patients: Patients, model: ResponseModel, seed: int) -> dict[str, pd.DataFrame | str]:
    """Predict all patients by the version, and with recalibrations learned from other patients of the cohort.

    Parameters
    ----------
    patients : Patients
    model : ResponseModel
        The version.
    seed : int
        Of the folds that recalibration is learned on.

    Returns
    -------
    dict of str to DataFrame or str
        By key of the design; rows as of `training.cross_validation.Validated.out_of_fold`, with the `slope`
        of the recalibration. The floor is plan-wise prevalence in the other folds of these very patients: it
        knows this place, the version does not. Where no folds can be made, as with two sites of which one
        has no events, the version as it is stands against the floor of all patients, themselves among them,
        which counts against it; in place of the recalibrations stands a sentence that says why.
    """
    splits, problem = _make_folds(patients, seed)
    inputs = model.inputs(patients.rows)
    everybody = np.arange(len(patients.rows))
    fold = np.empty(len(everybody), dtype=np.intp)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
    keys = ["external"] if problem else [*_TITLES]
    parts: dict[str, list[pd.DataFrame]] = {key: [] for key in keys}
    for name, outcome in model.outcomes.items():
        probability, low, high = outcome.predict(inputs)
        y = patients.outcomes[name]
        floor = _cross_fitted_floor(y, inputs.plans, splits)
        for key in keys:
            ends: tuple[NDArray[np.float64], ...] = (probability, low, high)
            slope = np.ones(len(y))
            if key != "external":
                ends, slope = recalibrate(y, ends, splits, slope=key == "external_recalibrated")
            table = {"outcome": name, "repeat": 0, "fold": 0 if key == "external" else fold}
            table |= {"patient": everybody, "observed": y, "candidate_prevalence": floor}
            table |= {"parameters": _LEARNED[key], "slope": slope}
            table |= dict(zip(("probability", "low", "high"), ends, strict=True))
            parts[key].append(pd.DataFrame(table))
    found = {key: pd.concat(tables, ignore_index=True) for key, tables in parts.items()}
    return dict.fromkeys(_TITLES, f"Not possible: {problem}") | found


def validate_externally(
    cohort: Cohort, patients: Patients, tables: Mapping[str, pd.DataFrame | str], seed: int
) -> dict[str, tuple[Design, ...]]:
    """Measure the version on other patients; groups of the cohort file are its units.

    Parameters
    ----------
    cohort : Cohort
    patients : Patients
        Of the cohort, from `take_externally`.
    tables : dict of str to DataFrame or str
        From `predict_externally`.
    seed : int

    Returns
    -------
    dict of str to tuple of Design
        By outcome: as it is, recalibrated in the large (intercept), and logistic (intercept and slope).
        Ranks, and so AUROC and average precision, are those of the version as it is, which a recalibration
        with a slope above 0 leaves alone; where a fold learned another slope, `how` says so.

    References
    ----------
    Steyerberg, Borsboom, van Houwelingen, Eijkemans and Habbema, Stat Med 2004;23:2567-2586 (recalibration).
    """
    known = patients.known
    units: tuple[tuple[str, NDArray[np.intp]], ...] = ()
    if patients.groups is not None:
        of_known = patients.groups[known]
        units = tuple((cohort.group_names[g], known[of_known == g]) for g in np.unique(of_known))
    folds = tables["external_recalibrated"]
    count, floor = (0, "all") if isinstance(folds, str) else (folds["fold"].nunique(), "other folds of")
    how = (
        "the version as it is, on patients it has not learned from; floor: plan-wise prevalence in "
        f"{floor} these patients"
    )
    if patients.groups is None and cohort.file.group is not None:
        how += f"; all of one {cohort.file.group}, so that nothing is said of others"
    as_is = HeldOut(
        "external",
        _TITLES["external"],
        how,
        units=units,
        mutual=False,
    )
    found = {"external": measure_design(as_is, patients, tables["external"], seed)}
    for key, what in (
        ("external_recalibrated_in_large", "intercept"),
        ("external_recalibrated", "intercept and slope"),
    ):
        how = f"calibration {what} learned on these very patients, each fold of {count} from the others"
        held = replace(as_is, key=key, title=_TITLES[key], how=how, units=(), mutual=True)
        found[key] = _measure_recalibrated(held, patients, tables, found["external"], seed)
    return {name: tuple(found[key][name] for key in _TITLES) for name in OUTCOMES}


def _measure_recalibrated(
    held: HeldOut,
    patients: Patients,
    tables: Mapping[str, pd.DataFrame | str],
    as_it_is: Mapping[str, Design],
    seed: int,
) -> dict[str, Design]:
    moved, raw = tables[held.key], tables["external"]
    if isinstance(moved, str) or isinstance(raw, str):
        return measure_design(held, patients, moved, seed)
    found = {}
    for name, design in measure_design(held, patients, moved, seed).items():
        before, after = (table[table["outcome"] == name] for table in (raw, moved))
        found[name] = tell_update(design, as_it_is[name], before, after, patients, seed)
    return found


def _make_folds(patients: Patients, seed: int) -> tuple[list[Split], str]:
    """Make folds for floor and recalibration; all patients for both, and why, where there are none."""
    try:
        return make_outer_splits(patients, seed), ""
    except TrainingDataError as exc:
        return [(patients.known, np.arange(len(patients.rows)))], str(exc)


def _cross_fitted_floor(
    y: NDArray[np.float64], plans: NDArray[np.intp], splits: Sequence[Split]
) -> NDArray[np.float64]:
    """Share with the outcome on each plan in training patients, shrunk by two patients to that of all."""
    floor = np.empty(len(y))
    size = int(plans.max()) + 1
    for train, test in splits:
        overall = (y[train].sum() + 0.5) / (len(train) + 1)
        events = np.bincount(plans[train], weights=y[train], minlength=size) + 2 * overall
        floor[test] = (events / (np.bincount(plans[train], minlength=size) + 2))[plans[test]]
    return floor

"""What is held out in turn: folds, groups, periods; chosen from what the cohort file offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import SAMPLES, draw_weights, estimate_metrics, repeats_of
from training.cross_validation import Fold, fit_fold
from training.folds import make_splits
from training.patients import Patients, make_outer_splits
from training.validation.refits import Work
from training.validation.results import Design
from training.validation.units import FEWEST_OF_CLASS, measure_unit, summarise_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.folds import Split

__all__ = [
    "HeldOut",
    "hold_out_folds",
    "hold_out_groups",
    "hold_out_periods",
    "interval_words",
    "measure_design",
    "plan_design",
]

_MOST_FITS: Final = 50
"""Groups up to which each is held out alone; more are held out in `_BATCHES`."""
_BATCHES: Final = 20
_PERIODS: Final = 5
_ANEW: Final = "the version's candidate, tuned and calibrated anew"
_FIRST_SHARE: Final = 0.4
"""Of the patients, in order of time, who are learned from only: the first model needs a past."""


@dataclass(frozen=True)
class HeldOut:
    """A design: who is held out in turn, and from whom is learned then.

    Parameters
    ----------
    key, title, how : str
        As of `training.validation.results.Design`.
    splits : sequence of sequences of Split
        Of each repeat. Empty if the design cannot be carried out; `how` says why then.
    units : tuple of (str, ndarray of int)
        Name and patients of each unit; () for folds that mean nothing by themselves.
    mutual : bool
        Whether patients are learned from to predict those that they are predicted from (`training.overlap`).
    """

    key: str
    title: str
    how: str
    splits: Sequence[Sequence[Split]] = ()
    units: tuple[tuple[str, NDArray[np.intp]], ...] = ()
    mutual: bool = True


def hold_out_folds(patients: Patients, seed: int, repeats: int) -> HeldOut:
    """Stratified folds that follow groups, as the fit made them.

    Parameters
    ----------
    patients : Patients
    seed : int
        Of the fit.
    repeats : int

    Returns
    -------
    HeldOut

    References
    ----------
    Varma and Simon, BMC Bioinformatics 2006;7:91 (why tuning must be nested).
    """
    splits = [make_outer_splits(patients, seed + repeat) for repeat in range(repeats)]
    times = "once" if repeats == 1 else f"{repeats} times with other folds"
    whole = "" if patients.groups is None else f", no {patients.cohort_file.group} parted"
    return HeldOut(
        "nested_cv",
        "Nested cross-validation",
        f"{len(splits[0])} folds, {times}{whole}; encoding, tuning and calibration learned anew in each",
        splits,
    )


def hold_out_groups(cohort: Cohort, patients: Patients) -> HeldOut | None:
    """Each group of the cohort file (a site, a cluster) in turn; the model is learned from the others.

    Parameters
    ----------
    cohort : Cohort
    patients : Patients
        Of the cohort.

    Returns
    -------
    HeldOut or None
        None without groups. More than 50 are held out in 20 batches of whole groups.

    References
    ----------
    Steyerberg and Harrell, J Clin Epidemiol 2016;69:245-247 (internal-external validation); Debray et al.,
    Stat Med 2013;32:3158-3180.
    """
    if patients.groups is None:
        return None
    known, name = patients.known, str(cohort.file.group)
    key, title = "leave_group_out", f"Each {name} held out"
    of_known = patients.groups[known]
    labels = np.unique(of_known)
    y = patients.outcomes["response"][known]
    folds = _BATCHES if len(labels) > _MOST_FITS else len(labels)
    try:
        if folds == _BATCHES:
            found = make_splits(y, of_known, folds, 0)
        else:
            found = [(np.flatnonzero(of_known != g), np.flatnonzero(of_known == g)) for g in labels]
            _check_both_classes(y, found)
    except TrainingDataError as exc:
        return HeldOut(key, title, f"Not possible: {exc}")
    batches = f", in {_BATCHES} batches" if folds == _BATCHES else ""
    return HeldOut(
        key,
        title,
        f"{len(labels)} groups by {name}, each predicted from the others{batches}; {_ANEW}",
        [[(known[train], known[test]) for train, test in found]],
        tuple((cohort.group_names[g], known[of_known == g]) for g in labels),
    )


def hold_out_periods(cohort: Cohort, patients: Patients) -> HeldOut | None:
    """Each later period in turn; the model is learned from everything earlier, never from what came after.

    In use a model meets the patients of its future. Learning from the later periods as well, as the name
    leave-period-out may suggest, would interpolate a drift that in use must be extrapolated.

    Parameters
    ----------
    cohort : Cohort
    patients : Patients
        Of the cohort.

    Returns
    -------
    HeldOut or None
        None without dates. The first 40 % of the patients are learned from only; the others are cut into up
        to five periods of about equal size; no day is parted. Groups that stand in a period are left out of
        what it is predicted from if that leaves at least half of it: repeated courses of a patient are,
        sites that treat all the time are not.

    References
    ----------
    Steyerberg and Harrell, J Clin Epidemiol 2016;69:245-247; Debray et al., J Clin Epidemiol 2015;68:279-289.
    """
    if cohort.dates is None:
        return None
    title = "Later periods held out"
    dated = patients.known[~np.isnat(cohort.dates[patients.known])]
    days = cohort.dates[dated].astype("datetime64[D]")
    y = patients.outcomes["response"][dated]
    bounds = _cut(days, y)
    if bounds is None:
        few = f"no {FEWEST_OF_CLASS} patients with and without response after the first {_FIRST_SHARE:.0%}"
        return HeldOut("leave_period_out", title, f"Not possible: {few}")
    splits, units, apart = [], [], True
    for start, end in pairwise(bounds):
        test, train = dated[(days >= start) & (days < end)], dated[days < start]
        if patients.groups is not None:
            elsewhere = train[~np.isin(patients.groups[train], patients.groups[test])]
            apart = apart and 2 * len(elsewhere) >= len(train)
            train = elsewhere if 2 * len(elsewhere) >= len(train) else train
        splits.append((train, test))
        held = cohort.dates[test].astype("datetime64[D]")
        units.append((f"{held.min()} to {held.max()}", test))
    undated = len(patients.known) - len(dated)
    return HeldOut(
        "leave_period_out",
        title,
        f"{len(units)} periods by {cohort.file.date}, each predicted from earlier patients"
        + ("" if apart else f", those of the same {cohort.file.group} too")
        + f"; {_ANEW}"
        + (f"; {undated} patients without a date left out" if undated else ""),
        [splits],
        tuple(units),
        mutual=False,
    )


def plan_design(
    patients: Patients,
    held: HeldOut,
    seed: int,
    candidates: str | Mapping[str, str] | Sequence[Mapping[str, str]] | None,
) -> Work[pd.DataFrame | str]:
    """Make the fits of a design.

    Parameters
    ----------
    patients : Patients
    held : HeldOut
    seed : int
    candidates : str, mapping of str to str, sequence of such mappings, or None
        To use in every fit, or in each (all folds of a repeat, then of the next); None searches over all.

    Returns
    -------
    Work
        Whose result is the table of `training.cross_validation.Validated.out_of_fold`, or a sentence that
        says why a fold could not be learned from; for `measure_design`.
    """
    tasks = [(r, f, split) for r, splits in enumerate(held.splits) for f, split in enumerate(splits)]
    choices: Sequence[Any] = [candidates] * len(tasks)
    if isinstance(candidates, Sequence) and not isinstance(candidates, str):
        choices = candidates
    jobs: list[Any] = [
        delayed(_try_fold)(patients, seed, choice, *task) for choice, task in zip(choices, tasks, strict=True)
    ]
    return Work(jobs, lambda folds: _join(folds, held.how))


def measure_design(
    held: HeldOut, patients: Patients, table: pd.DataFrame | str, seed: int
) -> dict[str, Design]:
    """Measure what was predicted of those held out.

    Parameters
    ----------
    held : HeldOut
    patients : Patients
    table : DataFrame or str
        From `plan_design`.
    seed : int

    Returns
    -------
    dict of str to Design
        By outcome. Without figures if the design was not possible; `how` says why.
    """
    if isinstance(table, str):
        return {name: Design(held.key, held.title, table, 0, 0, {}) for name in OUTCOMES}
    return {name: _measure(held, patients, table[table["outcome"] == name], seed) for name in OUTCOMES}


def interval_words(patients: Patients) -> str:
    """Say how intervals were made."""
    drawn = "patients" if patients.groups is None else f"whole groups ({patients.cohort_file.group})"
    return f"95 % intervals from {SAMPLES} bootstrap samples of {drawn}"


def _measure(held: HeldOut, patients: Patients, table: pd.DataFrame, seed: int) -> Design:
    observed = table[table["observed"].notna()]
    if not held.mutual:
        observed = observed.assign(parameters=0.0)
    repeats = repeats_of(observed)
    members = np.unique(observed["patient"].to_numpy())
    groups = None if patients.groups is None else patients.groups[members]
    metrics = estimate_metrics(repeats, draw_weights(len(members), groups, seed))
    data = repeats[0]
    pieces = [(name, data.take(np.isin(members, unit))) for name, unit in held.units]
    summary = summarise_units([piece for _, piece in pieces])
    units = [measure_unit(name, piece) for name, piece in pieces]
    if len(units) > _MOST_FITS:
        units = [unit for unit in units if unit.metrics]
    how = f"{held.how}; {interval_words(patients)}"
    if data.parameters:
        how += " and what folds learn from each other"
    if held.units:
        how += _tell_units(len(pieces), summary.used, bool(summary.mean))
    return Design(
        held.key,
        held.title,
        how,
        len(data.y),
        int(data.y.sum()),
        metrics,
        tuple(units),
        summary.mean,
        summary.new_unit,
        summary.between,
    )


def _tell_units(units: int, large: int, summarised: bool) -> str:
    """Say which units have figures of their own."""
    enough = f"at least {FEWEST_OF_CLASS} patients with and without the outcome"
    within = "; AUROC and slope compare patients of one unit"
    if not summarised:
        return f"{within}; all units together, since only {large} of {units} have {enough}"
    left = f", those with {enough} of {units}" if large < units else ""
    return f"{within}; random-effects summary (REML, Hartung-Knapp) over {large} units{left}"


def _try_fold(*arguments: Any) -> Fold | str:
    """Fit a fold; what cannot be learned from is an answer about the design, not the end of all others."""
    try:
        return fit_fold(*arguments)
    except TrainingDataError as exc:
        return f"Not possible: {exc}"


def _join(folds: Sequence[Fold | str], otherwise: str) -> pd.DataFrame | str:
    """All folds' rows in order, or why there are none."""
    failed = [fold for fold in folds if isinstance(fold, str)]
    if failed or not folds:
        return failed[0] if failed else otherwise
    done = [fold for fold in folds if isinstance(fold, Fold)]
    ordered = sorted(done, key=lambda fold: (fold.repeat, fold.fold))
    return pd.concat([fold.table for fold in ordered], ignore_index=True)


def _check_both_classes(y: NDArray[np.float64], splits: Sequence[Split]) -> None:
    if len(splits) < 2:
        raise TrainingDataError("there is only one group")
    if any(min(y[train].sum(), len(train) - y[train].sum()) < 2 for train, _ in splits):
        raise TrainingDataError("without one of the groups, fewer than 2 patients of a class are left")


def _cut(days: NDArray[np.datetime64], y: NDArray[np.float64]) -> list[np.datetime64] | None:
    """First day of each period and the day after the last; as many periods as hold enough of both classes."""
    ordered = np.sort(days)
    for count in range(_PERIODS, 0, -1):
        shares = np.linspace(_FIRST_SHARE, 1.0, count + 1)[:-1]
        starts = ordered[(shares * len(ordered)).astype(np.intp)] if len(ordered) else ordered
        bounds = [*starts, ordered[-1] + np.timedelta64(1, "D")] if len(ordered) else []
        inside = [y[(days >= a) & (days < b)] for a, b in pairwise(bounds)]
        before = y[days < bounds[0]] if bounds else y[:0]
        if all(min(part.sum(), len(part) - part.sum()) >= FEWEST_OF_CLASS for part in (before, *inside)):
            return bounds
    return None

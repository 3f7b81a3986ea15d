"""What is held out in turn: folds, groups, periods; chosen from what the cohort file offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from features.errors import TrainingDataError
from training.patients import Patients, make_outer_splits
from training.validation.units import FEWEST_OF_CLASS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.folds import Split

__all__ = ["MOST_FITS", "HeldOut", "hold_out_folds", "hold_out_groups", "hold_out_periods", "tell_candidate"]

MOST_FITS: Final = 50
"""Groups up to which each is held out alone; more are held out in `_BATCHES` of each outer fold."""
_BATCHES: Final = 4
_PERIODS: Final = 5
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
    ordered : bool
        Whether the units follow each other in time, so that a new one is not drawn from among them.
    """

    key: str
    title: str
    how: str
    splits: Sequence[Sequence[Split]] = ()
    units: tuple[tuple[str, NDArray[np.intp]], ...] = ()
    mutual: bool = True
    ordered: bool = False


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


def tell_candidate(held: HeldOut, candidate: str) -> HeldOut:
    """Add to `how` whose choice the candidate was, if the design can be carried out.

    Parameters
    ----------
    held : HeldOut
    candidate : str
        From `training.validation.candidates`.

    Returns
    -------
    HeldOut
    """
    return replace(held, how=f"{held.how}; {candidate}, tuned and calibrated anew") if held.splits else held


def hold_out_groups(cohort: Cohort, patients: Patients, folds: Sequence[Split]) -> HeldOut | None:
    """Each group of the cohort file (a site, a cluster) in turn; the model is learned from the others.

    Parameters
    ----------
    cohort : Cohort
    patients : Patients
        Of the cohort.
    folds : sequence of Split
        Outer folds of the fit.

    Returns
    -------
    HeldOut or None
        None without groups. More than 50 are held out in batches of whole groups, four to an outer fold:
        what was chosen in that fold was then chosen without any of them.

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
    many = len(labels) > MOST_FITS
    batches = _batches(patients.groups, folds, known) if many else [np.array([g]) for g in labels]
    inside = [np.isin(of_known, batch) for batch in batches]
    found = [(np.flatnonzero(~held), np.flatnonzero(held)) for held in inside]
    try:
        found = _keep_learnable(y, found)
    except TrainingDataError as exc:
        return HeldOut(key, title, f"Not possible: {exc}")
    told = f", in {len(batches)} batches" if many else ""
    return HeldOut(
        key,
        title,
        f"{len(labels)} groups by {name}, each predicted from the others{told}",
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
        sites that treat all the time are not. Periods have an order and perhaps a trend: they are shown and
    averaged, but nothing is predicted for a new one as if it were drawn from among them.

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
        f"{len(units)} periods by {cohort.file.date}, each predicted from patients up to the day before it, "
        "as if their endpoints were known by then"
        + ("" if apart else f", those of the same {cohort.file.group} too")
        + (f"; {undated} patients without a date left out" if undated else ""),
        [splits],
        tuple(units),
        mutual=False,
        ordered=True,
    )


def _batches(
    groups: NDArray[np.intp], folds: Sequence[Split], known: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """Deal the groups of each outer fold into batches, the largest first, so that all are of like size."""
    found = []
    for _, test in folds:
        labels, counts = np.unique(groups[np.intersect1d(test, known)], return_counts=True)
        ordered = labels[np.argsort(-counts, kind="stable")]
        found += [ordered[i::_BATCHES] for i in range(min(_BATCHES, len(ordered)))]
    return found


def _keep_learnable(y: NDArray[np.float64], splits: Sequence[Split]) -> list[Split]:
    """Keep those without whom both classes can still be learned; the others are lost."""
    if len(splits) < 2:
        raise TrainingDataError("there is only one group")
    kept = [(train, test) for train, test in splits if _rarer(y[train]) >= 2]
    if not kept or not _rarer(y[np.concatenate([test for _, test in kept])]):
        raise TrainingDataError(
            "without one of the groups, fewer than 2 patients of a class are left, and the others hold a "
            "single class"
        )
    return kept


def _rarer(y: NDArray[np.float64]) -> int:
    return int(min(y.sum(), len(y) - y.sum()))


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

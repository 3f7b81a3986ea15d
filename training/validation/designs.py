"""Fits and figures of a design: models learned without those held out, and how well they predict them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import SAMPLES, draw_weights, estimate_metrics, repeats_of
from training.cross_validation import Fold, fit_fold
from training.net_benefit import metrics_of
from training.validation.held_out import MOST_FITS
from training.validation.pool import Work
from training.validation.results import Design
from training.validation.units import FEWEST_OF_CLASS, measure_unit, summarise_units

if TYPE_CHECKING:
    from training.patients import Patients
    from training.validation.held_out import HeldOut

__all__ = ["make_design_jobs", "measure_design"]


def make_design_jobs(
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
        says why a fold could not be learned from; for `measure_design`. Where units are held out, only those
        are lost that the others teach too little of.
    """
    tasks = [(r, f, split) for r, splits in enumerate(held.splits) for f, split in enumerate(splits)]
    choices: Sequence[Any] = [candidates] * len(tasks)
    if isinstance(candidates, Sequence) and not isinstance(candidates, str):
        choices = candidates
    jobs: list[Any] = [
        delayed(_try_fold)(patients, seed, choice, *task) for choice, task in zip(choices, tasks, strict=True)
    ]
    return Work(jobs, lambda folds: _join(folds, held))


def measure_design(
    held: HeldOut, patients: Patients, table: pd.DataFrame | str, seed: int
) -> dict[str, Design]:
    """Measure what was predicted of those held out.

    Parameters
    ----------
    held : HeldOut
    patients : Patients
    table : DataFrame or str
        From `make_design_jobs`.
    seed : int

    Returns
    -------
    dict of str to Design
        By outcome. Without figures if the design was not possible; `how` says why.
    """
    if isinstance(table, str):
        return {name: Design.not_possible(held.key, held.title, table) for name in OUTCOMES}
    return {name: _measure(held, patients, name, table[table["outcome"] == name], seed) for name in OUTCOMES}


def _measure(held: HeldOut, patients: Patients, outcome: str, table: pd.DataFrame, seed: int) -> Design:
    observed = table[table["observed"].notna()]
    if not held.mutual:
        observed = observed.assign(parameters=0.0)
    repeats = repeats_of(observed)
    members = np.unique(observed["patient"].to_numpy())
    groups = None if patients.groups is None else patients.groups[members]
    metrics = estimate_metrics(repeats, draw_weights(len(members), groups, seed), metrics_of(outcome))
    data = repeats[0]
    lost = [name for name, unit in held.units if not np.isin(unit, members).any()]
    pieces = [(name, data.take(np.isin(members, unit))) for name, unit in held.units if name not in lost]
    summary = summarise_units([piece for _, piece in pieces])
    units = [measure_unit(name, piece) for name, piece in pieces]
    if len(units) > MOST_FITS:
        units = [unit for unit in units if unit.metrics]
    how = f"{held.how}; {_interval_words(patients)}"
    if data.parameters:
        how += " and what folds learn from each other"
    if held.units:
        how += _tell_units(len(pieces), summary.used, bool(summary.mean))
    if lost:
        how += f"; {', '.join(lost)} left out: without their patients there is too little to learn from"
    if held.ordered:
        how += "; periods are ordered, so that no interval is given for a new one"
    return Design(
        key=held.key,
        title=held.title,
        how=how,
        patients=len(data.y),
        events=int(data.y.sum()),
        metrics=metrics,
        units=tuple(units),
        summary=summary.mean,
        new_unit={} if held.ordered else summary.new_unit,
        between=summary.between,
    )


def _interval_words(patients: Patients) -> str:
    """Say how intervals were made."""
    drawn = "patients" if patients.groups is None else f"whole groups ({patients.cohort_file.group})"
    return f"95 % intervals from {SAMPLES} bootstrap samples of {drawn}"


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


def _join(folds: Sequence[Fold | str], held: HeldOut) -> pd.DataFrame | str:
    """All folds' rows in order, or why there are none; units can be missed, folds of one whole cannot."""
    failed = [fold for fold in folds if isinstance(fold, str)]
    done = [fold for fold in folds if isinstance(fold, Fold)]
    if not done or (failed and not held.units):
        return failed[0] if failed else held.how
    ordered = sorted(done, key=lambda fold: (fold.repeat, fold.fold))
    return pd.concat([fold.table for fold in ordered], ignore_index=True)

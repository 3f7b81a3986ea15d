"""The first design of `validate` on a simulated cohort: what most gates are judged on, with one repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights, repeats_of
from training.gates.gate import CHECKS
from training.net_benefit import CURVE, THRESHOLDS, decision_curves
from training.patients import Patients
from training.validation.bands import calibration_band, count_predictions
from training.validation.coverage import measure_coverage
from training.validation.designs import make_design_jobs, measure_design
from training.validation.held_out import hold_out_folds
from training.validation.results import OutcomeValidation, Validation
from training.validation.subgroups import measure_subgroups

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.validation.held_out import HeldOut

__all__ = ["clinical_thresholds", "measured_thresholds", "predict_first", "validate_first", "weights_of"]


def predict_first(patients: Patients, held: HeldOut, seed: int, candidate: str) -> pd.DataFrame:
    """Predict patients out of fold, with a given candidate and in this process.

    Parameters
    ----------
    patients : Patients
    held : HeldOut
    seed : int
    candidate : str

    Returns
    -------
    DataFrame
        See `training.cross_validation.Validated.out_of_fold`.

    Raises
    ------
    TrainingDataError
        If a fold cannot be learned from.
    """
    work = make_design_jobs(patients, held, seed, candidate)
    table = work.finish([job(*arguments, **options) for job, arguments, options in work.jobs])
    if isinstance(table, str):
        raise TrainingDataError(table)
    return table


def validate_first(made: Cohort, table: pd.DataFrame, seed: int, candidate: str) -> Validation:
    """Measure what gates for all patients and for subgroups are judged on; checks are taken as passed.

    Parameters
    ----------
    made : Cohort
    table : DataFrame
        From `predict_first`, of the cohort's own patients.
    seed : int
    candidate : str
        By which they were predicted.

    Returns
    -------
    Validation
    """
    patients = Patients.from_cohort(made)
    designs = measure_design(hold_out_folds(patients, seed, 1), patients, table, seed)
    weights = weights_of(patients, seed)
    outcomes = {}
    for name in OUTCOMES:
        part = table[table["outcome"] == name]
        repeats = repeats_of(part)
        low, high = THRESHOLDS[name]
        outcomes[name] = OutcomeValidation(
            designs=(designs[name],),
            candidate=candidate,
            calibration=calibration_band(repeats, weights),
            histogram=count_predictions(repeats[0]),
            net_benefit=decision_curves(repeats, weights, measured_thresholds(name)),
            thresholds=(low, high),
            coverage=measure_coverage(part, weights),
            subgroups=measure_subgroups(made, repeats, patients.known, weights, (low + high) / 2),
        )
    so = dict.fromkeys(CHECKS, (True, "not the subject here"))
    return Validation({"champion": ""}, {}, "", True, so, outcomes, seed=seed)


def weights_of(patients: Patients, seed: int) -> NDArray[np.float64]:
    """Draw the bootstrap weights of the patients with an endpoint, of shape (samples, n_known)."""
    known = patients.known
    return draw_weights(len(known), patients.known_groups, seed)


def clinical_thresholds(outcome: str) -> dict[str, float]:
    """Give both ends and the middle of the clinical range."""
    low, high = THRESHOLDS[outcome]
    return {"low": low, "middle": (low + high) / 2, "high": high}


def measured_thresholds(outcome: str) -> tuple[float, ...]:
    """Give the thresholds of the decision curve that lie in the clinical range."""
    low, high = THRESHOLDS[outcome]
    return tuple(at for at in CURVE if low <= at <= high)

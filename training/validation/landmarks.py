"""What is answered from later landmarks, measured as what is answered before treatment is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from features.cohort_file_model import BASELINE
from training.cross_validation import reuse_candidates
from training.patients import Patients
from training.validation.candidates import choose_apart
from training.validation.designs import make_design_jobs, measure_design
from training.validation.external import find_differences, predict_externally, take_externally
from training.validation.held_out import HeldOut, tell_candidate
from training.validation.refits import candidates_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from features.cohort import Cohort
    from models.care_model import CareModel
    from training.validation.pool import Work
    from training.validation.results import Design

__all__ = ["make_landmark_jobs", "measure_landmark", "predict_landmarks"]


def make_landmark_jobs(
    cohort: Cohort,
    model: CareModel,
    folds: HeldOut,
    seed: int,
    *,
    fixed: str | None = None,
    winners: Sequence[Mapping[str, str]] = (),
) -> tuple[dict[str, Work[pd.DataFrame | str]], HeldOut]:
    """Make the jobs that predict the patients of the fit at each later landmark, out of fold.

    Parameters
    ----------
    cohort : Cohort
    model : CareModel
        The version.
    folds : HeldOut
        Of the baseline; its first repeat is used.
    seed : int
    fixed : str, optional
        Candidate that the fit was told to use.
    winners : sequence of mapping of str to str
        What the fit chose at baseline in these folds: as in the fit, that, or `ridge` in place of plan-wise
        prevalence, is tuned and calibrated anew. Where it is not known, the version's candidate is.

    Returns
    -------
    works : dict of str to Work
        By landmark, in the order of the course.
    held : HeldOut
        What is held out at each, for `measure_landmark`.
    """
    once = replace(folds, splits=folds.splits[:1], how=f"{len(folds.splits[0])} folds, once")
    chosen = [reuse_candidates(won, fixed) for won in winners]
    works, words = {}, ""
    for name in _later(model):
        patients = Patients.from_cohort(cohort.at(name))
        own = candidates_of(model.landmarks[name])
        candidates, words = choose_apart(once, own, fixed, once.splits[0], chosen)
        works[name] = make_design_jobs(patients, once, seed, candidates)
    return works, tell_candidate(once, words)


def predict_landmarks(cohort: Cohort, model: CareModel, seed: int) -> dict[str, pd.DataFrame | str]:
    """Predict other patients than those of the fit by the version itself, at each later landmark.

    Parameters
    ----------
    cohort : Cohort
    model : CareModel
    seed : int
        Of the folds that the floor is learned on.

    Returns
    -------
    dict of str to DataFrame or str
        By landmark; a sentence where the cohort file does not offer what the version asks for there.
    """
    found: dict[str, pd.DataFrame | str] = {}
    for name in _later(model):
        own = model.landmarks[name]
        if name not in cohort.file.landmarks:
            found[name] = f"Not possible: the cohort file has no landmark {name}"
        elif differences := find_differences(cohort.file.at(name), own.cohort_file):
            found[name] = f"Not possible: {'; '.join(differences)}"
        else:
            found[name] = predict_externally(take_externally(cohort.at(name)), own, seed)["external"]
    return found


def measure_landmark(
    name: str, patients: Patients, table: pd.DataFrame | str, folds: HeldOut | None, seed: int
) -> dict[str, Design]:
    """Measure what was predicted at a landmark of the patients with an endpoint, all of them still in care.

    Parameters
    ----------
    name : str
        Of the landmark.
    patients : Patients
        Of the cohort.
    table : DataFrame or str
        From `make_landmark_jobs` or `predict_landmarks`.
    folds : HeldOut or None
        From `plan_landmarks`; None of patients whom the version itself predicted.
    seed : int

    Returns
    -------
    dict of str to Design
        By outcome, the landmark its key; without figures where there are no predictions.
    """
    how = "the version as it is, on patients it has not learned from"
    if folds is not None:
        how = folds.how
    held = HeldOut(name, name.replace("_", " ").capitalize(), how, mutual=folds is not None)
    return measure_design(held, patients, table, seed)


def _later(model: CareModel) -> list[str]:
    return [name for name in model.landmarks if name != BASELINE]

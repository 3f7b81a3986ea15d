"""One fit from a cohort to a validated model: what is computed, before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config

from features.cohort_file import BASELINE
from features.trainable import check_trainable
from models.candidates import CANDIDATES
from models.care_model import CareModel
from models.learned_from import LearnedFrom
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights
from training.cross_validation import REPEATS, Validated, cross_validate
from training.description import describe
from training.durability.fit import DurabilityReport, fit_durability
from training.landmarks import LandmarkFit, find_landmarks, fit_landmark, tables_of
from training.patients import Patients
from training.plans.report import PlanReport, report_plans
from training.reports import report_landmark, report_outcome
from training.sample_size import MOST_PARAMETERS, SampleSize, decisive_size, size_outcomes
from training.stopping import measure_stopping

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from models.durability import DurabilityModel
    from models.stopping import StoppingRule
    from training.diagnostics.findings import Finding
    from training.progress import Progress
    from training.reports import OutcomeReport

__all__ = ["Fit", "data_digest", "fit_cohort"]

_TREE_EVENTS = min(c.minimum_events for c in CANDIDATES if c.minimum_events)  # below: floor and ridge alone


@dataclass(frozen=True)
class Fit:
    """A validated model with what is known about it.

    Parameters
    ----------
    cohort : Cohort
    validated : Validated
    outcomes : mapping of str to OutcomeReport
    landmarks : mapping of str to LandmarkFit
        Of the later landmarks, in the order of the course.
    plans : PlanReport or None
        None without plans to compare.
    durability : DurabilityModel or None
    durability_report : DurabilityReport or None
        None without a section [durability]; it says why where there is no model.
    stopping : StoppingRule or None
    sample_sizes : mapping of str to SampleSize
        Patients needed, by outcome.
    parameters : int
        Columns that the linear candidates estimate a weight for.
    weights : ndarray of shape (samples, n_known)
        Bootstrap weights of the patients with an endpoint.
    warnings : tuple of str
    seed : int
    only : str or None
        Candidate that was fixed by the user.
    description : mapping
        Of patients and model (`training.description.describe`).
    findings : tuple of Finding
        Of the diagnostics, where they were asked for (`training.run.run_fit`).
    acknowledged : tuple of str
        Names of severe findings that the user stands by.
    """

    cohort: Cohort
    validated: Validated
    outcomes: Mapping[str, OutcomeReport]
    landmarks: Mapping[str, LandmarkFit]
    plans: PlanReport | None
    durability: DurabilityModel | None
    durability_report: DurabilityReport | None
    stopping: StoppingRule | None
    sample_sizes: Mapping[str, SampleSize]
    parameters: int
    weights: NDArray[np.float64]
    warnings: tuple[str, ...]
    seed: int
    only: str | None
    description: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    acknowledged: tuple[str, ...] = ()

    @property
    def model(self) -> CareModel:
        """Everything that is saved and served."""
        plans = None if self.plans is None else self.plans.model
        later = {name: landmark.validated.final.model for name, landmark in self.landmarks.items()}
        known = ~np.isnan(self.cohort.response)
        return CareModel(
            {BASELINE: self.validated.final.model} | later,
            plans,
            self.durability,
            self.stopping,
            LearnedFrom.of(self.cohort.rows[known], self.cohort.baseline[known]),
        )


def fit_cohort(
    cohort: Cohort,
    seed: int = 0,
    only: str | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Cross-validate, fit the final models of all landmarks and measure.

    Parameters
    ----------
    cohort : Cohort
    seed : int
    only : str, optional
        Candidate to use, whatever the searches say.
    progress : callable, optional
        Called with the number of fits done and of all.

    Returns
    -------
    Fit

    Raises
    ------
    TrainingDataError
        If the cohort has too few events, or columns from which nothing can be learned.
    """
    check_trainable(cohort, ["response"])  # too few remissions leave its floor, and a warning
    usable, left_out = find_landmarks(cohort)
    patients = Patients.from_cohort(cohort)
    stages = _stages(progress, len(usable))
    validated = cross_validate(patients, seed, only, progress=stages[0])
    landmarks = {
        name: fit_landmark(cohort, name, validated, seed, only, stage)
        for name, stage in zip(usable, stages[1:], strict=True)
    }
    known = patients.known
    weights = draw_weights(len(known), patients.known_groups, seed)
    measured = _measure(cohort, validated, landmarks, weights, seed)
    outcomes = measured.outcomes
    parameters = validated.final.model.encoder.n_parameters_
    shares = {name: report.events / report.patients for name, report in outcomes.items()}
    needed = size_outcomes(parameters, shares)
    warnings = [*_warnings(validated, outcomes, needed, parameters), *left_out]
    if measured.durability_report is not None:
        warnings += measured.durability_report.warnings
    rule = cohort.file.futility
    at_rule = landmarks.get(rule.landmark) if rule is not None else None
    stopping = measure_stopping(cohort, None if at_rule is None else at_rule.validated.out_of_fold)
    plans = report_plans(patients, validated)
    return Fit(
        cohort=cohort,
        validated=validated,
        outcomes=outcomes,
        landmarks=measured.landmarks,
        plans=plans,
        durability=measured.durability,
        durability_report=measured.durability_report,
        stopping=stopping,
        sample_sizes=needed,
        parameters=parameters,
        weights=weights,
        warnings=tuple(warnings),
        seed=seed,
        only=only,
        description=describe(cohort, validated.final.model, seed),
    )


def data_digest(cohort: Cohort) -> str:
    """SHA-256 of what the model is learned from: the same data in another file format, the same digest.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256(cohort.file.text.encode())
    parts = [cohort.rows, cohort.response, cohort.remission, cohort.groups, cohort.later, cohort.checks]
    if follow_up := cohort.follow_up:
        parts += [follow_up.weeks, follow_up.relapsed, follow_up.maintenance]
    for part in parts:
        if part is not None:
            digest.update(np.ascontiguousarray(part, dtype=np.float64).tobytes())
    return digest.hexdigest()


def _stages(progress: Progress | None, later: int) -> list[Progress | None]:
    """Let the baseline and each later landmark, which takes one repeat, tell their progress as one."""
    if progress is None:
        return [None] * (1 + later)

    def of_all(folds: int) -> tuple[int, int]:
        baseline = 1 + REPEATS * folds
        return baseline, baseline + later * (1 + folds)

    def tell_baseline(done: int, of: int) -> None:
        progress(done, of_all((of - 1) // REPEATS)[1])

    def tell_later(number: int, done: int, of: int) -> None:
        before, total = of_all(of - 1)
        progress(before + number * of + done, total)

    return [tell_baseline, *(partial(tell_later, number) for number in range(later))]


class _Measured(NamedTuple):
    outcomes: dict[str, OutcomeReport]
    landmarks: dict[str, LandmarkFit]
    durability: DurabilityModel | None
    durability_report: DurabilityReport | None


def _measure(
    cohort: Cohort,
    validated: Validated,
    landmarks: Mapping[str, LandmarkFit],
    weights: NDArray[np.float64],
    seed: int,
) -> _Measured:
    """Durability, and figures with bootstrap intervals of all landmarks and outcomes, side by side."""
    before = tables_of(validated)
    now = {landmark: tables_of(fit.validated) for landmark, fit in landmarks.items()}
    share = _remission_share(before)
    jobs: list[Any] = [delayed(fit_durability)(cohort, validated.final.model.encoder, seed, share)]
    jobs += [delayed(report_outcome)(before[name], weights) for name in OUTCOMES]
    jobs += [
        delayed(report_landmark)(now[landmark][name], before[name], weights)
        for landmark in landmarks
        for name in OUTCOMES
    ]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        done: Iterator[Any] = iter(Parallel(n_jobs=-1)(jobs))
    durability, report = next(done)
    outcomes = {name: next(done) for name in OUTCOMES}
    measured = {
        landmark: replace(fit, outcomes={name: next(done) for name in OUTCOMES})
        for landmark, fit in landmarks.items()
    }
    return _Measured(outcomes, measured, durability, report)


def _remission_share(tables: Mapping[str, pd.DataFrame]) -> NDArray[np.float64]:
    """Probability of remission given response of each patient, out of fold, the mean over the repeats."""
    means = {name: table.groupby("patient")["probability"].mean() for name, table in tables.items()}
    ratio = (means["remission"] / means["response"]).sort_index().to_numpy(np.float64)
    # Two models made the two probabilities: nothing holds their ratio below 1 for each patient.
    return np.asarray(np.clip(ratio, 0.0, 1.0))


def _warnings(
    validated: Validated,
    outcomes: Mapping[str, OutcomeReport],
    sizes: Mapping[str, SampleSize],
    parameters: int,
) -> list[str]:
    """What a reader must know before the figures, in sentences."""
    found = []
    patients = outcomes["response"].patients
    if patients < decisive_size(sizes)[1].needed:
        each = " and ".join(f"{size.needed} for {name}" for name, size in sizes.items())
        beyond = "; one criterion extrapolated" if parameters > MOST_PARAMETERS else ""
        found.append(
            f"Too small: {patients} patients with an endpoint; {each} are needed with {parameters} "
            f"parameters (Riley et al. 2020{beyond})."
        )
    for name, report in outcomes.items():
        rarer = min(report.events, report.patients - report.events)
        if rarer < _TREE_EVENTS:
            found.append(
                f"{name.capitalize()}: only {rarer} patients in the rarer class; just plan-wise prevalence "
                "and the ridge model were tried."
            )
        if validated.final.searches[name].winner == "prevalence":
            found.append(
                f"{name.capitalize()}: no candidate beat plan-wise prevalence, so that is the answer."
            )
        if not report.skill_shown:
            skill = report.metrics["brier_skill"]
            found.append(
                f"{name.capitalize()}: no skill over plan-wise prevalence is shown (Brier skill {skill})."
            )
    return found

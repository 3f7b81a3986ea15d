"""One fit from a cohort to a validated model: what is computed, before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.cohort import check_trainable
from models.candidates import CANDIDATES
from models.response_model import LEVEL, OUTCOMES
from training.bootstrap import SAMPLES, Estimate, draw_weights, estimate_metrics, repeats_of
from training.cross_validation import Patients, Validated, cross_validate
from training.metrics import log_loss
from training.sample_size import SampleSize, required_sample_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.metrics import Predicted

__all__ = ["Fit", "OutcomeReport", "data_digest", "fit_cohort", "summarise"]

_TREE_EVENTS = min(c.minimum_events for c in CANDIDATES if c.minimum_events)  # below: floor and ridge alone


@dataclass(frozen=True)
class OutcomeReport:
    """How well one outcome is predicted, out of fold.

    Parameters
    ----------
    patients, events : int
    metrics : mapping of str to Estimate
    gains : mapping of str to Estimate
        By candidate: log loss saved against plan-wise prevalence, intervals of the paired difference.
    repeats : list of Predicted
        What the figures are computed from.
    """

    patients: int
    events: int
    metrics: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    repeats: list[Predicted]

    @property
    def skill_shown(self) -> bool:
        """Whether the interval of the Brier skill lies above 0."""
        return self.metrics["brier_skill"].low > 0


@dataclass(frozen=True)
class Fit:
    """A validated model with what is known about it.

    Parameters
    ----------
    cohort : Cohort
    validated : Validated
    outcomes : mapping of str to OutcomeReport
    sample_size : SampleSize
    parameters : int
        Columns that the linear candidates estimate a weight for.
    weights : ndarray of shape (samples, n_known)
        Bootstrap weights of the patients with an endpoint.
    warnings : tuple of str
    seed : int
    only : str or None
        Candidate that was fixed by the user.
    """

    cohort: Cohort
    validated: Validated
    outcomes: Mapping[str, OutcomeReport]
    sample_size: SampleSize
    parameters: int
    weights: NDArray[np.float64]
    warnings: tuple[str, ...]
    seed: int
    only: str | None


def fit_cohort(
    cohort: Cohort,
    seed: int = 0,
    only: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Cross-validate, fit the final model and measure.

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
    patients = Patients.from_cohort(cohort)
    validated = cross_validate(patients, seed, only, progress=progress)
    known = patients.known
    weights = draw_weights(len(known), None if patients.groups is None else patients.groups[known], seed)
    outcomes = {name: _report(validated, name, weights) for name in OUTCOMES}
    response = outcomes["response"]
    parameters = len(validated.final.model.encoder.blocks_) - 1
    needed = required_sample_size(parameters, response.events / response.patients)
    warnings = tuple(_warnings(validated, outcomes, needed, parameters))
    return Fit(cohort, validated, outcomes, needed, parameters, weights, warnings, seed, only)


def summarise(fit: Fit) -> dict[str, Any]:
    """Everything in `metrics.json`, as plain values.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict
    """
    file = fit.cohort.file
    return {
        "cohort": {"name": file.name, "title": file.title, "provenance": file.provenance},
        "patients": asdict(fit.cohort.flow) | {"excluded": dict(fit.cohort.flow.excluded)},
        "data_digest": data_digest(fit.cohort),
        "seed": fit.seed,
        "candidate_fixed": fit.only,
        "validation": {
            "design": "nested, repeated, stratified cross-validation" + (" by group" if file.group else ""),
            "repeats": int(fit.validated.out_of_fold["repeat"].max()) + 1,
            "folds": int(fit.validated.out_of_fold["fold"].max()) + 1,
            "interval": f"95 %, bootstrap of {SAMPLES} samples of "
            + ("groups" if file.group else "patients"),
        },
        "level": LEVEL,
        "outcomes": {name: _summarise_outcome(fit, name) for name in OUTCOMES},
        "sample_size": asdict(fit.sample_size)
        | {"needed": fit.sample_size.needed, "parameters": fit.parameters},
        "warnings": list(fit.warnings),
    }


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
    for part in (cohort.rows, cohort.response, cohort.remission, cohort.groups):
        if part is not None:
            digest.update(np.ascontiguousarray(part, dtype=np.float64).tobytes())
    return digest.hexdigest()


def _report(validated: Validated, name: str, weights: NDArray[np.float64]) -> OutcomeReport:
    table = validated.out_of_fold[validated.out_of_fold["outcome"] == name]
    repeats = repeats_of(table)
    columns = [str(column) for column in table if str(column).startswith("candidate_")]
    candidates = [column for column in columns if table[column].notna().all()]

    def saved(data: Predicted, w: NDArray[np.float64]) -> float:
        floor = replace(data, p=data.floor)
        return log_loss(floor, w) - log_loss(data, w)

    gains = {
        column.removeprefix("candidate_"): estimate_metrics(
            repeats_of(table, column), weights, {"saved": saved}
        )["saved"]
        for column in candidates
        if column != "candidate_prevalence"
    }
    y = repeats[0].y
    return OutcomeReport(len(y), int(y.sum()), estimate_metrics(repeats, weights), gains, repeats)


def _warnings(
    validated: Validated, outcomes: Mapping[str, OutcomeReport], needed: SampleSize, parameters: int
) -> list[str]:
    """What a reader must know before the figures, in sentences."""
    found = []
    response = outcomes["response"]
    if response.patients < needed.needed:
        found.append(
            f"Too small: {response.patients} patients with an endpoint; {needed.needed} are needed for "
            f"{parameters} parameters (Riley et al. 2020)."
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


def _summarise_outcome(fit: Fit, name: str) -> dict[str, Any]:
    report, search = fit.outcomes[name], fit.validated.final.searches[name]
    return {
        "patients": report.patients,
        "events": report.events,
        "metrics": {metric: asdict(estimate) for metric, estimate in report.metrics.items()},
        "skill_shown": report.skill_shown,
        "candidate": search.winner,
        "params": {candidate: dict(params) for candidate, params in search.choice.params.items()},
        "candidate_in_each_fold": fit.validated.winners[name],
        "log_loss_saved_by_candidate": {candidate: asdict(gain) for candidate, gain in report.gains.items()},
        "inner_log_loss": dict(search.losses),
    }

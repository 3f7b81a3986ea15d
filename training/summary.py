"""What a fit found, as the plain values of `metrics.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from models.response_model import LEVEL, OUTCOMES
from training.bootstrap import SAMPLES
from training.diagnostics.run import is_acknowledged
from training.durability.fit import summarise_durability
from training.fit import data_digest
from training.plans.report import summarise_plans
from training.sample_size import decisive_size
from training.stopping import summarise_stopping

if TYPE_CHECKING:
    from training.fit import Fit
    from training.landmarks import LandmarkFit

__all__ = ["summarise"]


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
        "landmarks": {name: _summarise_landmark(landmark) for name, landmark in fit.landmarks.items()},
        "plans": None if fit.plans is None else summarise_plans(fit.plans),
        "durability": None if fit.durability_report is None else summarise_durability(fit.durability_report),
        "stopping": None if fit.stopping is None else summarise_stopping(fit.stopping),
        "sample_size": _summarise_sizes(fit),
        "warnings": list(fit.warnings),
        "findings": [
            asdict(finding) | {"acknowledged": finding.severe and is_acknowledged(finding, fit.acknowledged)}
            for finding in fit.findings
        ],
        "description": dict(fit.description),
    }


def _summarise_sizes(fit: Fit) -> dict[str, Any]:
    """What the outcome needs that needs the most patients, and each outcome by itself."""
    outcome, size = decisive_size(fit.sample_sizes)
    each = {name: asdict(one) | {"needed": one.needed} for name, one in fit.sample_sizes.items()}
    return {
        **asdict(size),
        "needed": size.needed,
        "parameters": fit.parameters,
        "outcome": outcome,
        "by_outcome": each,
    }


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


def _summarise_landmark(landmark: LandmarkFit) -> dict[str, Any]:
    return {
        "patients_in_care": landmark.in_care,
        "with_endpoint": landmark.with_endpoint,
        "observed": landmark.observed,
        "outcomes": {
            name: {
                "patients": report.patients,
                "events": report.events,
                "metrics": {metric: asdict(estimate) for metric, estimate in report.metrics.items()},
                "gain_over_baseline": {metric: asdict(gain) for metric, gain in report.gains.items()},
                "candidate": landmark.validated.final.searches[name].winner,
            }
            for name, report in landmark.outcomes.items()
        },
    }

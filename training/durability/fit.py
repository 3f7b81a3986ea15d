"""Learn how long a response lasts, choose the model by validation, and say how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from features.errors import TrainingDataError
from models.durability import BAND_LEVEL, FEWEST_TOGETHER, DurabilityModel
from models.inputs import Inputs
from training.durability.candidates import FLOOR, Responders, fit_candidate
from training.durability.effects import Effects, estimate_effects
from training.durability.refits import REFITS, refit, with_band
from training.durability.validation import (
    FEWEST_RELAPSES,
    Validation,
    choose_candidate,
    validate_durability,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.encoder import Encoder
    from training.bootstrap import Estimate

__all__ = ["DurabilityReport", "fit_durability", "summarise_durability"]


@dataclass(frozen=True)
class DurabilityReport:
    """What is known about the durability model, or why there is none.

    Parameters
    ----------
    responders : int
        Of the cohort.
    followed : int
        Of them, those whose weeks, relapse and maintenance are known.
    counts : mapping of str to (int, int)
        By maintenance: responders followed, and relapses among them.
    used : Responders or None
        Those the model was fitted on.
    candidate : str or None
    losses : mapping of str to float
        By candidate: integrated Brier score when the final model was chosen.
    validation : Validation or None
    effects : Effects or None
    unit : str or None
        "groups" or "patients": what refits weighed as a whole.
    warnings : tuple of str
    """

    responders: int
    followed: int
    counts: Mapping[str, tuple[int, int]]
    used: Responders | None = None
    candidate: str | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    validation: Validation | None = None
    effects: Effects | None = None
    unit: str | None = None
    warnings: tuple[str, ...] = ()


def fit_durability(
    cohort: Cohort,
    encoder: Encoder,
    seed: int,
    remission_share: NDArray[np.float64] | None = None,
) -> tuple[DurabilityModel | None, DurabilityReport | None]:
    """Choose, fit and validate a durability model.

    Parameters
    ----------
    cohort : Cohort
        At baseline.
    encoder : Encoder
        Of the response model at baseline.
    seed : int
    remission_share : ndarray of shape (n,), optional
        Probability of remission given response of each patient of the cohort, out of fold; with it the
        model is also validated as it is used before treatment.

    Returns
    -------
    model : DurabilityModel or None
        None without follow-up, or with too little of it; the report's warnings say why.
    report : DurabilityReport or None
        None if the cohort file has no section [durability].
    """
    if cohort.follow_up is None:
        return None, None
    chosen = _select(cohort)
    if chosen.rows is None or chosen.used is None:
        return None, chosen.report()
    used, inputs = chosen.used, Inputs(encoder, chosen.used.rows)
    share = None if remission_share is None else remission_share[chosen.rows]
    try:
        name, losses = choose_candidate(used, seed)
        validation = validate_durability(used, seed, share)
    except TrainingDataError as exc:
        return None, chosen.report(f"Durability: it {exc}; no curves are given.")
    fitted = fit_candidate(name, used, inputs, seed)
    refits = refit(fitted, used, inputs, seed)
    model = with_band(fitted, refits, used)
    effects = estimate_effects(model, refits, used, inputs, seed)
    notes = _notes(name, effects, refits.unit, validation)
    report = DurabilityReport(
        **chosen.counted(*notes),
        used=used,
        candidate=name,
        losses=losses,
        validation=validation,
        effects=effects,
        unit=refits.unit,
    )
    return model, report


class _Selected(NamedTuple):
    """Who is learned from, and what is said of the others."""

    cohort: Cohort
    counts: dict[str, tuple[int, int]]
    rows: NDArray[np.intp] | None
    used: Responders | None
    warnings: list[str]

    def counted(self, *warnings: str) -> dict[str, Any]:
        follow_up = self.cohort.follow_up
        return {
            "responders": int((self.cohort.response == 1).sum()),
            "followed": 0 if follow_up is None else int(follow_up.followed.sum()),
            "counts": self.counts,
            "warnings": (*self.warnings, *warnings),
        }

    def report(self, *warnings: str) -> DurabilityReport:
        return DurabilityReport(**self.counted(*warnings))


def _select(cohort: Cohort) -> _Selected:
    """Keep the maintenance levels with enough relapses."""
    follow_up = cohort.follow_up
    if follow_up is None:
        raise ValueError("the cohort has no follow-up")
    followed = np.flatnonzero(follow_up.followed)
    level = follow_up.maintenance[followed].astype(np.intp)
    relapses = np.bincount(level, follow_up.relapsed[followed], len(follow_up.levels)).astype(np.intp)
    patients = np.bincount(level, minlength=len(follow_up.levels))
    pairs = zip(patients.tolist(), relapses.tolist(), strict=True)
    counts = {name: pair for name, pair in zip(follow_up.levels, pairs, strict=True) if pair[0]}
    kept = np.flatnonzero(relapses >= FEWEST_RELAPSES)
    few = [f"{name} ({count[1]})" for name, count in counts.items() if count[1] < FEWEST_RELAPSES]
    warnings = []
    if few:
        warnings.append(
            f"Durability: fewer than {FEWEST_RELAPSES} relapses on {', '.join(few)}: no curve for these, "
            "and their patients are left out."
        )
    if not len(kept):
        warnings.append("Durability: no maintenance has enough relapses; no curves are given.")
        return _Selected(cohort, counts, None, None, warnings)
    rows = followed[np.isin(level, kept)]
    used = Responders(
        cohort_file=cohort.file,
        rows=cohort.rows[rows],
        weeks=follow_up.weeks[rows],
        relapsed=follow_up.relapsed[rows],
        remission=cohort.remission[rows],
        maintenance=np.searchsorted(kept, follow_up.maintenance[rows].astype(np.intp)),
        groups=None if cohort.groups is None else np.asarray(cohort.groups[rows], dtype=np.intp),
        levels=tuple(follow_up.levels[k] for k in kept),
    )
    return _Selected(cohort, counts, rows, used, warnings)


def _notes(name: str, effects: Effects | None, unit: str, validation: Validation) -> list[str]:
    notes = []
    if name == FLOOR:
        notes.append(
            f"Durability: fewer than {FEWEST_RELAPSES} relapses with or without remission: one curve for "
            "each maintenance, not adjusted for whom it was given to. Do not compare them."
        )
    elif validation.metrics["integrated_brier_skill"].low <= 0:
        skill = validation.metrics["integrated_brier_skill"]
        notes.append(
            f"Durability: no skill over maintenance alone is shown (integrated Brier skill {skill})."
        )
    if unit == "patients":
        notes.append("Durability: fewer than 5 groups, so that the band comes from weighing single patients.")
    if effects is None:
        notes.append(
            f"Durability: no plan has {FEWEST_TOGETHER} responders on every maintenance: no hazard ratios."
        )
    return notes


def summarise_durability(report: DurabilityReport) -> dict[str, Any]:
    """Give the report as plain values for `metrics.json`.

    Parameters
    ----------
    report : DurabilityReport

    Returns
    -------
    dict
    """
    summary: dict[str, Any] = {
        "responders": report.responders,
        "followed": report.followed,
        "by_maintenance": {
            name: {"responders": patients, "relapses": relapses}
            for name, (patients, relapses) in report.counts.items()
        },
        "candidate": report.candidate,
        "warnings": list(report.warnings),
    }
    if report.validation is None or report.used is None:
        return summary
    summary["integrated_brier_by_candidate"] = dict(report.losses)
    summary["validation"] = {
        "design": "nested cross-validation by early relapse"
        + (" and group" if report.used.groups is not None else ""),
        "responders": report.validation.patients,
        "candidate_in_each_fold": list(report.validation.candidate_in_each_fold),
        "remission_known": _plain(report.validation.metrics),
        "at_baseline": _plain(report.validation.at_baseline),
    }
    summary["band"] = f"{BAND_LEVEL:.0%}, {REFITS} refits with random weights of {report.unit}"
    if effects := report.effects:
        summary["effects"] = {
            "assumption": "given remission, plan and baseline predictors, maintenance was given without "
            "regard to who would relapse",
            "standardised_to": effects.patients,
            "weeks": effects.horizon,
            "reference": effects.reference,
            "relapse_rate_ratio": _plain(effects.rate_ratios),
            "cox_hazard_ratio": _plain(effects.cox_ratios),
        }
    return summary


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}

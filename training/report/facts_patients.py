"""Facts on the study, its patients, its outcome and its predictors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from models.response_model import OUTCOMES

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["PATIENTS", "say_provenance"]

_PROVENANCE: Final = {
    "simulated": "simulated from published figures; no result is evidence about patients",
    "observational": "observational: who got which plan was decided in care",
    "randomised": "randomised: who got which plan was drawn",
}


def say_provenance(provenance: str) -> str:
    """Say a cohort file's word on where its patients come from."""
    return _PROVENANCE[provenance]


def _title(m: Material) -> str:
    return (
        f"{m.cohort_file.title}: development{' and validation' if m.validation else ''} of a model of "
        f"{' and '.join(OUTCOMES)} ({m.cohort_file.provenance} patients)."
    )


def _abstract(m: Material) -> str:
    response = m.metrics["outcomes"]["response"]
    return (
        f"{response['patients']} patients with an endpoint, {response['events']} responders; the summary at "
        "the head of this report holds objectives, methods and results."
    )


def _purpose(m: Material) -> str:
    plans = ", ".join(m.cohort_file.plan.levels.values()) if m.cohort_file.plan else None
    landmarks = ", ".join(name.replace("_", " ") for name in m.model.landmarks)
    return f"Probabilities of {' and '.join(OUTCOMES)} for a patient, from {landmarks}" + (
        f", under each of the plans: {plans}." if plans else "."
    )


def _objectives(m: Material) -> str:
    if m.validation is None:
        return "Development, with nested cross-validation; this version was not validated otherwise."
    kind = "internal validation on the same patients" if m.validation["same_data"] else "external validation"
    return f"Development, and {kind}."


def _provenance(m: Material) -> str:
    return f"Provenance stated in the cohort file: {say_provenance(m.cohort_file.provenance)}."


def _dates(m: Material) -> str | None:
    dates = (m.metrics.get("description") or {}).get("dates")
    return f"Treatments began from {dates['first']} to {dates['last']}." if dates else None


def _centres(m: Material) -> str | None:
    groups = (m.metrics.get("description") or {}).get("groups")
    if not groups:
        return None
    low, middle, high = groups["patients"]
    return (
        f"{groups['count']} groups (column {groups['column']}) with {low} to {high} patients, median "
        f"{middle}."
    )


def _eligibility(m: Material) -> str:
    outcome = m.cohort_file.outcome
    flow = m.metrics["patients"]
    excluded = ", ".join(f"{n} with {reason}" for reason, n in flow["excluded"].items()) or "none"
    least = "" if outcome.minimum_baseline is None else f" of at least {outcome.minimum_baseline:g}"
    plan = " and a plan" if m.cohort_file.plan else ""
    return f"A baseline score{least}{plan} was required. Of {flow['rows']} rows, excluded: {excluded}."


def _treatments(m: Material) -> str | None:
    plan = m.cohort_file.plan
    if plan is None:
        return "The cohort file names no plans: all patients had one kind of care."
    listed = "; ".join(plan.levels.values())
    return f"{listed}. The plan is an input of the model; the reference is {plan.levels[plan.reference]}."


def _preparation(m: Material) -> str:
    findings = [] if m.validation is None else m.validation["findings"]
    listed = ", ".join(sorted({f["check"] for f in findings})) or "no finding"
    checked = f" Diagnostics at validation: {listed}." if m.validation is not None else ""
    return (
        "Every value was held against the cohort file (type, range, levels, duplicate ids); a table with one "
        f"problem is refused, so the checks were the same for all patients.{checked}"
    )


def _outcome(m: Material) -> str:
    outcome = m.cohort_file.outcome
    scale = outcome.scale
    return (
        f"Response: a fall of at least {100 * outcome.response_reduction:g} % in {scale.name} from "
        f"{outcome.baseline} to {outcome.endpoint}. Remission: {scale.name} of at most "
        f"{scale.remission_at_most:g} at {outcome.endpoint}."
    )


def _outcome_alike(m: Material) -> str:
    return f"One rule on {m.cohort_file.outcome.scale.name} for all patients; raters are not recorded."


def _predictor_selection(m: Material) -> str:
    file = m.cohort_file
    return (
        f"{len(file.predictors)} predictors named in the cohort file; none was left out by looking at the "
        "outcome before the model was built."
    )


def _predictors(m: Material) -> str:
    file = m.cohort_file
    later = len(file.later_predictors)
    return (
        f"{len(file.baseline_predictors)} known before treatment"
        + (f" and {later} known from a later landmark on" if later else "")
        + "; each with kind, unit, allowed range or levels, and landmark in the table of predictors."
    )


def _timing(m: Material) -> str:
    order = ", ".join(m.cohort_file.landmarks)
    return (
        f"The cohort file gives each predictor the landmark from which it is known ({order}); a prediction "
        "at a landmark uses no later one. That recorded values were taken before the outcome is for people "
        "to say."
    )


PATIENTS: Final[Mapping[str, Callable[[Material], str | None] | str]] = {
    "title": _title,
    "abstract": _abstract,
    "purpose": _purpose,
    "objectives": _objectives,
    "provenance": _provenance,
    "dates": _dates,
    "centres": _centres,
    "eligibility": _eligibility,
    "treatments": _treatments,
    "preparation": _preparation,
    "outcome": _outcome,
    "outcome_alike": _outcome_alike,
    "predictor_selection": _predictor_selection,
    "predictors": _predictors,
    "timing": _timing,
}
"""By name."""

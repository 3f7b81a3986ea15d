"""Facts on how the model was built and validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from training.report.words import shown_name
from training.sample_size import MOST_PARAMETERS
from training.validation.candidates import ON_ALL

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["METHODS", "designs_of", "judged_designs"]

_MISSING_PREDICTORS: Final = (
    "A missing predictor takes the mean of the training patients in linear models, with a column that says "
    "so, and its own branch in trees; both are learned inside each fold. The interval is widened for it."
)
_PREDICTOR_HANDLING: Final = (
    "Linear models: numbers scaled, each with a restricted cubic curve; one column a level; an indicator of "
    "being missing; terms of plan with predictor. Trees: values as they are. No number is cut into classes. "
    "Everything is learned from training patients only and applied alike to all."
)
_OVERFITTING: Final = (
    "Penalised or averaged candidates, plan-wise prevalence among them; tuning and choice inside nested "
    "cross-validation; recalibration with shrinkage towards the model as it is."
)


def designs_of(m: Material, outcome: str = "response") -> list[dict[str, Any]]:
    """Designs of an outcome's validation, the judged one first; none for a version never validated."""
    return [] if m.validation is None else list(m.validation["outcomes"][outcome]["designs"])


def judged_designs(m: Material) -> list[dict[str, Any]]:
    """Designs whose figures gates judge: the first, held-out groups, later landmarks."""
    designs = designs_of(m)
    groups = [design for design in designs[1:] if design["key"] == "leave_group_out"]
    landmarks = [] if m.validation is None else m.validation["outcomes"]["response"]["landmarks"]
    return [*designs[:1], *groups, *landmarks]


def _sample_size(m: Material) -> str:
    needed = m.metrics["sample_size"]
    outcomes = m.metrics["outcomes"]
    patients, parameters = outcomes["response"]["patients"], needed["parameters"]
    enough = "enough" if patients >= needed["needed"] else "too few"
    asked = "; ".join(
        f"{size['needed']} for {name} (shrinkage {size['shrinkage']}, optimism {size['optimism']}, "
        f"prevalence {size['prevalence']}, error {size['error']})"
        for name, size in needed.get("by_outcome", {"response": needed}).items()  # of earlier fits
    )
    beyond = (
        f" The criterion on the error was derived for up to {MOST_PARAMETERS} parameters and is extrapolated."
        if parameters > MOST_PARAMETERS
        else ""
    )
    return (
        f"{patients} patients with an endpoint, {outcomes['response']['events']} responders, "
        f"{outcomes['remission']['events']} remissions, for {parameters} parameters; Riley's criteria ask "
        f"for {asked}: {enough}.{beyond}"
    )


def _missing_endpoints(m: Material) -> str:
    flow = m.metrics["patients"]
    group = f"{m.cohort_file.group} and " if m.cohort_file.group else "and "
    missing = flow["included"] - flow["with_endpoint"]
    if not missing:
        return "No endpoint is missing."
    found = None if m.validation is None else m.validation["outcomes"]["response"]["missing_endpoints"]
    text = f"{missing} of {flow['included']} endpoints are missing; the model is learned from the others"
    if found is None:
        return text + ", taken as missing at random. Weighted figures need a validation."
    return (
        text + ". Figures are given complete-case, weighted by the inverse probability of having an endpoint "
        f"given plan, {group}baseline, and with "
        "bounds for the worst and best that the missing ones can be."
    )


def _partitioning(m: Material) -> str:
    fit = m.metrics["validation"]
    text = (
        f"{fit['design'].capitalize()}: {fit['repeats']} repeats of {fit['folds']} folds; the final model is "
        "learned from all patients with an endpoint."
    )
    names = ", ".join(design["title"] for design in designs_of(m))
    return f"{text} Designs of the validation: {names}." if names else text


def _building(m: Material) -> str:
    chosen = "; ".join(f"{name}: {found['candidate']}" for name, found in m.metrics["outcomes"].items())
    fixed = m.metrics.get("candidate_fixed")
    how = (
        f"The user fixed the candidate {fixed}."
        if fixed
        else "The candidate with the best inner log loss was chosen, the simpler one of those that tie."
    )
    return (
        "Candidates: plan-wise prevalence, ridge posterior, elastic net, random forest, boosted trees and "
        f"their average, tuned by inner cross-validation on training patients. {how} Used: {chosen}. "
        "Probabilities are recalibrated on inner out-of-fold predictions."
    )


def _clusters(m: Material) -> str:
    group = m.cohort_file.group
    if group is None:
        return "The cohort file names no group: patients are taken as independent."
    measured = next((d for d in designs_of(m) if d["units"] and d["key"] != "leave_period_out"), None)
    text = f"Folds never part a {group}; intervals follow {group}s."
    if measured is None:
        return f"{text} Heterogeneity between them was not measured."
    own = measured["key"] == "leave_group_out"
    how = f"Each {group} was held out in turn" if own else f"Each {group} of the validation was measured"
    if not measured["summary"]:
        return f"{text} {how}; too few are large enough for a random-effects mean."
    return f"{text} {how}, with a random-effects mean and a 95 % prediction interval for a new one."


def _measures(m: Material) -> str:
    first = next(iter(designs_of(m)), None)
    names = list(first["metrics"] if first else m.metrics["outcomes"]["response"]["metrics"])
    plots = "calibration plot with band, decision curve" if first else "none without a validation"
    return (
        f"{', '.join(shown_name(name) for name in names)}; 95 % intervals, "
        f"{m.metrics['validation']['interval']}. Plots: {plots}. Candidates are compared on the same "
        "patients."
    )


def _updating(m: Material) -> str:
    keys = {design["key"] for design in designs_of(m)}
    if "external_recalibrated" in keys:
        return (
            "The artefact is shown as it is, after recalibration in the large, and after logistic "
            "recalibration, cross-fitted on the validation data. The version itself was not changed."
        )
    return "None: the version was not updated after its evaluation."


def _calculation(m: Material) -> str:
    checks = {} if m.validation is None else m.validation["checks"]
    agreed = checks.get("logged_answers")
    text = "Predictions are computed by the registered files themselves, whose digest is checked."
    return f"{text} {agreed[1]}" if agreed else text


def _imbalance(m: Material) -> str:
    response = m.metrics["outcomes"]["response"]
    share = 100 * response["events"] / response["patients"]
    return f"{share:.0f} % of patients responded. Nothing was done to change the balance of classes."


def _fairness(m: Material) -> str:
    marked = [p.label for p in m.cohort_file.predictors if p.subgroup]
    if not marked:
        return "The cohort file marks no subgroup."
    done = "Performance is reported" if m.validation else "Performance is to be reported at validation"
    return f"{done} by: {', '.join(marked)}. The model itself is not constrained."


def _output(m: Material) -> str:
    ends = None if m.validation is None else m.validation["outcomes"]["response"]["thresholds"]
    text = (
        "Probability with a 90 % interval for the patient's true probability, and a verdict (likely, "
        "unlikely, uncertain) by conformal prediction; no fixed threshold."
    )
    if ends is None:
        return text
    return f"{text} Net benefit is judged from {100 * ends[0]:.0f} % to {100 * ends[1]:.0f} %."


def _software(m: Material) -> str | None:
    if not m.version.software:
        return None
    return "Fitted with " + ", ".join(f"{k} {v}" for k, v in m.version.software.items()) + "."


def _leakage(m: Material) -> str:
    group = m.cohort_file.group
    whole = f" and never part a {group}" if group else ""
    designs = designs_of(m)
    held = f", where a {group} is held out" if any(d["key"] == "leave_group_out" for d in designs) else ""
    text = (
        f"Folds hold whole patients{whole}; in nested cross-validation{held} and at later landmarks "
        "preprocessing, selection, tuning and calibration are learned without those who are predicted"
    )
    exceptions = []
    if selected := [judged["title"] for judged in judged_designs(m) if ON_ALL in judged["how"]]:
        exceptions.append(f"the candidate was {ON_ALL} in: {', '.join(selected)}")
    if m.validation is not None and m.validation["same_data"] and not m.metrics.get("candidate_fixed"):
        exceptions.append(
            "periods, optimism, learning curve and instability, which no gate judges, use the candidate "
            f"{ON_ALL}"
        )
    if group and any(d["key"] == "leave_period_out" and d["units"] for d in designs):
        exceptions.append(f"a {group} that goes on treating is on both sides of a period")
    return f"{text}. Exceptions: {'; '.join(exceptions)}." if exceptions else f"{text}."


def _resampling(m: Material) -> str:
    first = next(iter(designs_of(m)), None)
    return (
        first["how"]
        if first
        else "Every step, from preprocessing to recalibration, is repeated in each fold."
    )


METHODS: Final[Mapping[str, Callable[[Material], str | None] | str]] = {
    "sample_size": _sample_size,
    "missing_predictors": _MISSING_PREDICTORS,
    "missing_endpoints": _missing_endpoints,
    "partitioning": _partitioning,
    "predictor_handling": _PREDICTOR_HANDLING,
    "building": _building,
    "clusters": _clusters,
    "measures": _measures,
    "updating": _updating,
    "calculation": _calculation,
    "imbalance": _imbalance,
    "fairness": _fairness,
    "output": _output,
    "software": _software,
    "overfitting": _OVERFITTING,
    "leakage": _leakage,
    "resampling": _resampling,
}
"""By name."""

"""All that the report's template is given, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from models.response_model import OUTCOMES
from training.report.blocks import Table
from training.report.checklists import answer_probast, answer_tripod
from training.report.facts_patients import say_provenance
from training.report.facts_results import POOR_INPUT
from training.report.specification import LinearPart, TreePart, specify_all
from training.report.study import list_fields
from training.report.view_care import show_durability, show_landmarks, show_plans, show_stopping
from training.report.view_gates import show_checks, show_gates
from training.report.view_model import show_candidates, show_dependence, show_drivers
from training.report.view_patients import show_characteristics, show_flow, show_outcomes, show_predictors
from training.report.view_performance import show_fit_only, show_performance
from training.report.view_spread import show_subgroups, show_units
from training.report.words import NOT_STATED, Plain, say
from training.sample_size import MOST_PARAMETERS

if TYPE_CHECKING:
    from training.report.material import Material
    from training.report.specification import Specified
    from training.report.study import Study

__all__ = ["SECTIONS", "build_view", "head_figures", "tabulate_terms"]

SECTIONS: Final[Mapping[str, str]] = {
    "summary": "Summary",
    "use": "What the model is for",
    "gates": "Gates and record",
    "patients": "Patients",
    "predictors": "Predictors",
    "performance": "Performance",
    "sites": "Sites and periods",
    "subgroups": "Subgroups",
    "missing": "Missing endpoints",
    "stability": "Stability and learning curve",
    "candidates": "Candidates",
    "drivers": "Drivers",
    "plans": "Plans",
    "landmarks": "Landmarks",
    "durability": "Durability",
    "diagnostics": "Diagnostics",
    "model": "The model in full",
    "people": "Statements by people",
    "tripod": "TRIPOD+AI",
    "probast": "PROBAST+AI",
}
"""Sections in order, by id; each is always there, and says so where there is nothing to show."""

_HEAD: Final = {
    "auroc": "Discrimination (AUROC)",
    "brier_skill": "Brier skill over plan-wise prevalence",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration in the large",
}


def build_view(m: Material, study: Study, specified: tuple[Specified, ...] | None = None) -> dict[str, Any]:
    """Build what the template shows.

    Parameters
    ----------
    m : Material
    study : Study
    specified : tuple of Specified, optional
        `specify_all` of the model, where the caller has it already.

    Returns
    -------
    dict
        By name, for the template alone.
    """
    items, questions = answer_tripod(m, study), answer_probast(m, study)
    notes, relapse, followed = show_durability(m)
    validation = m.validation
    return {
        "sections": SECTIONS,
        "version": m.version,
        "title": study.get("study.title") or m.cohort_file.title,
        "provenance": say_provenance(m.cohort_file.provenance),
        "simulated": m.simulated,
        "validation": validation,
        "warnings": list(m.metrics.get("warnings", [])),
        "head": head_figures(m),
        "numbers": _numbers(m),
        "fit_design": m.metrics["validation"],
        "use": _use(study),
        "poor_input": POOR_INPUT,
        "record": m.record,
        "gates": show_gates(m),
        "whys": {gate["name"].replace("_", " "): gate["why"] for gate in m.verdicts},
        "checks": show_checks(validation),
        "flows": show_flow(m),
        "outcomes": show_outcomes(m),
        "characteristics": show_characteristics(m),
        "dates": (m.metrics.get("description") or {}).get("dates"),
        "predictors": show_predictors(m),
        "performance": [] if validation is None else show_performance(validation),
        "fit_only": show_fit_only(m),
        "units": _each(validation, show_units),
        "subgroups": []
        if validation is None
        else [(o, *show_subgroups(o, f, m.cohort_file)) for o, f in validation["outcomes"].items()],
        "candidates": show_candidates(m),
        "drivers": show_drivers(m),
        "dependence": show_dependence(m),
        "plans": show_plans(m),
        "plans_found": m.metrics.get("plans"),
        "landmarks": show_landmarks(m),
        "stopping": show_stopping(m),
        "durability_notes": notes,
        "durability_figures": relapse,
        "durability_tables": followed,
        "findings": [] if validation is None else validation["findings"],
        "specified": [
            (found, [(part, tabulate_terms(found, part)) for part in found.parts])
            for found in specified or specify_all(m.model)
        ],
        "people": [(text, study.get(key)) for key, text in list_fields().items()],
        "tripod": items,
        "tripod_counts": Counter(item.status for item in items),
        "probast": questions,
        "probast_counts": Counter(question.rating for question in questions),
        "not_stated": NOT_STATED,
    }


def head_figures(m: Material) -> list[tuple[str, list[tuple[str, str]]]]:
    """Figures at the head of the report: of the judged design, or of the fit if never validated.

    Parameters
    ----------
    m : Material

    Returns
    -------
    list of (str, list of (str, str))
        By outcome: what, and its value with interval.
    """
    found = []
    for outcome in OUTCOMES:
        metrics = (
            m.metrics["outcomes"][outcome]["metrics"]
            if m.validation is None
            else m.validation["outcomes"][outcome]["designs"][0]["metrics"]
        )
        found.append((outcome, [(text, say(metrics[n])) for n, text in _HEAD.items() if n in metrics]))
    return found


def _numbers(m: Material) -> list[tuple[str, str]]:
    size, response = m.metrics["sample_size"], m.metrics["outcomes"]["response"]
    flow = m.metrics["patients"]
    return [
        ("Included", f"{flow['included']} patients, {response['patients']} with an endpoint"),
        ("Responders", f"{response['events']} of {response['patients']}"),
        ("Remissions", f"{m.metrics['outcomes']['remission']['events']} of {response['patients']}"),
        ("Needed by Riley's criteria", _say_sizes(size)),
    ]


def _say_sizes(size: Plain) -> str:
    """Say how many patients each outcome needs."""
    sizes = size.get("by_outcome", {"response": size})  # earlier fits sized response only
    each = ", ".join(f"{one['needed']} for {name}" for name, one in sizes.items())
    beyond = " (criterion on the error extrapolated)" if size["parameters"] > MOST_PARAMETERS else ""
    return f"{each}, with {size['parameters']} parameters{beyond}"


def _use(study: Study) -> list[tuple[str, str | None]]:
    texts = (
        ("Intended use", "model.intended_use"),
        ("Users", "model.users"),
        ("How to use it", "model.how_to_use"),
        ("Patients", "model.population"),
        ("Not for", "model.out_of_scope"),
        ("Risks", "model.risks"),
        ("Risk level", "model.clinical_risk"),
        ("Release stage", "model.release_stage"),
        ("Developer", "model.developer"),
        ("Contact", "model.contact"),
    )
    return [(label, study.get(key)) for label, key in texts]


def _each(validation: Mapping[str, Any] | None, show: Any) -> list[tuple[str, Any]]:
    return [] if validation is None else [(o, show(o, found)) for o, found in validation["outcomes"].items()]


def tabulate_terms(found: Specified, part: LinearPart | TreePart) -> Table | None:
    """Every term of a linear part with what it adds for the reference patient."""
    if isinstance(part, TreePart):
        return None
    rows = [
        [
            term.label,
            term.rule,
            *(f"{weight:.6f}" if weight else "0" for weight in term.weights),
            term.given,
            f"{term.value:.5f}",
            f"{term.product:.6f}",
        ]
        for term in part.terms
    ]
    rows.append(["Sum", "logit", *([""] * len(part.columns)), "", "", f"{part.logit:.6f}"])
    head = [
        "Term",
        "Value of the column",
        *part.columns,
        "Reference patient has",
        "Value",
        "Value times coefficient",
    ]
    where = f"{found.outcome} from {found.landmark.replace('_', ' ')}"
    return Table(f"Coefficients of {part.name.replace('_', ' ')}: {where}", head, rows, wide=True)

"""How the run itself answers questions of PROBAST+AI, where a rule can; all others are for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from training.report.facts_methods import designs_of, judged_designs
from training.validation.candidates import ON_ALL

if TYPE_CHECKING:
    from training.report.material import Material

__all__ = ["RULES"]

_EVENTS: Final = 100
"""Patients in the rarer class that an evaluation needs (Collins et al., Stat Med 2016;35:214-226)."""


def _sample_size(m: Material) -> str:
    """Of both outcomes: `needed` is what the one asks for that needs more."""
    enough = m.metrics["outcomes"]["response"]["patients"] >= m.metrics["sample_size"]["needed"]
    return "yes" if enough else "no"


def _evaluation_size(m: Material) -> str:
    found = next(iter(designs_of(m)), None) or m.metrics["outcomes"]["response"]
    return "yes" if min(found["events"], found["patients"] - found["events"]) >= _EVENTS else "no"


def _missing_predictors(m: Material) -> str:
    """Predictors are handled inside the folds; endpoints are taken as missing at random."""
    flow = m.metrics["patients"]
    return "yes" if flow["with_endpoint"] == flow["included"] else "probably yes"


def _missing_endpoints(m: Material) -> str:
    flow = m.metrics["patients"]
    if m.validation is None:
        return "yes" if flow["with_endpoint"] == flow["included"] else "probably no"
    flow = m.validation["cohort"]["flow"]
    found = m.validation["outcomes"]["response"]["missing_endpoints"]
    return "yes" if flow["with_endpoint"] == flow["included"] or found is not None else "probably no"


def _timing(m: Material) -> str:
    """The cohort file says so; a finding of the diagnostics says otherwise."""
    findings = [] if m.validation is None else m.validation["findings"]
    return "probably no" if any(f["check"] == "after_landmark" for f in findings) else "probably yes"


def _leakage(m: Material) -> str:
    """Of what gates judge; a candidate that was chosen on those it predicts is a small leak."""
    findings = [] if m.validation is None else m.validation["findings"]
    if any(f["severe"] for f in findings):
        return "probably no"
    return "probably yes" if any(ON_ALL in design["how"] for design in judged_designs(m)) else "yes"


def _resampling(m: Material) -> str:
    design = designs_of(m)
    return "yes" if not design or design[0]["key"] in ("nested_cv", "external") else "probably yes"


def _measures(m: Material) -> str:
    return "yes" if m.validation is not None else "probably no"


RULES: Final[Mapping[str, Callable[[Material], str] | str]] = {
    "always": "yes",  # what every model of this program does
    "no_imbalance": "not applicable",  # nothing in this program changes the balance of classes
    "sample_size": _sample_size,
    "evaluation_size": _evaluation_size,
    "missing_predictors": _missing_predictors,
    "missing_endpoints": _missing_endpoints,
    "timing": _timing,
    "validated": "yes",  # even without a validation all figures are out of fold
    "leakage": _leakage,
    "resampling": _resampling,
    "measures": _measures,
}
"""By the name that `probast_ai.toml` uses."""

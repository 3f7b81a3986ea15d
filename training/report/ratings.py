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
    """A validation weighs and bounds whatever is missing; a fit alone leaves it out."""
    flow = m.metrics["patients"]
    nothing_missing = flow["with_endpoint"] == flow["included"]
    return "yes" if m.validation is not None or nothing_missing else "probably no"


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
    "resampling": "yes",  # all steps are repeated in each fold, or the version has seen none of the patients
    "measures": _measures,
}
"""By the name that `probast_ai.toml` uses."""

"""Figures of landmarks, futility rule and durability as metrics of an MLflow run, each with its interval."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from training.bootstrap import Estimate
    from training.fit import Fit
    from training.plans.report import PlanReport

__all__ = ["durability_metrics", "landmark_metrics", "plan_metrics", "stopping_metrics"]

_NO_METRIC_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


def landmark_metrics(fit: Fit) -> dict[str, float]:
    """Give `LANDMARK_OUTCOME_FIGURE` of each later landmark; gains over baseline end in `_gain`.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict of str to float
    """
    found: dict[str, float] = {}
    for landmark, at in fit.landmarks.items():
        for outcome, report in at.outcomes.items():
            gains = {f"{metric}_gain": gain for metric, gain in report.gains.items()}
            found |= _with_ends(f"{landmark}_{outcome}", {**report.metrics, **gains})
    return found


def plan_metrics(report: PlanReport) -> dict[str, float]:
    """Give `difference_PLAN`, `policy_POLICY` and `policy_POLICY_over_OTHER`.

    Parameters
    ----------
    report : PlanReport

    Returns
    -------
    dict of str to float
    """
    found = {"choosing_shown": float(report.model.choice.shown)}
    found |= _with_ends("difference", {plan: effect.difference for plan, effect in report.effects.items()})
    return found | _with_ends("policy", {**report.values, **report.gains})


def stopping_metrics(fit: Fit) -> dict[str, float]:
    """Give the error rates of the futility rule, `stopping_…`; nothing without one.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict of str to float
    """
    found: dict[str, float] = {}
    if fit.stopping is None:
        return found
    for name in ("false_stops", "caught", "model_false_stops"):
        share = getattr(fit.stopping, name)
        if share is not None and share.value is not None:
            low, high = share.interval
            ends = {"": share.value, "_low": low, "_high": high}
            found |= {f"stopping_{name}{end}": value for end, value in ends.items()}
    return found


def durability_metrics(fit: Fit) -> dict[str, float]:
    """Give the figures of the durability model, `durability_…`; nothing without one.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict of str to float
    """
    report = fit.durability_report
    if report is None or report.validation is None:
        return {}
    found = _with_ends("durability", report.validation.metrics)
    found |= _with_ends("durability_at_baseline", report.validation.at_baseline)
    if report.effects is not None:
        found |= _with_ends("durability_rate_ratio", report.effects.rate_ratios)
        found |= _with_ends("durability_cox_ratio", report.effects.cox_ratios)
    return found


def _with_ends(prefix: str, estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Value, lower and upper end of each figure, under names that MLflow takes."""
    found: dict[str, float] = {}
    for name, estimate in estimates.items():
        key = _NO_METRIC_NAME.sub("_", f"{prefix}_{name}")
        found |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
    return found

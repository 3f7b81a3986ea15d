"""Error rates of the cohort file's futility rule, beside the model's, among the patients at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.stopping import SHARE_LEVEL, Share, StoppingRule, judge

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from features.cohort_file import Futility

__all__ = ["measure_stopping", "summarise_share", "summarise_stopping"]


def measure_stopping(cohort: Cohort, out_of_fold: pd.DataFrame | None) -> StoppingRule | None:
    """Count how often the rule was wrong among patients whose treatment went on all the same.

    Parameters
    ----------
    cohort : Cohort
    out_of_fold : DataFrame or None
        Of the model of the rule's landmark (`training.cross_validation.Validated`); None without one.

    Returns
    -------
    StoppingRule or None
        None if the cohort file has no rule.
    """
    rule = cohort.file.futility
    if rule is None:
        return None
    minimum = cohort.file.outcome.scale.minimum
    verdict = judge(rule, minimum, cohort.baseline, cohort.checks)
    judged = np.flatnonzero(_meant(cohort, rule) & ~np.isnan(verdict) & ~np.isnan(cohort.response))
    fires, responds = verdict[judged] == 1, cohort.response[judged] == 1
    stops = int(fires.sum())
    probability = None if out_of_fold is None else _mean_probability(out_of_fold, len(cohort.rows))[judged]
    lowest = slice(0) if probability is None else np.argsort(probability, kind="stable")[:stops]
    return StoppingRule(
        rule,
        minimum,
        Share(int((fires & responds).sum()), stops),
        Share(int((fires & ~responds).sum()), int((~responds).sum())),
        None if probability is None else Share(int(responds[lowest].sum()), stops),
        None if probability is None or not stops else float(probability[fires].mean()),
    )


def summarise_stopping(stopping: StoppingRule) -> dict[str, Any]:
    """Write the rule and its errors as plain values, for `metrics.json`.

    Parameters
    ----------
    stopping : StoppingRule

    Returns
    -------
    dict
    """
    rule = stopping.rule
    model = stopping.model_false_stops
    return {
        "rule": rule.text,
        "source": rule.source,
        "plans": list(rule.plans),
        "landmark": rule.landmark,
        "interval": f"{SHARE_LEVEL:.0%}, Wilson",
        "false_stops": summarise_share(stopping.false_stops),
        "caught": summarise_share(stopping.caught),
        "model_false_stops": None if model is None else summarise_share(model),
        "mean_probability_where_it_fires": stopping.mean_probability,
    }


def summarise_share(share: Share) -> dict[str, Any]:
    """Write a share with its counts and interval as plain values."""
    low, high = share.interval
    return {"count": share.count, "of": share.of, "value": share.value, "low": low, "high": high}


def _meant(cohort: Cohort, rule: Futility) -> NDArray[np.bool_]:
    """Which patients are on a plan that the rule was made for."""
    if not rule.plans:
        return np.ones(len(cohort.rows), dtype=bool)
    return np.isin(cohort.rows[:, -1], [cohort.file.plan_levels.index(plan) for plan in rule.plans])


def _mean_probability(out_of_fold: pd.DataFrame, patients: int) -> NDArray[np.float64]:
    """Probability of response of each patient, the mean over the repeats; NaN where not predicted."""
    table = out_of_fold[out_of_fold["outcome"] == "response"]
    means = table.groupby("patient")["probability"].mean()
    return means.reindex(range(patients)).to_numpy(np.float64)

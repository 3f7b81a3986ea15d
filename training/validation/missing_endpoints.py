"""What missing endpoints may do to the figures of a validation.

Patients with an endpoint are those that were measured; a model is for everybody. Three answers side by side:

- *complete case*: patients with an endpoint as they are. Right if those without are like them;
- *weighted* by the inverse probability of having an endpoint, so that those with one stand for those like
  them without one. Right if plan, group (site) and what was recorded at baseline tell who is missing (missing
  at random), and nobody is sure to be: a site without any endpoint has nobody who could stand for it;
- *bounds*: right whoever is missing. All missing outcomes are set for or against the prediction.

Seaman and White, Stat Methods Med Res 2013;22:278-295 (inverse probability weighting).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from features.preprocessing import EncodePredictors
from models.inputs import Inputs, TrainingSet
from training.bootstrap import draw_metrics, repeats_of
from training.logistic import clipped_logit
from training.metrics import METRICS, Predicted
from training.validation.group_intercepts import group_intercepts
from training.validation.results import Bounds, MissingEndpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort

__all__ = ["find_bounds", "observation_weights", "weigh_missing"]

_FOLDS: Final = 5
_SEED: Final = 0  # of the folds of the model of who is missing: nothing else hangs on them
_TRUNCATED: Final = (0.01, 0.99)  # quantiles (Cole and Hernan, Am J Epidemiol 2008;168:656-664)
_STEPS: Final = 20
_SHIFTS: Final = np.linspace(-2, 2, 9)

_BEST: Final[Mapping[str, float]] = {
    "auroc": np.inf,
    "average_precision": np.inf,
    "brier_skill": np.inf,
    "scaled_brier": np.inf,
    "brier": -np.inf,
    "log_loss": -np.inf,
    "ici": -np.inf,
    "e50": -np.inf,
    "e90": -np.inf,
    "calibration_intercept": 0.0,
    "calibration_slope": 1.0,
    "o_e": 1.0,
}
"""The value of each figure than which none is better: the highest, the lowest, or a target."""


def weigh_missing(
    cohort: Cohort,
    outcome: str,
    table: pd.DataFrame,
    weights: NDArray[np.float64],
) -> MissingEndpoints | None:
    """Weigh the patients with an endpoint for those without, and bound what these could have done.

    Parameters
    ----------
    cohort : Cohort
    outcome : str
        "response" or "remission".
    table : DataFrame
        Rows of the outcome with all patients of the cohort (see `training.cross_validation.Validated`);
        `observed` is NaN without endpoint.
    weights : ndarray of shape (samples, n_known)
        Bootstrap weights of the patients with an endpoint, in the order of the cohort.

    Returns
    -------
    MissingEndpoints or None
        None if no endpoint is missing. Intervals take the weights of the patients as known, which makes
        those of the weighted figures rather too wide than too narrow (Seaman and White, section 4).
    """
    known = ~np.isnan(cohort.response if outcome == "response" else cohort.remission)
    if known.all():
        return None
    repeats = repeats_of(table)
    ipw = observation_weights(cohort, known)[known]
    weighted = draw_metrics(repeats, weights * ipw, as_is=ipw)
    return MissingEndpoints(
        int((~known).sum()),
        len(known),
        {name: drawn.estimate() for name, drawn in weighted.items()},
        find_bounds(table),
        float(ipw.sum() ** 2 / (ipw**2).sum()),  # Kish, Survey Sampling (1965), section 8.2
    )


def observation_weights(cohort: Cohort, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Stabilised inverse probability of having an endpoint, given baseline predictors, plan and group.

    The probability comes from the ridge logistic regression that also is the candidate `ridge`, with missing
    indicators and plan x predictor terms, and from an intercept of each group (site), partially pooled, both
    learned from other patients (cross-fitted). Follow-up is organised by the site, which often decides more
    of it than anything that is known of the patient.

    Folds part groups, where all others in this program keep them whole: it is asked who of this very cohort
    is missing, at these very sites, not what a model would say at a new one.

    Parameters
    ----------
    cohort : Cohort
    known : ndarray of bool, shape (n,)
        Who has an endpoint.

    Returns
    -------
    ndarray of shape (n,)
        Share with an endpoint over its probability, truncated at its 1st and 99th percentile; all 1 with
        fewer than two patients without endpoint, of whom nothing can be learned.
    """
    observed = known.astype(np.float64)
    folds = min(_FOLDS, int(known.sum()), int((~known).sum()))
    if folds < 2:
        return np.ones(len(known))
    labels, group = np.unique(
        np.zeros(len(known)) if cohort.groups is None else cohort.groups, return_inverse=True
    )
    probability = np.empty(len(known))
    splits = StratifiedKFold(folds, shuffle=True, random_state=_SEED).split(cohort.rows, known)
    for learn, asked in splits:
        encoder = EncodePredictors(cohort.file).fit(cohort.rows[learn])
        of_group = None if cohort.groups is None else group[learn]
        inputs = Inputs(encoder, cohort.rows[learn])
        ridge = TrainingSet(inputs, observed[learn], of_group).ridge
        # The ridge's logits are shrunk towards those of an unknown group; here the group is known.
        line = ridge.centre.logit(inputs) / ridge.shrink
        own = group_intercepts(observed[learn], line, group[learn], len(labels))
        asked_line = ridge.centre.logit(Inputs(encoder, cohort.rows[asked])) / ridge.shrink
        probability[asked] = expit(asked_line + own[group[asked]])
    weights = observed.mean() / probability
    low, high = np.quantile(weights[known], _TRUNCATED)
    truncated: NDArray[np.float64] = np.clip(weights, low, high)
    return truncated


def find_bounds(table: pd.DataFrame) -> dict[str, Bounds]:
    """Find the worst and the best that each figure can be, whatever the missing outcomes are.

    Missing outcomes are set against the prediction (1 for all below some probability, 0 above it), for it (0
    below, 1 above), with cuts at 0.5, the ends and 19 quantiles; and, which is the best for calibration, in
    the share that is predicted, or predicted and moved by up to 2 logits.

    Parameters
    ----------
    table : DataFrame
        See `weigh_missing`.

    Returns
    -------
    dict of str to Bounds
        The most extreme of these assignments. For Brier score and O:E no other can be more extreme; for the
        others the extremes are of these forms up to the distance between neighbouring cuts. A target between
        two assignments counts as reached.
    """
    filled = table.assign(observed=table["observed"].fillna(0.0))
    repeats = repeats_of(filled)
    missing = table.groupby("patient")["observed"].first().isna().to_numpy()
    mean = np.mean([data.p for data in repeats], axis=0)[missing]
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for y in _assignments(mean):
        outcome = repeats[0].y.copy()
        outcome[missing] = y
        for name, value in _measure([replace(data, y=outcome) for data in repeats]).items():
            found[name].append(value)
    return {name: _extremes(np.array(values), _BEST[name]) for name, values in found.items()}


def _assignments(p: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Outcomes for and against the predictions, and as they say."""
    cuts = np.unique([0.5, *np.quantile(p, np.linspace(0, 1, _STEPS + 1)[1:-1])])
    along = [(p >= cut).astype(np.float64) for cut in cuts]
    shifted = [expit(clipped_logit(p) + shift) for shift in _SHIFTS]
    as_told = [_in_share(p, share) for share in shifted]
    return [np.zeros(len(p)), np.ones(len(p)), *along, *(1 - y for y in along), *as_told]


def _in_share(p: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread outcomes over the predictions so that everywhere along them their share is the one given."""
    order = np.argsort(p, kind="stable")
    y = np.empty(len(p))
    y[order] = np.diff(np.round(np.cumsum(share[order])), prepend=0.0)
    return y


def _measure(repeats: list[Predicted]) -> dict[str, float]:
    once = np.ones((1, len(repeats[0].y)))
    families = {metric.figures for metric in METRICS.values()}  # figures that are computed together
    with np.errstate(divide="ignore", invalid="ignore"):  # not defined is NaN
        found = [[figures(data, once) for data in repeats] for figures in families]
    return {name: float(np.mean([d[name] for d in family])) for family in found for name in family[0]}


def _extremes(values: NDArray[np.float64], best: float) -> Bounds:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Bounds(float("nan"), float("nan"))
    if np.isinf(best):
        low, high = float(defined.min()), float(defined.max())
        return Bounds(low, high) if best > 0 else Bounds(high, low)
    away = np.abs(np.log(defined / best)) if best == 1.0 and (defined > 0).all() else np.abs(defined - best)
    nearest = float(defined[away.argmin()])
    # Figures on either side of the target: with the outcomes between them it is reached.
    reached = defined.min() <= best <= defined.max()
    return Bounds(float(defined[away.argmax()]), best if reached else nearest)

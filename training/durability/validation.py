"""Choose among ways to model relapse, and score the choice on patients it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.inputs import Inputs
from training.durability.candidates import CANDIDATES, FLOOR, fit_candidate
from training.durability.metrics import brier_contributions, estimate_durability, integrate, scored_weeks
from training.folds import make_splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.bootstrap import Estimate
    from training.durability.candidates import Responders
    from training.folds import Split

__all__ = ["FEWEST_RELAPSES", "Validation", "choose_candidate", "validate_durability"]

_OUTER_FOLDS, _INNER_FOLDS = 5, 4
FEWEST_RELAPSES = 10
"""Events that a curve or a weight of its own needs (Peduzzi et al., J Clin Epidemiol 1995;48:1503-1510)."""
_MOST_SCORED = 5_000  # responders that validation looks at; Uno's C compares all pairs of them


@dataclass(frozen=True)
class Validation:
    """How well relapse is foretold, out of fold.

    Parameters
    ----------
    metrics : mapping of str to Estimate
        See `training.durability.metrics.estimate_durability`; remission is known, as when maintenance starts.
    at_baseline : mapping of str to Estimate
        The same, with the probability of remission in its place; empty if that was not given.
    candidate_in_each_fold : tuple of str
    patients : int
        Responders that were scored.
    """

    metrics: Mapping[str, Estimate]
    at_baseline: Mapping[str, Estimate]
    candidate_in_each_fold: tuple[str, ...]
    patients: int


def choose_candidate(responders: Responders, seed: int) -> tuple[str, dict[str, float]]:
    """Cross-validate the candidates; the simplest within one standard error of the best one wins.

    Parameters
    ----------
    responders : Responders
    seed : int

    Returns
    -------
    name : str
        The floor if relapses with or without remission are too few to adjust for it.
    losses : dict of str to float
        Integrated Brier score of the candidates tried, out of fold.

    Raises
    ------
    TrainingDataError
        If relapses or groups are too few for folds.

    References
    ----------
    Breiman et al., Classification and Regression Trees (1984), section 3.4.3; groups count as one draw.
    """
    relapses = [responders.relapsed[responders.remission == value].sum() for value in (0, 1)]
    names = CANDIDATES if min(relapses) >= FEWEST_RELAPSES else ()
    splits, at = _split(responders, _INNER_FOLDS, seed), scored_weeks(responders)
    errors = {}
    for name in (FLOOR, *names):
        well = np.empty((len(responders), len(at)))
        for train, test in splits:
            well[test] = _predict(name, responders, train, test, at, seed).known
        errors[name] = integrate(brier_contributions(well, responders, at), at)
    losses = {name: float(error.mean()) for name, error in errors.items()}
    if not names:
        return FLOOR, losses
    best = min(names, key=losses.__getitem__)
    centred = errors[best] - losses[best]
    sums = centred if responders.groups is None else np.bincount(responders.groups, centred)
    bound = losses[best] + float(np.sqrt((sums**2).sum())) / len(responders)
    return next(name for name in names if losses[name] <= bound), losses


class _Predicted(NamedTuple):
    """Curves of test patients under the maintenance they had: remission known, and its probability."""

    known: NDArray[np.float64]
    foreseen: NDArray[np.float64]


def _predict(
    name: str,
    responders: Responders,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    at: NDArray[np.intp],
    seed: int,
    share: NDArray[np.float64] | None = None,
) -> _Predicted:
    learned = responders.take(train)
    inputs = learned.encoded()
    model = fit_candidate(name, learned, inputs, seed)
    new = Inputs(inputs.encoder, responders.rows[test])
    own = np.arange(len(test)), responders.maintenance[test]
    known, foreseen = (
        model.probability(new, remission[test])[own][:, at]
        for remission in (responders.remission, responders.remission if share is None else share)
    )
    return _Predicted(known, foreseen)


def validate_durability(
    responders: Responders, seed: int, remission_share: NDArray[np.float64] | None = None
) -> Validation:
    """Nested cross-validation that follows groups: the choice of the candidate is part of what is scored.

    Parameters
    ----------
    responders : Responders
        Of more than 5,000 as many are drawn.
    seed : int
    remission_share : ndarray of shape (n,), optional
        See `fit_durability`.

    Returns
    -------
    Validation

    Raises
    ------
    TrainingDataError
        If relapses or groups are too few for folds.
    """
    if len(responders) > _MOST_SCORED:
        drawn = np.sort(np.random.default_rng(seed).choice(len(responders), _MOST_SCORED, replace=False))
        responders = responders.take(drawn)
        remission_share = None if remission_share is None else remission_share[drawn]
    at = scored_weeks(responders)
    known, foreseen, floor = (np.empty((len(responders), len(at))) for _ in range(3))
    names = []
    for train, test in _split(responders, _OUTER_FOLDS, seed):
        name, _ = choose_candidate(responders.take(train), seed)
        predicted = _predict(name, responders, train, test, at, seed, remission_share)
        known[test], foreseen[test] = predicted
        floor[test] = _predict(FLOOR, responders, train, test, at, seed).known
        names.append(name)
    metrics = estimate_durability(known, floor, responders, at, seed)
    at_baseline = (
        {} if remission_share is None else estimate_durability(foreseen, floor, responders, at, seed)
    )
    return Validation(metrics, at_baseline, tuple(names), len(responders))


def _split(responders: Responders, folds: int, seed: int) -> list[Split]:
    """Folds with even shares of early relapses."""
    middle = np.median(responders.weeks[responders.relapsed == 1])
    early = (responders.relapsed == 1) & (responders.weeks <= middle)
    return make_splits(early.astype(np.float64), responders.groups, folds, seed)

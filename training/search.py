"""Choice of candidate and hyperparameters on inner folds of the training patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import optuna
from scipy.special import expit

from features.preprocessing import EncodePredictors
from models.calibration import Recalibration, fit_recalibration
from models.candidates import AVERAGE, CANDIDATES, Candidate, Params
from models.conformal import fit_conformal
from models.inputs import Inputs, TrainingSet
from models.response_model import LEVEL, Choice
from training.folds import make_splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from training.folds import Split

__all__ = ["InnerFolds", "SearchResult", "make_inner_folds", "search"]

INNER_FOLDS = 4


@dataclass(frozen=True)
class InnerFolds:
    """Inner folds with their encoders, made once and used for every outcome and candidate.

    Parameters
    ----------
    splits : list of Split
    train, test : list of Inputs
        Rows of each split, encoded by what its training rows taught.
    """

    splits: list[Split]
    train: list[Inputs]
    test: list[Inputs]


@dataclass(frozen=True)
class SearchResult:
    """What the inner folds say.

    Parameters
    ----------
    winner : str
        Name of the candidate to use.
    choices : mapping of str to Choice
        Every candidate tried, tuned and recalibrated, ready to be fitted on all training patients.
    losses : mapping of str to float
        Mean out-of-fold log loss of each, after recalibration.
    """

    winner: str
    choices: Mapping[str, Choice]
    losses: Mapping[str, float]

    @property
    def choice(self) -> Choice:
        """The winner."""
        return self.choices[self.winner]


def make_inner_folds(
    cohort_file: CohortFile,
    rows: NDArray[np.float64],
    response: NDArray[np.float64],
    groups: NDArray[np.intp] | None,
    seed: int,
) -> InnerFolds:
    """Split training patients and learn the encoding of each split.

    Parameters
    ----------
    cohort_file : CohortFile
    rows : ndarray of shape (n, m)
    response : ndarray of shape (n,)
        Outcome by which the folds are stratified.
    groups : ndarray of shape (n,) or None
    seed : int

    Returns
    -------
    InnerFolds
    """
    splits = make_splits(response, groups, INNER_FOLDS, seed)
    encoders = [EncodePredictors(cohort_file).fit(rows[train]) for train, _ in splits]
    return InnerFolds(
        splits,
        [Inputs(e, rows[train]) for e, (train, _) in zip(encoders, splits, strict=True)],
        [Inputs(e, rows[test]) for e, (_, test) in zip(encoders, splits, strict=True)],
    )


def search(
    folds: InnerFolds,
    y: NDArray[np.float64],
    groups: NDArray[np.intp] | None,
    seed: int,
    only: str | None = None,
) -> SearchResult:
    """Tune every candidate that the events can carry and pick the winner.

    The winner is the simplest candidate whose mean log loss is within one standard error of the best
    one's; if the best does not beat plan-wise prevalence, that is used.

    Parameters
    ----------
    folds : InnerFolds
    y : ndarray of shape (n,)
        0 or 1, of the training patients.
    groups : ndarray of shape (n,) or None
    seed : int
    only : str, optional
        Name of a candidate that is to be used whatever the others do.

    Returns
    -------
    SearchResult

    References
    ----------
    Breiman et al., Classification and Regression Trees (1984), section 3.4.3 (one-standard-error rule).
    """
    sets = [
        TrainingSet(inputs, y[train], None if groups is None else groups[train])
        for inputs, (train, _) in zip(folds.train, folds.splits, strict=True)
    ]
    events = int(min(y.sum(), len(y) - y.sum()))
    params: dict[str, Params] = {}
    logits: dict[str, NDArray[np.float64]] = {}
    for candidate in CANDIDATES:
        wanted = candidate.name == "prevalence" or only in (candidate.name, AVERAGE, None)
        if wanted and (candidate.minimum_events <= events or candidate.name == only):
            params[candidate.name], logits[candidate.name] = _tune(candidate, folds, sets, y, seed)
    members = {name: params[name] for name in params if name != "prevalence"}
    if only == AVERAGE or (only is None and len(members) > 1):
        logits[AVERAGE] = np.mean([logits[name] for name in members], axis=0)

    fold = np.empty(len(y), dtype=np.intp)
    for number, (_, test) in enumerate(folds.splits):
        fold[test] = number
    choices, losses = {}, {}
    for name, logit in logits.items():
        recalibration = Recalibration() if name == "prevalence" else fit_recalibration(logit, y, fold)
        calibrated = recalibration.apply(logit)
        losses[name] = _log_loss(calibrated, y)
        choices[name] = Choice(
            candidate=name,
            params=members if name == AVERAGE else {name: params[name]},
            recalibration=recalibration,
            bounds=fit_conformal(expit(calibrated), y, LEVEL).at_even_odds(),
        )
    winner = only or _one_standard_error(losses, groups)
    return SearchResult(winner, choices, {name: float(loss.mean()) for name, loss in losses.items()})


def _tune(
    candidate: Candidate, folds: InnerFolds, sets: list[TrainingSet], y: NDArray[np.float64], seed: int
) -> tuple[Params, NDArray[np.float64]]:
    """Best setting of a candidate and its out-of-fold logits; a hopeless setting is left early."""
    found: dict[int, tuple[Params, NDArray[np.float64]]] = {}

    def objective(trial: optuna.Trial) -> float:
        params = candidate.suggest(trial)
        logits = np.empty(len(y))
        losses: list[float] = []
        for step, (train, test, (_, rows)) in enumerate(zip(sets, folds.test, folds.splits, strict=True)):
            logits[rows] = candidate.fit(train, params, seed).logit(test)
            losses.append(float(_log_loss(logits[rows], y[rows]).mean()))
            trial.report(float(np.mean(losses)), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        found[trial.number] = (params, logits)
        return float(np.mean(losses))

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.enqueue_trial(dict(candidate.default))
    study.optimize(objective, n_trials=max(1, candidate.trials))
    return found[study.best_trial.number]


def _one_standard_error(losses: Mapping[str, NDArray[np.float64]], groups: NDArray[np.intp] | None) -> str:
    """Simplest candidate within one standard error of the best; `losses` is in order of simplicity."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    if best == "prevalence":
        return best
    bound = losses[best].mean() + _standard_error(losses[best], groups)
    return next(name for name, loss in losses.items() if name != "prevalence" and loss.mean() <= bound)


def _standard_error(loss: NDArray[np.float64], groups: NDArray[np.intp] | None) -> float:
    """Standard error of a mean loss; patients of one group count as one draw."""
    centred = loss - loss.mean()
    sums = centred if groups is None else np.bincount(groups, weights=centred)
    return float(np.sqrt((sums**2).sum()) / len(loss))


def _log_loss(logit: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log loss of each patient: log(1 + exp(logit)) - y * logit."""
    result: NDArray[np.float64] = np.logaddexp(0.0, logit) - y * logit
    return result

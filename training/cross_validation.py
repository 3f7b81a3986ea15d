"""Nested, repeated cross-validation: everything is learned anew inside each outer fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from scipy.special import expit

from models.response_model import OUTCOMES, ResponseModel, fit_outcome, fit_score
from training.folds import fold_seed
from training.patients import Patients, make_outer_splits, training_sets
from training.plans.folds import predict_plan_fold
from training.search import SearchResult, make_inner_folds, search

if TYPE_CHECKING:
    from models.inputs import TrainingSet
    from training.folds import Split
    from training.progress import Progress

__all__ = [
    "REPEATS",
    "Fitted",
    "Fold",
    "Validated",
    "cross_validate",
    "fit_fold",
    "fit_known",
    "fit_model",
    "reuse_candidates",
]

REPEATS = 2


@dataclass(frozen=True)
class Fitted:
    """A model with the searches that shaped it.

    Parameters
    ----------
    model : ResponseModel
    searches : mapping of str to SearchResult
        By outcome.
    """

    model: ResponseModel
    searches: Mapping[str, SearchResult]


@dataclass(frozen=True)
class Validated:
    """Result of nested cross-validation with the final model, fitted on all patients.

    Parameters
    ----------
    final : Fitted
    out_of_fold : DataFrame
        One row for each outcome, repeat and patient: `outcome, repeat, fold, patient, observed,
        probability, low, high, parameters` and one column `candidate_NAME` for each candidate tried;
        `patient` counts the rows of `Patients`, `observed` is NaN without endpoint, `parameters` is the
        effective number that the fold's training patients decided (`models.uncertainty`).
    winners : mapping of str to list of str
        By outcome, the candidate chosen in each outer fold.
    splits : sequence of sequences of Split
        Outer folds of each repeat.
    plans : DataFrame or None
        What each fold's model expects of its test patients on every plan, with `repeat` and `fold` (see
        `training.plans.folds`); None without plans, and at later landmarks, when a plan has been chosen.
    """

    final: Fitted
    out_of_fold: pd.DataFrame
    winners: Mapping[str, list[str]]
    splits: Sequence[Sequence[Split]]
    plans: pd.DataFrame | None = None


class Fold(NamedTuple):
    """What comes back from one outer fold: its rows of `Validated.out_of_fold`, and who won.

    Parameters
    ----------
    repeat, fold : int
    table : DataFrame
    winners : dict of str to str
        Candidate used, by outcome.
    plans : DataFrame or None
    """

    repeat: int
    fold: int
    table: pd.DataFrame
    winners: dict[str, str]
    plans: pd.DataFrame | None


def fit_model(patients: Patients, seed: int, only: str | Mapping[str, str] | None = None) -> Fitted:
    """Run the whole procedure on the patients with an endpoint: search on inner folds, final fit.

    Parameters
    ----------
    patients : Patients
    seed : int
    only : str or mapping of str to str, optional
        Candidate to use whatever the search says, of all outcomes or of each.

    Returns
    -------
    Fitted

    Raises
    ------
    TrainingDataError
        If there are too few events or groups for inner folds.
    """
    return fit_known(patients.take(patients.known), seed, only)[0]


def fit_known(
    known: Patients, seed: int, only: str | Mapping[str, str] | None
) -> tuple[Fitted, dict[str, TrainingSet]]:
    """Run `fit_model` on patients who all have an endpoint; what the final fit learned from, too.

    Parameters
    ----------
    known : Patients
    seed : int
    only : str, mapping of str to str, or None
        As in `fit_model`.

    Returns
    -------
    fitted : Fitted
    sets : dict of str to TrainingSet
        By outcome.

    Raises
    ------
    TrainingDataError
        As `fit_model`.
    """
    inner = make_inner_folds(known.cohort_file, known.rows, known.outcomes["response"], known.groups, seed)
    candidates = only if isinstance(only, Mapping) else dict.fromkeys(OUTCOMES, only)
    searches = {
        name: search(inner, known.outcomes[name], known.groups, seed, candidates[name]) for name in OUTCOMES
    }
    sets = training_sets(known)
    outcomes = {name: fit_outcome(sets[name], searches[name].choice, seed) for name in OUTCOMES}
    encoder = sets["response"].inputs.encoder
    return Fitted(ResponseModel(encoder, outcomes), searches), sets


def cross_validate(
    patients: Patients,
    seed: int,
    only: str | None = None,
    splits: Sequence[Sequence[Split]] | None = None,
    progress: Progress | None = None,
    *,
    like: Validated | None = None,
) -> Validated:
    """Nested, repeated, stratified cross-validation that follows groups; folds run in parallel.

    Parameters
    ----------
    patients : Patients
    seed : int
    only : str, optional
        Candidate to use whatever the searches say.
    splits : sequence of sequences of Split, optional
        Outer folds of each repeat, instead of those made here.
    progress : callable, optional
        Called with the number of fits done and of all.
    like : Validated, optional
        An earlier validation of the same patients, whose outer folds are used and, in each fold and in the
        final fit, its candidates: only their hyperparameters are searched anew. What it chose in a fold
        was learned from that fold's training patients alone.

    Returns
    -------
    Validated

    Raises
    ------
    TrainingDataError
        If there are too few events or groups for folds.

    References
    ----------
    Varma and Simon, BMC Bioinformatics 2006;7:91 (why tuning must be nested).
    """
    if like is not None:
        splits = like.splits
    if splits is None:
        splits = [make_outer_splits(patients, seed + repeat) for repeat in range(REPEATS)]
    tasks = [(r, f, split) for r, folds in enumerate(splits) for f, split in enumerate(folds)]
    final_choice, choices = _candidates_of(like, only, len(tasks))
    jobs: list[Any] = [delayed(fit_model)(patients, seed, final_choice)]  # the longest first
    plans = like is None and len(patients.cohort_file.plan_levels) > 1
    jobs += [
        delayed(fit_fold)(patients, seed, choice, *task, plans=plans)
        for choice, task in zip(choices, tasks, strict=True)
    ]
    results: list[Fitted | Fold] = []
    with parallel_config(backend="loky", inner_max_num_threads=1):
        for result in Parallel(n_jobs=-1, return_as="generator_unordered")(jobs):
            results.append(result)
            if progress is not None:
                progress(len(results), len(jobs))
    folds = sorted((r for r in results if isinstance(r, Fold)), key=lambda r: (r.repeat, r.fold))
    (final,) = (r for r in results if isinstance(r, Fitted))
    winners = {name: [fold.winners[name] for fold in folds] for name in OUTCOMES}
    table = pd.concat([fold.table for fold in folds], ignore_index=True)
    on_plans = [fold.plans for fold in folds if fold.plans is not None]
    return Validated(
        final, table, winners, splits, pd.concat(on_plans, ignore_index=True) if on_plans else None
    )


def _candidates_of(
    like: Validated | None, only: str | None, folds: int
) -> tuple[str | Mapping[str, str] | None, Sequence[str | Mapping[str, str] | None]]:
    """Candidates of the final fit and of each outer fold."""
    if like is None:
        return only, [only] * folds
    final = reuse_candidates({name: found.winner for name, found in like.final.searches.items()}, only)
    of_folds = [{name: won[i] for name, won in like.winners.items()} for i in range(folds)]
    return final, [reuse_candidates(winners, only) for winners in of_folds]


def reuse_candidates(winners: Mapping[str, str], only: str | None) -> dict[str, str]:
    """Choose the candidates of a later landmark by those that the search chose at baseline.

    Where nothing beat plan-wise prevalence, what is known since may well: the simplest model tries.

    Parameters
    ----------
    winners : mapping of str to str
        At baseline, by outcome.
    only : str or None
        Candidate that was fixed by the user.

    Returns
    -------
    dict of str to str
        By outcome.

    Examples
    --------
    >>> reuse_candidates({"response": "forest", "remission": "prevalence"}, None)
    {'response': 'forest', 'remission': 'ridge'}
    """
    fallback = "ridge" if only is None else only
    return {name: fallback if won == "prevalence" else won for name, won in winners.items()}


def fit_fold(
    patients: Patients,
    seed: int,
    only: str | Mapping[str, str] | None,
    repeat: int,
    fold: int,
    split: Split,
    *,
    plans: bool = False,
) -> Fold:
    """Run the procedure on the training rows and predict the test rows.

    Parameters
    ----------
    patients : Patients
    seed : int
    only : str, mapping of str to str, or None
        As in `fit_model`.
    repeat, fold : int
        Numbers of the fold, from which its own seed is made.
    split : Split
        Training rows must have an endpoint.
    plans : bool
        Whether to predict the test rows on every plan, too.

    Returns
    -------
    Fold

    Raises
    ------
    TrainingDataError
        If the training rows hold too few events or groups for inner folds.
    """
    rows, test = split
    own_seed = fold_seed(seed, repeat, fold)
    fitted, sets = fit_known(patients.take(rows), own_seed, only)
    inputs = fitted.model.inputs(patients.rows[test])
    tables = []
    for name, model in fitted.model.outcomes.items():
        probability, low, high = model.predict(inputs)
        table = {
            "outcome": name,
            "repeat": repeat,
            "fold": fold,
            "patient": test,
            "observed": patients.outcomes[name][test],
            "probability": probability,
            "low": low,
            "high": high,
            "parameters": float(model.uncertainty.parameters),
        }
        for candidate, choice in fitted.searches[name].choices.items():
            score = fit_score(sets[name], candidate, choice.params, own_seed)
            table[f"candidate_{candidate}"] = expit(choice.recalibration.apply(score.logit(inputs)))
        tables.append(pd.DataFrame(table))
    chosen = {name: result.choice.candidate for name, result in fitted.searches.items()}
    on_plans = None
    if plans:
        known = np.intersect1d(test, patients.known)
        on_plans = predict_plan_fold(fitted.model, sets["response"].inputs, patients.rows[known], known)
        on_plans = on_plans.assign(repeat=repeat, fold=fold)
    return Fold(repeat, fold, pd.concat(tables, ignore_index=True), chosen, on_plans)

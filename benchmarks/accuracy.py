"""Log loss, Brier score and AUROC beside rivals, on identical folds and identical fresh patients.

Folds and seeds run side by side, one core each, for ours and for every rival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from flaml import AutoML
from joblib import Parallel, delayed, parallel_config
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from benchmarks.simulated import SEEDS, SIZES, cohort, cohort_file, fresh
from features.cohort import load_cohort
from features.cohort_file import load_cohort_file
from features.tree_columns import expand_for_trees
from tests.real_data.data import HERE, find_table
from training.cross_validation import fit_model
from training.patients import Patients

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from rich.console import Console

_SECONDS: Final = 30  # that FLAML gets for each fit, on one core like all others
OURS: Final = "ours"


def _logistic(
    x: NDArray[np.float32], y: NDArray[np.float64], test: NDArray[np.float32]
) -> NDArray[np.float64]:
    model = make_pipeline(
        SimpleImputer(add_indicator=True),
        StandardScaler(),
        LogisticRegressionCV(Cs=10, cv=5, scoring="neg_log_loss", max_iter=5000),
    )
    return np.asarray(model.fit(x, y).predict_proba(test)[:, 1])


def _forest(x: NDArray[np.float32], y: NDArray[np.float64], test: NDArray[np.float32]) -> NDArray[np.float64]:
    model = RandomForestClassifier(500, min_samples_leaf=10, random_state=0, n_jobs=1)
    return np.asarray(model.fit(x, y).predict_proba(test)[:, 1])


def _boosting(
    x: NDArray[np.float32], y: NDArray[np.float64], test: NDArray[np.float32]
) -> NDArray[np.float64]:
    return np.asarray(XGBClassifier(random_state=0).fit(x, y).predict_proba(test)[:, 1])


def _flaml(x: NDArray[np.float32], y: NDArray[np.float64], test: NDArray[np.float32]) -> NDArray[np.float64]:
    model = AutoML()
    model.fit(
        x,
        y.astype(int),
        task="classification",
        metric="log_loss",
        time_budget=_SECONDS,
        estimator_list=["xgboost", "xgb_limitdepth", "rf", "extra_tree"],
        seed=0,
        n_jobs=1,
        verbose=0,
    )
    return np.asarray(model.predict_proba(test)[:, 1])


RIVALS: dict[
    str, Callable[[NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]], NDArray[np.float64]]
] = {
    "LogisticRegressionCV (L2)": _logistic,
    "RandomForest (leaves of 10)": _forest,
    "XGBClassifier (defaults)": _boosting,
    f"FLAML ({_SECONDS} s a fit)": _flaml,
}


def run(console: Console) -> dict[str, Any]:
    """Measure on the trial, if its file is present, and on simulated cohorts of three sizes."""
    results: dict[str, Any] = {}
    trial = _find_trial()
    if trial is None:
        console.print("thp: left out, the trial's file is not present")
    else:
        results["thp"] = _measure_trial(trial)
        _show(console, "THP, response at 6 months, 10 folds by cluster", results["thp"])
    for size in SIZES:
        results[f"simulated {size}"] = _measure_simulated(size)
        title = f"simulated, {size} patients, 20,000 fresh, mean of {len(SEEDS)} seeds"
        _show(console, title, results[f"simulated {size}"])
    return results


def _find_trial() -> str | None:
    try:
        return find_table("thp_perinatal_cbt.csv")
    except pytest.skip.Exception:
        return None


def _measure_trial(path: str) -> dict[str, dict[str, float]]:
    file = load_cohort_file(HERE / "thp.toml")
    patients = Patients.from_cohort(load_cohort(file, path))
    patients = patients.take(patients.known)
    y, groups = patients.outcomes["response"], patients.groups
    x = expand_for_trees(file, patients.rows)
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=0).split(x, y, groups)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        parts = Parallel(n_jobs=-1)(
            delayed(_predict_fold)(patients, number, *split) for number, split in enumerate(folds)
        )
    predicted = {name: np.empty(len(y)) for name in (OURS, *RIVALS)}
    for test, part in parts:
        for name, p in part.items():
            predicted[name][test] = p
    return {name: _figures(y, p) for name, p in predicted.items()}


def _predict_fold(
    patients: Patients, number: int, train: NDArray[np.intp], test: NDArray[np.intp]
) -> tuple[NDArray[np.intp], dict[str, NDArray[np.float64]]]:
    model = fit_model(patients.take(train), number).model
    predicted = {OURS: model.outcomes["response"].probability(model.inputs(patients.rows[test]))}
    x = expand_for_trees(patients.cohort_file, patients.rows)
    y = patients.outcomes["response"]
    return test, predicted | {name: rival(x[train], y[train], x[test]) for name, rival in RIVALS.items()}


def _measure_simulated(size: int) -> dict[str, dict[str, float]]:
    with parallel_config(backend="loky", inner_max_num_threads=1):
        rows = Parallel(n_jobs=-1)(delayed(_measure_seed)(size, seed) for seed in SEEDS)
    means = {name: {k: float(np.mean([r[name][k] for r in rows])) for k in rows[0][name]} for name in rows[0]}
    people = fresh()
    return means | {
        "Bayes (complete inputs)": _figures(people.observed["response"], people.truth["response"])
    }


def _measure_seed(size: int, seed: int) -> dict[str, dict[str, float]]:
    people = fresh()
    y = people.observed["response"]
    model = fit_model(Patients.from_cohort(cohort(size, seed)), seed).model
    figures = {OURS: _figures(y, model.outcomes["response"].probability(model.inputs(people.clinic)))}
    known = ~np.isnan(cohort(size, seed).response)
    x = expand_for_trees(cohort_file(), cohort(size, seed).rows[known])
    test = expand_for_trees(cohort_file(), people.clinic)
    for name, rival in RIVALS.items():
        figures[name] = _figures(y, rival(x, cohort(size, seed).response[known], test))
    return figures


def _figures(y: NDArray[np.float64], p: NDArray[np.float64]) -> dict[str, float]:
    return {
        "log_loss": float(log_loss(y, p)),
        "brier": float(brier_score_loss(y, p)),
        "auroc": float(roc_auc_score(y, p)),
    }


def _show(console: Console, title: str, rows: dict[str, dict[str, float]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("", "log loss", "Brier", "AUROC"):
        table.add_column(column, justify="right" if column else "left")
    for name, figures in sorted(rows.items(), key=lambda item: item[1]["log_loss"]):
        table.add_row(name, *(f"{figures[key]:.4f}" for key in ("log_loss", "brier", "auroc")))
    console.print(table)

"""The commands `fit` and `score` with their side effects: files, tracking store, terminal."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from features.cohort import load_cohort
from features.cohort_file import BASELINE, load_cohort_file
from features.errors import UserError
from features.screening import CohortScreen
from features.tables import read_table
from features.trainable import check_trainable
from models.candidates import AVERAGE, CANDIDATES
from models.registry import load_located, locate
from models.storage import FORMAT
from training.diagnostics.implausible import find_implausible
from training.diagnostics.printing import print_findings
from training.diagnostics.run import check_findings, check_names, diagnose
from training.files import check_folder, check_suffix, finite, write_table, write_text
from training.fit import Fit, data_digest, fit_cohort
from training.printing import print_fit
from training.progress import show_progress
from training.safety_columns import check_with_answers, withhold
from training.scoring import model_at, score_frame
from training.summary import summarise
from training.tracking import log_fit, ready_store

if TYPE_CHECKING:
    from pathlib import Path

    from features.cohort import Cohort

__all__ = ["fit_key", "out_of_fold_table", "run_fit", "run_score"]


def run_fit(
    cohort_path: Path,
    data: str,
    query: str | None = None,
    *,
    seed: int = 0,
    candidate: str | None = None,
    out: Path | None = None,
    acknowledged: Sequence[str] = (),
) -> str:
    """Fit a cohort, log it, register a version and write its figures.

    Parameters
    ----------
    cohort_path : Path
    data, query : str
        See `features.tables.read_table`.
    seed : int
    candidate : str, optional
        Use this one whatever the search says.
    out : Path, optional
        Folder for `metrics.json` and `predictions.csv`; made if needed.
    acknowledged : sequence of str
        Severe findings of the diagnostics that do not stop the fit (`training.diagnostics.run`).

    Returns
    -------
    str
        The registered version.

    Raises
    ------
    UserError
        If the cohort file, the table, the candidate's name or the tracking store is at fault, or the
        diagnostics find something severe that was not acknowledged. Nothing is written then.
    """
    names = [*(c.name for c in CANDIDATES), AVERAGE]
    if candidate is not None and candidate not in names:
        raise UserError(f"--candidate {candidate} is not known; allowed: {', '.join(names)}")
    check_names(acknowledged)
    file = load_cohort_file(cohort_path)
    cohort = load_cohort(file, data, query)
    experiment = ready_store(file.name)
    if out is not None:
        check_folder(out)
    console = Console(width=None if sys.stdout.isatty() else 110)
    fitted = _fit_if_sound(cohort, seed, candidate, acknowledged, console)
    version, run_id = log_fit(fitted, experiment, fit_key(cohort, seed, candidate))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(json.dumps(finite(summarise(fitted)), indent=2) + "\n", out / "metrics.json")
        write_table(out_of_fold_table(fitted), out / "predictions.csv")
    print_fit(fitted, console)
    console.print(f"Version {version} of [bold]{file.name}[/bold] is @challenger (MLflow run {run_id}).")
    if out is not None:
        console.print(f"Figures: {out / 'metrics.json'}, {out / 'predictions.csv'}")
    return version


def _fit_if_sound(
    cohort: Cohort, seed: int, candidate: str | None, acknowledged: Sequence[str], console: Console
) -> Fit:
    """Fit unless something severe is found, in the cohort before the long work or in the result after it."""
    check_trainable(cohort, ["response"])  # says more plainly than a finding could that there is no outcome
    findings = diagnose(cohort)
    check_findings(findings, acknowledged)
    print_findings(findings, acknowledged, console)
    with show_progress(console, "cross-validating") as advance:
        fitted = fit_cohort(cohort, seed, candidate, advance)
    auroc = {name: report.metrics["auroc"] for name, report in fitted.outcomes.items()}
    results = tuple(find_implausible(auroc))
    check_findings(results, acknowledged)
    print_findings(results, acknowledged, console)
    return replace(fitted, findings=(*findings, *results), acknowledged=tuple(acknowledged))


def run_score(
    model: str,
    data: str,
    query: str | None,
    out: Path,
    *,
    probabilities_only: bool = False,
    landmark: str = BASELINE,
) -> int:
    """Predict a table and write the predictions.

    Parameters
    ----------
    model : str
        See `models.registry.locate`.
    data, query : str
    out : Path
    probabilities_only : bool
    landmark : str
        From which to predict; the table must have the columns of all predictors known by then. Columns
        named like a safety question hold answers, and take numbers away (`training.safety_columns`).

    Returns
    -------
    int
        Number of predictions.

    Raises
    ------
    UserError
        If the model, the landmark, the table or the name of the output is at fault. Nothing is written then.
    """
    check_suffix(out)
    loaded = model_at(load_located(locate(model)), landmark)
    file = loaded.cohort_file
    frame, answers = check_with_answers(
        file, read_table(data, query), CohortScreen(file), origin=data if query is None else "query"
    )
    predictions = score_frame(loaded, frame, probabilities_only=probabilities_only)
    write_table(withhold(predictions, file, frame, answers), out)
    return len(predictions)


def fit_key(cohort: Cohort, seed: int, candidate: str | None) -> str:
    """Digest of everything that a fit's result follows from, and of how it is written.

    Parameters
    ----------
    cohort : Cohort
    seed : int
    candidate : str or None

    Returns
    -------
    str
        Hexadecimal.
    """
    code = importlib.metadata.version("treatment-response")
    return hashlib.sha256(f"{data_digest(cohort)} {seed} {candidate} {code} {FORMAT}".encode()).hexdigest()


def out_of_fold_table(fit: Fit) -> pd.DataFrame:
    """Out-of-fold predictions as `predictions.csv` holds them.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    DataFrame
        `ID, repeat, fold, landmark, outcome, observed, probability, low, high`; at a later landmark the
        patients who are still in care.
    """
    validated = {BASELINE: fit.validated} | {name: at.validated for name, at in fit.landmarks.items()}
    parts = []
    for landmark, found in validated.items():
        source = found.out_of_fold
        table = source[["repeat", "fold", "outcome", "probability", "low", "high"]].copy()
        table.insert(0, fit.cohort.file.row_id or "row", fit.cohort.ids[source["patient"].to_numpy()])
        table.insert(3, "landmark", landmark)
        table.insert(5, "observed", source["observed"].astype("Int64"))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)

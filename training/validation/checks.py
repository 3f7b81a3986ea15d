"""Facts about a version that are so or not: no interval, no margin but that of rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from joblib import delayed

from features.cohort_file_model import BASELINE
from features.encoding import column_names
from features.errors import ArtefactError, TrainingDataError
from features.schema import check_table
from models.learned_from import LearnedFrom
from models.registry import load_located
from models.response_model import OUTCOMES
from models.scorer import Scorer
from training.cross_validation import fit_model, reuse_candidates
from training.patients import Patients
from training.scoring import score_frame
from training.validation.logged import load_logged
from training.validation.pool import Work
from training.validation.refits import candidates_of
from training.validation.schema_check import check_schema
from training.validation.seen import see_as

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from features.cohort import Cohort
    from features.cohort_file import CohortFile
    from models.care_model import CareModel
    from models.registry import Located
    from models.response_model import ResponseModel
    from models.scorer import Answer

__all__ = ["Check", "check_finite", "decode_rows", "make_reproduction_jobs", "run_checks"]

Check = tuple[bool, str]
"""Whether it is so, and a sentence of evidence."""

_CLOSE: Final = 1e-6
_ROWS: Final = 100


def check_finite(model: CareModel, cohort: Cohort) -> None:
    """Refuse a version that gives a patient of the cohort an answer that is not a number.

    Nothing can be measured of it, and where it is served nobody is told anything.

    Parameters
    ----------
    model : CareModel
    cohort : Cohort

    Raises
    ------
    ArtefactError
        Naming the landmark and outcome, and how many patients are concerned.
    """
    for landmark, own in model.landmarks.items():
        known = cohort.at(landmark) if landmark in cohort.file.landmarks else cohort
        inputs = own.inputs(see_as(known, own.cohort_file).rows)
        for name, outcome in own.outcomes.items():
            with np.errstate(all="ignore"):  # what overflows on the way is found in the answer
                answers = outcome.predict(inputs)
            if odd := int((~np.isfinite(answers)).any(axis=0).sum()):
                raise ArtefactError(
                    f"the version's answers are not numbers: {name} at {landmark}, {odd} of "
                    f"{answers.shape[1]} patients (a probability or an end of its interval); fit it again"
                )


def run_checks(
    located: Located,
    model: CareModel,
    cohort: Cohort,
    champion: CareModel | None = None,
    reproduced: Check | None = None,
) -> dict[str, Check]:
    """Check what does not depend on outcomes.

    Parameters
    ----------
    located : Located
    model : CareModel
        The version, read from there.
    cohort : Cohort
        Whose rows are answered for.
    champion : CareModel, optional
        None if there is none, or it is this version.
    reproduced : (bool, str), optional
        Result of `make_reproduction_jobs`; None on other data than the version was learned from.

    Returns
    -------
    dict of str to (bool, str)
        `digest`, `logged_answers`, `schema`, and `reproduced` if given.
    """
    found = {
        "digest": _check_digest(located),
        "logged_answers": _check_answers(located, model, cohort),
        "schema": check_schema(model.cohort_file, None if champion is None else champion.cohort_file),
    }
    return found if reproduced is None else found | {"reproduced": reproduced}


def make_reproduction_jobs(model: CareModel, cohort: Cohort, seed: int, fixed: str | None) -> Work[Check]:
    """Make the jobs that fit the version anew from the data it was learned from.

    Without it, a version whose files were made or edited by hand could pass on the merit of its procedure.
    Response models of all landmarks are compared: probability and interval of every patient, and the bounds
    of the verdict; and whom the version says that it has learned from. Plans, durability and the futility
    rule are parts that only the digest guards.

    Parameters
    ----------
    model : CareModel
    cohort : Cohort
        The data that it was learned from.
    seed : int
        Of the fit.
    fixed : str or None
        Candidate that the fit was given, None if it searched all.

    Returns
    -------
    Work
        Its result: whether all answers agree to 1e-6, and how far they are apart.
    """
    jobs: list[Any] = [delayed(_fit)(Patients.from_cohort(cohort), seed, fixed)]
    later = [name for name in model.landmarks if name != BASELINE]
    # A later landmark is fitted with the candidates that the baseline's search chose (`training.landmarks`).
    chosen = reuse_candidates(candidates_of(model.baseline), fixed)
    jobs += [delayed(_fit)(Patients.from_cohort(cohort.at(name)), seed, chosen) for name in later]

    def finish(found: Sequence[Any]) -> Check:
        return _compare_fits(model, cohort, dict(zip([BASELINE, *later], found, strict=True)))

    return Work(jobs, finish)


def _fit(patients: Patients, seed: int, only: str | Mapping[str, str] | None) -> ResponseModel | None:
    try:
        return fit_model(patients, seed, only).model
    except TrainingDataError:
        return None


def _compare_fits(model: CareModel, cohort: Cohort, refits: Mapping[str, ResponseModel | None]) -> Check:
    apart = 0.0
    for landmark, again in refits.items():
        if again is None:
            return False, f"the {landmark} model cannot be fitted to these data"
        own = model.landmarks[landmark]
        rows = (cohort if landmark == BASELINE else cohort.at(landmark)).rows
        for name, outcome in own.outcomes.items():
            other = again.outcomes[name]
            if outcome.choice.candidate != other.choice.candidate:
                return False, (
                    f"fitting anew chooses {other.choice.candidate} for {name} at {landmark}; "
                    f"the version has {outcome.choice.candidate}"
                )
            answers = outcome.predict(own.inputs(rows)), other.predict(again.inputs(rows))
            bounds = [
                (b.response_from, b.non_response_to) for b in (outcome.choice.bounds, other.choice.bounds)
            ]
            apart = max(apart, _gap(*answers), _gap(*bounds))
    if not _learned_from_these(model, cohort):
        return False, "the version was not learned from whom it says, by which its patients are recognised"
    told = f"{len(refits)} landmark(s), {len(cohort.rows)} patients: answers differ by {apart:.1e} at most"
    return apart <= _CLOSE, told


def _learned_from_these(model: CareModel, cohort: Cohort) -> bool:
    known = ~np.isnan(cohort.response)
    noted, stated = LearnedFrom.of(cohort.rows[known], cohort.baseline[known]), model.learned_from
    if stated is None:
        return False
    return noted.alike == stated.alike and np.array_equal(noted.taken, stated.taken)


def _gap(one: ArrayLike, other: ArrayLike) -> float:
    """By how much answers differ at most; one that is not finite is infinitely far from any, itself included.

    A NaN compares as neither larger nor smaller, and would else hide every difference beside it.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return math.inf
    return float(np.abs(first - second).max(initial=0.0))


def _check_digest(located: Located) -> Check:
    """Whether the files are those that were registered."""
    try:
        load_located(located)
    except ArtefactError as exc:
        return False, str(exc)
    return True, f"files match {located.digest}"


def _check_answers(located: Located, model: CareModel, cohort: Cohort) -> Check:
    """Whether scorer, batch and, from baseline, the logged model say the same of the cohort's patients."""
    apart, same, rows = 0.0, True, 0
    for landmark, own in model.landmarks.items():
        known = cohort.at(landmark) if landmark in cohort.file.landmarks else cohort
        encoded = _with_and_without_gaps(own.cohort_file, see_as(known, own.cohort_file).rows)
        frame, rows = decode_rows(own.cohort_file, encoded), rows + len(encoded)
        told = [score_frame(own, check_table(own.cohort_file, frame, "score"))]
        if landmark == BASELINE:
            try:
                told.append(load_logged(located).predict(frame))
            except ArtefactError as exc:
                return False, f"the logged model does not answer: {exc}"
            except Exception as exc:  # whatever MLflow raises; its texts may hold values of patients
                return False, f"the logged model does not answer ({type(exc).__name__})"
        scorer = Scorer(own, landmark)
        served = [scorer.answer(row, drivers=False) for row in encoded.tolist()]
        for table in told:
            apart = max(apart, _distance(served, table))
            same &= [answer.verdict for answer in served] == table["verdict"].tolist()
            same &= [" ".join(answer.missing) for answer in served] == table["missing"].tolist()
    verdicts = "the same verdicts and missing inputs" if same else "other verdicts or missing inputs"
    return bool(same and apart <= _CLOSE), (
        f"{rows} patients with and without missing values, {len(model.landmarks)} landmark(s): logged model, "
        f"scorer and batch differ by {apart:.1e} at most, {verdicts}"
    )


def _distance(served: Sequence[Answer], table: pd.DataFrame) -> float:
    """By how much probabilities and ends of intervals differ at most."""
    apart = 0.0
    for name in OUTCOMES:
        for part in ("probability", "low", "high"):
            one = np.array([getattr(getattr(answer, name), part) for answer in served])
            apart = max(apart, _gap(one, table[f"{name}_{part}"].to_numpy(np.float64)))
    return apart


def _with_and_without_gaps(file: CohortFile, encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up to 100 of the rows, fullest and emptiest; then each with half its values taken out."""
    predictors = len(file.baseline_predictors)
    gaps = np.isnan(encoded[:, :predictors]).sum(axis=1)
    order = np.argsort(gaps, kind="stable")
    chosen = order if len(order) <= _ROWS else np.concatenate([order[: _ROWS // 2], order[-_ROWS // 2 :]])
    rows = encoded[chosen]
    emptied = rows.copy()
    emptied[:, :predictors][np.random.default_rng(0).random((len(rows), predictors)) < 0.5] = np.nan
    return np.concatenate([rows, emptied])


def decode_rows(file: CohortFile, rows: NDArray[np.float64]) -> pd.DataFrame:
    """Write encoded rows as the table that they could have come from.

    Parameters
    ----------
    file : CohortFile
    rows : ndarray of shape (n, m)
        See `features.encoding`.

    Returns
    -------
    DataFrame
        Numbers as numbers, levels and plans as text, rows numbered from 0 where the file has ids.
    """
    levels = {predictor.name: predictor.levels for predictor in file.baseline_predictors}
    if file.plan is not None:
        levels[file.plan.column] = file.plan_levels
    table: dict[str, object] = {}
    if file.row_id is not None:
        table[file.row_id] = [str(row) for row in range(len(rows))]
    for name, column in zip(column_names(file), rows.T, strict=True):
        if levels[name]:
            codes = np.nan_to_num(column, nan=-1).astype(np.intp)
            table[name] = pd.array(levels[name], dtype="str").take(codes, allow_fill=True)
        else:
            table[name] = column
    return pd.DataFrame(table)

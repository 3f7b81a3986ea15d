"""A cohort ready to learn from: encoded patients, their outcomes, and who was left out and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.cohort_file_model import MAINTENANCE
from features.encoding import column_names, encode_frame
from features.errors import TrainingDataError
from features.outcomes import find_remission, find_response
from features.schema import check_table
from features.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.cohort_file import CohortFile

__all__ = ["Cohort", "FollowUp", "PatientFlow", "load_cohort", "make_cohort", "make_ids"]


@dataclass(frozen=True, slots=True)
class PatientFlow:
    """How many patients came in, and how many are left.

    Parameters
    ----------
    rows : int
        In the table.
    excluded : mapping of str to int
        By reason; a patient with several is counted under the first.
    included : int
    with_endpoint : int
        Of the included.
    """

    rows: int
    excluded: Mapping[str, int]
    included: int
    with_endpoint: int


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What became of the responders, in the order of `Cohort.rows`.

    A patient who did not respond, or of whom weeks, relapse or maintenance is not known, is NaN in all three.

    Parameters
    ----------
    weeks : ndarray of shape (n,)
        From response to relapse or last contact.
    relapsed : ndarray of shape (n,)
        1 relapse, 0 censored.
    maintenance : ndarray of shape (n,)
        Index into `levels`.
    levels : tuple of str
        `features.cohort_file_model.MAINTENANCE`, the least frequent first.
    """

    weeks: NDArray[np.float64]
    relapsed: NDArray[np.float64]
    maintenance: NDArray[np.float64]
    levels: tuple[str, ...] = MAINTENANCE

    @property
    def followed(self) -> NDArray[np.bool_]:
        """Which patients are responders with follow-up, shape (n,)."""
        return ~np.isnan(self.weeks)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Included patients, in the order of the table.

    Parameters
    ----------
    file : CohortFile
    rows : ndarray of shape (n, m)
        Encoded patients; columns as `features.encoding.column_names` says.
    response, remission : ndarray of shape (n,)
        1, 0, or NaN where the endpoint is missing.
    groups : ndarray of int, shape (n,), or None
        Index of the group (site, cluster).
    ids : ndarray of shape (n,)
        The row id, or the position in the table counted from 0.
    dates : ndarray of datetime64, shape (n,), or None
    baseline, endpoint : ndarray of shape (n,)
        Scores; NaN where the endpoint is missing.
    later : ndarray of shape (n, k)
        Encoded predictors of later landmarks, in the order of the file; NaN where a value is missing.
    checks : ndarray of shape (n, c)
        Scores at the checks of the futility rule; no columns without one.
    flow : PatientFlow
    follow_up : FollowUp or None
        None if the cohort file has no section [durability].
    group_names : tuple of str
        As in the table, by the index in `groups`; () without groups.
    """

    file: CohortFile
    rows: NDArray[np.float64]
    response: NDArray[np.float64]
    remission: NDArray[np.float64]
    groups: NDArray[np.intp] | None
    ids: NDArray[np.object_] | NDArray[np.intp]
    dates: NDArray[np.datetime64] | None
    baseline: NDArray[np.float64]
    endpoint: NDArray[np.float64]
    later: NDArray[np.float64]
    checks: NDArray[np.float64]
    flow: PatientFlow
    follow_up: FollowUp | None = None
    group_names: tuple[str, ...] = ()

    def at(self, landmark: str) -> Cohort:
        """Give the same patients as they are known at a landmark.

        Parameters
        ----------
        landmark : str
            One of the file's.

        Returns
        -------
        Cohort
            Whose rows hold every predictor known by then, with the cohort file `CohortFile.at` gives.
            Nobody is left out: see `in_care`.
        """
        file = self.file.at(landmark)
        columns = dict(zip(column_names(self.file), self.rows.T, strict=True))
        columns |= {p.name: c for p, c in zip(self.file.later_predictors, self.later.T, strict=True)}
        rows = np.column_stack([columns[name] for name in column_names(file)])
        return replace(self, file=file, rows=rows, later=np.empty((len(rows), 0)))

    def in_care(self, landmark: str) -> NDArray[np.bool_]:
        """Find who is still in care at a landmark: something was observed then or afterwards.

        Parameters
        ----------
        landmark : str
            One of the file's.

        Returns
        -------
        ndarray of bool, shape (n,)
            True where a predictor of this or a later landmark, or the endpoint, is observed. At baseline
            everybody is.
        """
        order = self.file.landmarks
        place = order.index(landmark)
        from_then = [order.index(p.landmark) >= place for p in self.file.later_predictors]
        seen = ~np.isnan(self.later[:, from_then]).all(axis=1)
        return seen | ~np.isnan(self.endpoint) if place else np.ones(len(self.rows), dtype=bool)


def load_cohort(cohort_file: CohortFile, data: str, query: str | None = None) -> Cohort:
    """Read, check and encode a cohort.

    Parameters
    ----------
    cohort_file : CohortFile
    data, query : str
        See `features.tables.read_table`.

    Returns
    -------
    Cohort

    Raises
    ------
    TableError
        If the table cannot be read or is not what the cohort file says.
    TrainingDataError
        If no patient is left.
    """
    return make_cohort(cohort_file, read_table(data, query), origin=data if query is None else "query")


def make_cohort(cohort_file: CohortFile, frame: pd.DataFrame, *, origin: str = "table") -> Cohort:
    """Check and encode a cohort.

    Parameters
    ----------
    cohort_file : CohortFile
    frame : DataFrame
        One row per patient, see `features.schema.check_table`.
    origin : str
        Where the table comes from, for messages.

    Returns
    -------
    Cohort

    Raises
    ------
    TableError
        If the table is not what the cohort file says.
    TrainingDataError
        If no patient is left.
    """
    checked = check_table(cohort_file, frame, "fit", origin=origin)
    keep, excluded = _find_included(cohort_file, checked)
    if not keep.any():
        counts = ", ".join(f"{count} with {reason}" for reason, count in excluded.items())
        raise TrainingDataError(f"{origin}: no patient is left of {len(checked)}; excluded: {counts}")
    ids = make_ids(cohort_file, checked)[keep]
    checked = checked[keep]
    outcome = cohort_file.outcome
    baseline = checked[outcome.baseline].to_numpy(np.float64)
    endpoint = checked[outcome.endpoint].to_numpy(np.float64)
    flow = PatientFlow(len(keep), excluded, len(checked), int((~np.isnan(endpoint)).sum()))
    response = find_response(outcome, baseline, endpoint)
    groups, names = pd.factorize(checked[cohort_file.group]) if cohort_file.group else (None, ())
    return Cohort(
        file=cohort_file,
        rows=encode_frame(cohort_file, checked),
        later=_encode_later(cohort_file, checked),
        checks=_scores_at_checks(cohort_file, checked),
        response=response,
        remission=find_remission(outcome, endpoint),
        groups=groups,
        ids=ids,
        dates=checked[cohort_file.date].to_numpy() if cohort_file.date else None,
        baseline=baseline,
        endpoint=endpoint,
        flow=flow,
        follow_up=_find_follow_up(cohort_file, checked, response),
        group_names=tuple(str(name) for name in names),
    )


def _encode_later(cohort_file: CohortFile, checked: pd.DataFrame) -> NDArray[np.float64]:
    everything = cohort_file.at(cohort_file.landmarks[-1])
    later = {p.name for p in cohort_file.later_predictors}
    rows = encode_frame(everything, checked)
    return rows[:, [name in later for name in column_names(everything)]]


def _scores_at_checks(cohort_file: CohortFile, checked: pd.DataFrame) -> NDArray[np.float64]:
    names = list(cohort_file.futility.checks) if cohort_file.futility else []
    return checked[names].to_numpy(np.float64)


def make_ids(cohort_file: CohortFile, checked_frame: pd.DataFrame) -> NDArray[np.object_] | NDArray[np.intp]:
    """Give each row's id: the cohort file's `row_id`, or else its position counted from 0.

    Parameters
    ----------
    cohort_file : CohortFile
    checked_frame : DataFrame
        From `features.schema.check_table`.

    Returns
    -------
    ndarray of shape (n,)
    """
    if cohort_file.row_id is None:
        return np.arange(len(checked_frame), dtype=np.intp)
    return checked_frame[cohort_file.row_id].to_numpy(dtype=object)


def _find_follow_up(
    cohort_file: CohortFile, checked: pd.DataFrame, response: NDArray[np.float64]
) -> FollowUp | None:
    durability = cohort_file.durability
    if durability is None:
        return None
    weeks = checked[durability.weeks].to_numpy(np.float64)
    relapsed = checked[durability.relapsed].to_numpy(np.float64)
    codes = checked[durability.maintenance].cat.codes.to_numpy()  # -1 for a missing level
    known = (response == 1) & ~np.isnan(weeks) & ~np.isnan(relapsed) & (codes >= 0)
    weeks, relapsed, maintenance = (np.where(known, column, np.nan) for column in (weeks, relapsed, codes))
    return FollowUp(weeks, relapsed, maintenance)


def _find_included(
    cohort_file: CohortFile, checked: pd.DataFrame
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    outcome, plan = cohort_file.outcome, cohort_file.plan
    baseline = checked[outcome.baseline].to_numpy(np.float64)
    reasons = {
        "no baseline score": np.isnan(baseline),
        # Half of nothing: such a patient can neither respond nor fail to.
        "a baseline score at the scale's minimum": baseline <= outcome.scale.minimum,
    }
    if outcome.minimum_baseline is not None:
        reasons[f"a baseline score below {outcome.minimum_baseline:g}"] = baseline < outcome.minimum_baseline
    if plan is not None:
        reasons["no plan"] = checked[plan.column].isna().to_numpy()
    keep = np.ones(len(checked), dtype=bool)
    excluded = {}
    for reason, applies in reasons.items():
        if count := int((keep & applies).sum()):
            excluded[reason] = count
        keep &= ~applies
    return keep, excluded

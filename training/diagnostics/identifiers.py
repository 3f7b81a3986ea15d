"""Identifiers: as predictors, as ids that encode the outcome, as ids that differ in spelling only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from training.diagnostics.columns import resampling_groups
from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.bootstrap import Estimate
    from training.diagnostics.columns import Column
    from training.diagnostics.separation import Trial

__all__ = ["IDENTIFIER", "ID_TELLS", "REPEATED", "ROW_ORDER", "find_identifiers", "find_telling_ids"]

IDENTIFIER: Final = "identifier"
ID_TELLS: Final = "id_tells_outcome"
ROW_ORDER: Final = "row_order"
REPEATED: Final = "repeated_ids"

_FEWEST: Final = 50  # patients with a value: of fewer, ages may all differ
_ALL_DIFFERENT: Final = 0.98  # share of values that no other patient has
_MANY_LEVELS: Final = 0.5
_TELLS: Final = 0.70  # AUROC of an id, lower end of the interval: far more than a drift over time makes
_TELLS_PREDICTOR: Final = 0.60  # of a predictor that looks like an id
_NAMED: Final = re.compile(
    r"(?<![a-z])(id|ids|no|nr|num|number|code|mrn|case|record|patient|subject)(?![a-z])"
)


def find_identifiers(columns: Sequence[Column], cohort: Cohort, trial: Trial | None) -> Iterator[Finding]:
    """Find predictors that tell patients apart instead of describing them.

    Whole numbers of which hardly two are the same, or a category with a level for every other patient.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort
    trial : Trial or None
        To see whether it tells the outcome.

    Yields
    ------
    Finding
        One a predictor; severe if it is named like an id or tells the outcome.
    """
    for column in columns:
        values = column.values[~np.isnan(column.values)]
        different = len(np.unique(values)) / max(len(values), 1)
        whole = not column.predictor.levels and bool((values == np.rint(values)).all())
        needed = _MANY_LEVELS if column.predictor.levels else _ALL_DIFFERENT
        if len(values) < _FEWEST or different < needed or not (whole or column.predictor.levels):
            continue
        best = None if trial is None else _best(cohort, trial, column.values)
        named = _NAMED.search(column.name.lower()) is not None
        tells = "" if best is None else f"; alone, out of fold, it ranks the outcome with an AUROC of {best}"
        yield Finding(
            IDENTIFIER,
            named or (best is not None and best.low > _TELLS_PREDICTOR),
            column.name,
            f"{100 * different:.0f} % of its {len(values)} values occur once"
            + (", and it is named like an id" if named else "")
            + f"{tells}.",
            "An id says nothing about a new patient: leave it out of the cohort file.",
        )


def find_telling_ids(cohort: Cohort, trial: Trial | None) -> Iterator[Finding]:
    """Find row ids that encode the outcome, a table sorted by it, and ids that differ in spelling only.

    The id is no predictor, so that the model cannot use it; but an id given after the outcome, or a table put
    together by outcome, is a sign that other columns were too.

    Parameters
    ----------
    cohort : Cohort
    trial : Trial or None

    Yields
    ------
    Finding
        An id that tells is severe (lower end of the AUROC's interval above 0.70), the order alone a notice:
        tables are often sorted after the fact, and folds are drawn at random.
    """
    if cohort.file.row_id is not None:
        yield from _find_repeated(cohort, cohort.file.row_id)
    if trial is None:
        return
    told = None
    if cohort.file.row_id is not None:
        told = _best(cohort, trial, *_readings(cohort.ids))
        if told is not None and told.low > _TELLS:
            yield Finding(
                ID_TELLS,
                True,
                cohort.file.row_id,
                "Its number, beginning or last character alone, out of fold, ranks the outcome with an AUROC "
                f"of {told}; an id should reach 0.50.",
                "Find out when ids were given, and whether patients were collected by outcome.",
            )
            return
    order = _best(cohort, trial, np.arange(len(cohort.rows), dtype=np.float64))
    if order is not None and order.low > _TELLS:
        yield Finding(
            ROW_ORDER,
            False,
            "order of the rows",
            f"The place in the table alone ranks the outcome with an AUROC of {order}.",
            "Harmless if the table was sorted afterwards; make sure that no predictor was filled in by row.",
        )


def _best(cohort: Cohort, trial: Trial, *readings: NDArray[np.float64]) -> Estimate | None:
    """AUROC of the reading that tells most; each also ranked within its group, as sites number their own."""
    groups = resampling_groups(cohort)
    tried = list(readings)
    if groups is not None:
        tried += [_rank_within(values, groups) for values in readings]
    found = [trial.separate(values) for values in tried]
    best = max(found, key=lambda separation: np.nan_to_num(separation.auroc))
    return None if np.isnan(best.auroc) else trial.interval(best, len(tried))


def _rank_within(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    ranks = pd.Series(values).groupby(groups).rank(pct=True)
    return np.asarray(ranks.to_numpy(), dtype=np.float64)


def _readings(ids: NDArray[np.object_] | NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Read an id as its number or place in the alphabet, its beginning without digits, its last character."""
    texts = [str(value).strip().casefold() for value in ids]
    digits = [re.sub(r"\D", "", text) for text in texts]
    number = _by_size(digits) if all(digits) else _numbered(texts)
    readings = [np.asarray(rankdata(number), dtype=np.float64)]
    for parts in ([re.split(r"\d", t, maxsplit=1)[0] for t in texts], [t[-1:] for t in texts]):
        if 1 < len(set(parts)) <= _FEWEST:
            readings.append(_numbered(parts))
    return readings


def _by_size(digits: list[str]) -> NDArray[np.float64]:
    """Place of each number among all, by length and digits: ids may be longer than numpy's numbers."""
    sizes = [(len(plain), plain) for plain in (text.lstrip("0") for text in digits)]
    places = {size: place for place, size in enumerate(sorted(set(sizes)))}
    return np.array([places[size] for size in sizes], dtype=np.float64)


def _numbered(texts: list[str]) -> NDArray[np.float64]:
    return np.unique(np.array(texts), return_inverse=True)[1].astype(np.float64)


def _find_repeated(cohort: Cohort, row_id: str) -> Iterator[Finding]:
    """Find ids that are the same but for capitals, spaces and zeros; reading refuses identical ones."""
    plain = [re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"\s", "", str(value).casefold())) for value in cohort.ids]
    index, sizes = np.unique(np.array(plain), return_inverse=True, return_counts=True)[1:]
    repeated = sizes[index] > 1
    if not repeated.any():
        return
    groups = resampling_groups(cohort)
    apart = groups is None or any(len(np.unique(groups[index == i])) > 1 for i in np.flatnonzero(sizes > 1))
    yield Finding(
        REPEATED,
        apart,
        row_id,
        f"{int(repeated.sum())} rows share {int((sizes > 1).sum())} ids but for capitals, spaces or zeros"
        + ("; they may fall into different folds." if apart else "; all within one group."),
        "If they are the same patients, keep one row a patient.",
    )

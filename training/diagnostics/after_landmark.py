"""Predictors from after the landmark that they are declared for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from training.diagnostics.association import associate
from training.diagnostics.findings import Finding
from training.diagnostics.names import says_afterwards

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from features.cohort import Cohort
    from training.diagnostics.association import Association
    from training.diagnostics.columns import Column

__all__ = ["CHECK", "find_after_landmark"]

CHECK: Final = "after_landmark"

_BEYOND: Final = 0.40
"""Partial rank correlation with the endpoint that no predictor from before treatment has: it is an AUROC of
about 0.72. Baseline severity, the best known one, correlates with the endpoint by 0.3."""

_BEYOND_NAMED: Final = 0.20  # if the name says too that it is from afterwards
_BEYOND_OWN_SCALE: Final = 0.10  # if it is moreover named like the outcome's own score
_COPY: Final = 0.95
"""Rank correlation with the endpoint above which a later score is a copy of it: two raters of the same
interview agree to 0.89 to 0.97 (MADRS; Montgomery and Asberg, Br J Psychiatry 1979;134:382-389)."""


def find_after_landmark(columns: Sequence[Column], cohort: Cohort) -> Iterator[Finding]:
    """Find predictors that follow the endpoint score as only later knowledge does.

    A score from before treatment goes with the baseline score at least as closely as with the endpoint, and
    says little about the endpoint once the baseline score is known. A score from during treatment does the
    opposite. A name such as `week_4` or `follow_up` is a hint, which lowers what is asked of the figures;
    alone it is a notice. Later predictors rightly follow the endpoint: of them, copies of it are found, and
    those whose name gives a later time than their landmark's.

    Parameters
    ----------
    columns : sequence of Column
    cohort : Cohort

    Yields
    ------
    Finding
        One a predictor.
    """
    outcome = cohort.file.outcome
    for column in columns:
        if column.name == outcome.baseline or column.categorical:
            continue
        association = associate(cohort, column.values, len(columns))
        hinted = says_afterwards(column.name, column.predictor.landmark)
        severe = association is not None and _is_severe(column, association, cohort, hinted=hinted)
        if severe or hinted:
            yield Finding(
                CHECK,
                severe,
                column.name,
                _describe(association, column.predictor.landmark, hinted=hinted),
                "Give it the landmark from which it is known, or leave it out of the cohort file."
                if severe
                else "Check when it is recorded.",
            )


def _is_severe(column: Column, association: Association, cohort: Cohort, *, hinted: bool) -> bool:
    if association.endpoint.low > _COPY:
        return True
    if column.later and not hinted:
        return False
    needed = _BEYOND
    if hinted:
        own = _same_measure(column.name, cohort.file.outcome.baseline, cohort.file.outcome.endpoint)
        needed = _BEYOND_OWN_SCALE if own else _BEYOND_NAMED
    # An early score of the outcome's own scale still goes more with the baseline than with the endpoint.
    return association.beyond.low > needed and (hinted or association.excess.low > 0)


def _same_measure(name: str, *scores: str) -> bool:
    """Whether a column is named after the outcome's scale, as `madrs_day_1` beside `madrs_baseline` is."""
    stem = _stem(name)
    return bool(stem) and stem in {_stem(score) for score in scores}


def _stem(name: str) -> str:
    return re.split(r"[ _.-]", name.lower(), maxsplit=1)[0]


def _describe(association: Association | None, landmark: str, *, hinted: bool) -> str:
    hint = f"Its name says that it is from after {landmark}" if hinted else ""
    if association is None:
        return f"{hint}; too few values to tell from the figures."
    figures = (
        f"it correlates with the endpoint score by {association.endpoint} and with the baseline score by "
        f"{association.baseline} (size of rank correlation, {association.patients} patients); with the "
        f"endpoint beyond what the baseline score tells: {association.beyond}."
    )
    return f"{hint}; {figures}" if hinted else figures[0].upper() + figures[1:]

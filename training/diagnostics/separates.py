"""A predictor that alone separates the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from training.diagnostics.columns import Column
    from training.diagnostics.separation import Separation, Trial

__all__ = ["CHECK", "find_separating"]

CHECK: Final = "separates_outcome"

_PLAUSIBLE: Final = 0.70
"""AUROC of a single predictor from before treatment. Whole models of treatment response in depression reach
0.60 to 0.70 in patients they were not learned from (Chekroud et al., Lancet Psychiatry 2016;3:243-250;
Chekroud et al., Science 2024;383:164-167)."""

_PLAUSIBLE_LATER: Final = 0.95
"""AUROC of a score during treatment. It rightly tells much: week 2 reaches 0.8 to 0.9, the last one more."""

_MARGIN: Final = 0.10  # above the rest
_NOTABLE: Final = 0.65  # of a predictor from before treatment
_SHOWN: Final = 0.60  # lower end of the interval: below, it may be chance


def find_separating(columns: Sequence[Column], trial: Trial) -> Iterator[Finding]:
    """Find predictors that alone separate responders from others far better than is plausible.

    Severe if the lower end of the interval (`Trial.interval`) is above 0.70; of a later predictor, which
    rightly tells much, above 0.95. A notice if it is above 0.60 and the figure 0.10 above the upper quartile
    of the other predictors.

    Parameters
    ----------
    columns : sequence of Column
    trial : Trial

    Yields
    ------
    Finding
        One a predictor.

    References
    ----------
    Kaufman et al., ACM Trans Knowl Discov Data 2012;6:15 (leakage; exploratory search for it).
    Kapoor and Narayanan, Patterns 2023;4:100804 (leakage and its kinds).
    """
    found = {c.name: trial.separate(c.values, categorical=c.categorical) for c in columns}
    for column in columns:
        separation = found[column.name]
        plausible = _PLAUSIBLE_LATER if column.later else _PLAUSIBLE
        rest = _rest(column, columns, found)
        # Of a later score that is merely good there is nothing to say: that is why it is measured.
        worth_saying = plausible if column.later else min(max(_NOTABLE, rest + _MARGIN), plausible)
        if not separation.auroc > worth_saying:  # NaN without a pair to compare
            continue
        figure = trial.interval(separation, len(columns))
        severe = figure.low > plausible
        if not severe and (column.later or figure.low < _SHOWN):
            continue
        yield Finding(
            CHECK,
            severe,
            column.name,
            f"Alone, out of fold, it ranks patients of similar baseline score by {separation.outcome} with "
            f"an AUROC of {figure} ({separation.patients} patients with a value); up to {plausible:.2f} is "
            f"plausible for one predictor, and the upper quartile of the others is {rest:.2f}.",
            "Find out when and from what it is recorded; if it is written down after, or because of, the "
            "outcome, leave it out of the cohort file.",
        )


def _rest(column: Column, columns: Sequence[Column], found: Mapping[str, Separation]) -> float:
    """Upper quartile of the AUROC of the other predictors of the same kind of time; 0.5 without any."""
    others = [found[c.name].auroc for c in columns if c.name != column.name and c.later == column.later]
    return float(np.nanquantile(others, 0.75)) if others else 0.5

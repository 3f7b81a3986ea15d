"""Encoded rows as linear models take them; everything is learned from training rows only.

Scaled predictors with the mean in place of a missing value, one restricted cubic curve for each number,
missing indicators, and plan x predictor terms. Trees take rows as they are: `features.tree_columns`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from features.splines import cubic_factors, cubic_terms, place_knots, restricted_cubic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from features.cohort_file import CohortFile

__all__ = ["BLOCKS", "Encoder"]

BLOCKS = (
    "main", "curve", "missing",
    "plan", "plan_term", "plan_curve",
    "variant", "variant_term", "variant_curve",
)  # fmt: skip
"""Families of design columns; each family shares one prior scale in the ridge posterior.

Plans of one drug are variants of it: columns of the drug, which they share, stand in the plans' families,
and what sets one of them apart from the others in the variants'."""

_CURVE_NEEDS = 50  # observed values below which a curve is not tried
_CURVE_LEVELS = 10  # distinct values below which a number is taken as linear


class Encoder:
    """Scale, impute and expand encoded rows for linear models.

    A missing value takes the mean of the observed ones (0 after scaling) and an indicator column says
    so. Scaling uses the observed values alone, so that a rarely recorded predictor keeps its unit.

    Parameters
    ----------
    cohort_file : CohortFile
        Says the kind of each column of the rows (see `features.encoding.column_names`).

    Attributes
    ----------
    sources_ : ndarray of shape (n_base,)
        For each base column the index of the predictor that it comes from.
    membership_ : ndarray of shape (n_base, m)
        1 where a base column comes from a column of the rows: sums over it are sums by predictor.
    seen_ : ndarray of shape (n_predictors, 2)
        1st and 99th percentile of the observed values, per predictor (NaN for categories).

    Notes
    -----
    Base columns are, in order: one for each number, binary or ordinal predictor; one for each level of
    each category; the curves; the missing indicators. Curves are the non-linear part of a restricted
    cubic spline, made orthogonal to the straight line, hence uncorrelated with it.
    """

    def __init__(self, cohort_file: CohortFile) -> None:
        self.cohort_file = cohort_file

    def fit(self, rows: ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Learn means, scales, knots and which predictors can be missing.

        Parameters
        ----------
        rows : array of shape (n, m)
            Encoded rows, NaN where a value is missing.
        y : ignored

        Returns
        -------
        Encoder
        """
        values = np.asarray(rows, dtype=np.float64)
        predictors = self.cohort_file.baseline_predictors
        self.n_predictors_ = len(predictors)
        self.n_plans_ = len(self.cohort_file.plan_levels)
        values = values[:, : self.n_predictors_]
        numeric = [j for j, p in enumerate(predictors) if p.kind != "category"]
        self.line_sources_ = np.array(numeric, dtype=np.intp)
        self.line_mean_, self.line_scale_ = _moments(values[:, self.line_sources_])

        hot = [(j, k) for j, p in enumerate(predictors) if p.kind == "category" for k in range(len(p.levels))]
        self.hot_sources_ = np.array([j for j, _ in hot], dtype=np.intp)
        self.hot_levels_ = np.array([k for _, k in hot], dtype=np.float64)
        self.hot_mean_, self.hot_scale_ = _moments(self._hot(values))

        self._fit_curves(values)
        share = np.isnan(values).mean(axis=0)
        self.indicator_sources_ = np.flatnonzero((share > 0) & (share < 1))
        self.indicator_mean_ = share[self.indicator_sources_]
        self.sources_ = np.concatenate(
            [self.line_sources_, self.hot_sources_, self.curve_sources_, self.indicator_sources_]
        )
        self.__dict__.pop("_scaling", None)  # of an earlier fit
        columns = np.arange(np.asarray(rows).shape[1])
        self.membership_ = (self.sources_[:, None] == columns).astype(np.float64)
        self.seen_ = np.array(
            [
                _percentiles(values[:, j]) if p.kind == "number" else (np.nan, np.nan)
                for j, p in enumerate(predictors)
            ]
        ).reshape(-1, 2)
        return self

    def base_columns(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the base columns: every column but the intercept and those of the plan.

        Parameters
        ----------
        values : ndarray of shape (n, m)

        Returns
        -------
        ndarray of shape (n, n_base)
            Scaled columns, without missing values.
        """
        base = values.take(self.sources_, axis=1)
        missing = np.isnan(base)
        hot, curves, indicators = self._parts
        base[:, hot] = base[:, hot] == self.hot_levels_
        base[:, indicators] = missing[:, indicators]
        mean, scale = self._scaling
        base -= mean
        base /= scale
        base[:, curves] = self._curve(base[:, curves])
        missing[:, indicators] = False
        base[missing] = 0.0
        return base

    def design(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Give the whole design: intercept, base, plan and plan x predictor columns.

        Parameters
        ----------
        rows : array of shape (n, m)
            With the index of the plan in the last column when the cohort has plans.

        Returns
        -------
        ndarray of shape (n, n_design)
        """
        values = np.asarray(rows, dtype=np.float64)
        base = self.base_columns(values)
        parts = [np.ones((len(base), 1)), base]
        if self.n_plans_:
            on_plan = (values[:, -1:] == np.arange(self.n_plans_)).astype(np.float64)
            terms = base[:, : self.n_terms_]
            for chosen in (on_plan, on_plan @ self._variant_of()):
                parts += [chosen, (chosen[:, :, None] * terms[:, None, :]).reshape(len(base), -1)]
        return np.concatenate(parts, axis=1)

    @property
    def n_terms_(self) -> int:
        """Number of base columns, from the first on, that also get a term for each plan."""
        return len(self.sources_) - len(self.indicator_sources_)

    @property
    def reference_(self) -> int:
        """Index of the reference plan; 0 without plans."""
        plan = self.cohort_file.plan
        return 0 if plan is None else self.cohort_file.plan_levels.index(plan.reference)

    @property
    def blocks_(self) -> NDArray[np.intp]:
        """Index into `BLOCKS` of each design column, -1 for the intercept."""
        straight = len(self.line_sources_) + len(self.hot_sources_)
        curved = len(self.curve_sources_)
        base = [0] * straight + [1] * curved + [2] * len(self.indicator_sources_)
        variant = [any(plan in plans for plans in self.drugs_) for plan in range(self.n_plans_)]
        plan = [6 if v else 3 for v in variant]
        for v in variant:
            plan += [7 if v else 4] * straight + [8 if v else 5] * curved
        drug = [3] * len(self.drugs_) + ([4] * straight + [5] * curved) * len(self.drugs_)
        return np.array([-1, *base, *plan, *drug], dtype=np.intp)

    @property
    def drugs_(self) -> tuple[tuple[int, ...], ...]:
        """Plans of each drug that more than one plan gives, as the cohort file's regimens say."""
        plans: dict[str, list[int]] = {}
        for plan, level in enumerate(self.cohort_file.plan_levels):
            if level in self.cohort_file.regimens:
                plans.setdefault(self.cohort_file.regimens[level].drug, []).append(plan)
        return tuple(tuple(same) for same in plans.values() if len(same) > 1)

    @property
    def n_parameters_(self) -> int:
        """Design columns beside the intercept, without those of drugs: these are sums of their plans'."""
        return len(self.blocks_) - 1 - len(self.drugs_) * (1 + self.n_terms_)

    def _variant_of(self) -> NDArray[np.float64]:
        """1 where a plan (row) gives one of the `drugs_` (column)."""
        member = np.zeros((self.n_plans_, len(self.drugs_)))
        for drug, plans in enumerate(self.drugs_):
            member[list(plans), drug] = 1.0
        return member

    def plan_columns(self, plan: int) -> NDArray[np.intp]:
        """Design columns that add to (intercept, base columns) for a patient on this plan.

        Parameters
        ----------
        plan : int
            Index of the plan's level.

        Returns
        -------
        ndarray of shape (1 or 2, 1 + n_terms)
            The plan's own column, then its terms in the order of the base columns; and those of its drug
            if other plans give it too.
        """
        first = 1 + len(self.sources_)
        found = [self._own_columns(first, self.n_plans_, plan)]
        first += self.n_plans_ * (1 + self.n_terms_)
        for drug, plans in enumerate(self.drugs_):
            if plan in plans:
                found.append(self._own_columns(first, len(self.drugs_), drug))
        return np.array(found, dtype=np.intp)

    def _own_columns(self, first: int, count: int, which: int) -> NDArray[np.intp]:
        terms = first + count + which * self.n_terms_ + np.arange(self.n_terms_)
        return np.concatenate([[first + which], terms])

    def missing_covariance(self) -> NDArray[np.float64]:
        """Covariance of the base columns of a missing predictor around their imputed value.

        Returns
        -------
        ndarray of shape (n_base, n_base)
            Zero between different predictors: an input's distribution is taken as in the training
            rows, whatever the others say, which errs on the wide side.
        """
        covariance = np.zeros((len(self.sources_), len(self.sources_)))
        known = np.arange(self.n_terms_)
        covariance[known, known] = 1.0
        first = len(self.line_sources_)
        hot = slice(first, first + len(self.hot_sources_))
        same = self.hot_sources_[:, None] == self.hot_sources_[None, :]
        between = -np.outer(self.hot_mean_, self.hot_mean_) / np.outer(self.hot_scale_, self.hot_scale_)
        block = np.where(same, between, 0.0)
        np.fill_diagonal(block, self.hot_mean_ * (1 - self.hot_mean_) / self.hot_scale_**2)
        covariance[hot, hot] = block
        return covariance

    def _hot(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        codes = values[:, self.hot_sources_]
        hot: NDArray[np.float64] = (codes == self.hot_levels_) + (codes - codes)  # NaN stays NaN
        return hot

    @property
    def _parts(self) -> tuple[slice, slice, slice]:
        """Where the levels, the curves and the missing indicators stand among the base columns."""
        levels = len(self.line_sources_)
        curves = levels + len(self.hot_sources_)
        return slice(levels, curves), slice(curves, self.n_terms_), slice(self.n_terms_, None)

    @cached_property
    def _scaling(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and scale of every base column; of a curve, those of the line that it is drawn over."""
        curved, unscaled = self.curve_lines_, np.ones(len(self.indicator_sources_))
        means = (self.line_mean_, self.hot_mean_, self.line_mean_[curved], self.indicator_mean_)
        scales = (self.line_scale_, self.hot_scale_, self.line_scale_[curved], unscaled)
        return np.concatenate(means), np.concatenate(scales)

    def _fit_curves(self, values: NDArray[np.float64]) -> None:
        lines, knots, factors, straights = [], [], [], []
        for line, source in enumerate(self.line_sources_):
            z = (values[:, source] - self.line_mean_[line]) / self.line_scale_[line]
            z = z[~np.isnan(z)]
            kind = self.cohort_file.baseline_predictors[source].kind
            if kind != "number" or len(z) < _CURVE_NEEDS or len(np.unique(z)) < _CURVE_LEVELS:
                continue
            at = place_knots(z)
            if min(np.diff(at)) <= 1e-6:
                continue
            raw = restricted_cubic(z, at)
            straight = np.polynomial.Polynomial.fit(z, raw, 1, domain=[-1, 1])
            spread = float((raw - straight(z)).std())
            if spread > 1e-9:
                lines.append(line)
                knots.append(at)
                factors.append(cubic_factors(at) / spread)
                straights.append(np.asarray(straight.coef, dtype=np.float64) / spread)
        self.curve_lines_ = np.array(lines, dtype=np.intp)
        self.curve_sources_ = self.line_sources_[self.curve_lines_]
        self.curve_knots_ = np.array(knots, dtype=np.float64).reshape(-1, 3)
        self.curve_factors_ = np.array(factors, dtype=np.float64).reshape(-1, 3)
        self.curve_straight_ = np.array(straights, dtype=np.float64).reshape(-1, 2).T

    def _curve(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        start, slope = self.curve_straight_
        return cubic_terms(z, self.curve_knots_, self.curve_factors_) - start - slope * z


def _moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of the observed values; 0 and 1 where there is nothing to learn."""
    count = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    mean = np.nansum(values, axis=0) / count
    scale = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / count)
    return mean, np.where(scale > 1e-12, scale, 1.0)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    observed = values[~np.isnan(values)]
    if not len(observed):
        return (np.nan, np.nan)
    low, high = np.quantile(observed, (0.01, 0.99))
    return float(low), float(high)

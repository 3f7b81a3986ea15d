"""The figures behind findings, against published examples and plain other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from tests.training.diagnostics import planted
from training.bootstrap import Estimate
from training.diagnostics.association import associate
from training.diagnostics.columns import columns_of
from training.diagnostics.duplicates import nearly_identical
from training.diagnostics.implausible import find_implausible
from training.diagnostics.missingness import compare_shares
from training.diagnostics.names import says_afterwards, time_in
from training.diagnostics.separation import make_trial, standard_error


def test_difference_of_shares_has_newcombes_interval() -> None:
    # Newcombe 1998, Table II, example (a), method 10: 56/70 against 48/80 gives 0.0524 to 0.3339.
    one, other = np.arange(70) < 56, np.arange(80) < 48
    found = compare_shares(one, other, 1)
    assert found is not None
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    # Which is which does not matter to its size.
    assert compare_shares(other, one, 1) == found


def test_standard_error_of_auroc_is_hanley_and_mcneils() -> None:
    # Their formula is exact for scores from two exponential distributions: here 4,000 draws of 51 against 58.
    rng, area = np.random.default_rng(3), 0.85
    events = rng.exponential(area / (1 - area), (4000, 51))
    others = rng.exponential(1.0, (4000, 58))
    areas = [(one[:, None] > other).mean() for one, other in zip(events, others, strict=True)]
    assert np.mean(areas) == pytest.approx(area, abs=0.003)
    assert standard_error(area, 51, 58) == pytest.approx(np.std(areas), rel=0.04)


def test_correlations_agree_with_another_way_to_compute_them() -> None:
    cohort = planted.clean().cohort()
    week_2 = next(column for column in columns_of(cohort) if column.name == "madrs_week_2").values
    found = associate(cohort, week_2, 1)
    assert found is not None
    used = ~np.isnan(week_2) & ~np.isnan(cohort.endpoint)
    x, start, end = (values[used] for values in (week_2, cohort.baseline, cohort.endpoint))
    assert found.patients == used.sum()
    assert found.endpoint.value == pytest.approx(abs(spearmanr(x, end)[0]))
    assert found.baseline.value == pytest.approx(abs(spearmanr(x, start)[0]))

    def left_over(values: NDArray[np.float64]) -> NDArray[np.float64]:
        line = np.polyfit(rankdata(start), rankdata(values), 1)
        return np.asarray(rankdata(values) - np.polyval(line, rankdata(start)), dtype=np.float64)

    # A partial correlation is that of what a line on the baseline score leaves over.
    partial = abs(np.corrcoef(left_over(x), left_over(end))[0, 1])
    assert found.beyond.value == pytest.approx(partial)
    assert found.beyond.low < partial < found.beyond.high


def test_nearly_identical_pairs_are_those_of_comparing_everybody_with_everybody() -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 12, (150, 30))
    copies = codes[:40].copy()
    for row in copies:
        changed = rng.choice(30, rng.integers(0, 7), replace=False)
        row[changed] = rng.integers(0, 12, len(changed))
    codes = np.vstack([codes, copies]).astype(np.intp)
    differ = (codes[:, None] != codes[None]).sum(axis=2)
    first, second = np.nonzero(np.triu((differ > 0) & (differ <= 3), 1))
    found = nearly_identical(codes)
    assert set(zip(found.first, found.second, strict=True)) == set(zip(first, second, strict=True))
    assert 5 < len(first) < 40
    np.testing.assert_array_equal(found.differ, differ[found.first, found.second])


def test_patients_with_few_coarse_columns_may_agree() -> None:
    # A hundred rows of five yes-or-no columns: most are like another, by chance.
    codes = np.random.default_rng(9).integers(0, 2, (100, 5)).astype(np.intp)
    assert len(np.unique(codes, axis=0)) < 33
    assert len(nearly_identical(codes).first) == 0


def test_the_outcome_itself_is_separated_fully_and_noise_not() -> None:
    cohort = planted.clean().cohort()
    trial = make_trial(cohort)
    assert trial is not None
    assert trial.separate(cohort.response).auroc == 1
    noise = np.random.default_rng(2).normal(size=len(cohort.rows))
    assert abs(trial.separate(noise).auroc - 0.5) < 0.08
    # The baseline score bears on remission, but patients are compared with others like them.
    assert trial.separate(cohort.baseline).auroc < 0.6


def test_what_is_asked_for_best_of_many_columns_has_a_wider_interval() -> None:
    cohort = planted.clean().cohort()
    trial = make_trial(cohort)
    assert trial is not None
    separation = trial.separate(cohort.later[:, -1])
    one, many = trial.interval(separation, 1), trial.interval(separation, 100)
    assert many.low < one.low < one.value == many.value < one.high < many.high


@pytest.mark.parametrize(
    ("name", "days"),
    [("madrs_week_4", 28), ("PHQ9.d28", 28), ("w2_score", 14), ("bdi.2m", 60.8), ("hamd_6mo", 182.4)]
    + [(name, None) for name in ("age", "madrs_baseline", "gad7_baseline", "crp2", "hamd17", "bdi.pre")],
)
def test_time_is_read_out_of_a_name(name: str, days: float | None) -> None:
    assert time_in(name) == (None if days is None else pytest.approx(days))


@pytest.mark.parametrize(
    ("name", "landmark", "afterwards"),
    [
        ("madrs_week_4", "baseline", True),
        ("madrs_day_0", "baseline", False),
        ("madrs_week_2", "day_1", True),
        ("madrs_day_1", "week_2", False),
        ("madrs_week_2", "first_session", False),
        ("score_follow_up", "baseline", True),
        ("score.endpoint", "baseline", True),
        ("post_partum", "baseline", True),
        ("posture", "baseline", False),
        ("past_suicide_attempt", "baseline", False),
        ("exchange", "baseline", False),
    ],
)
def test_names_say_when(name: str, landmark: str, *, afterwards: bool) -> None:
    assert says_afterwards(name, landmark) is afterwards


@pytest.mark.parametrize(
    ("low", "verdicts"), [(0.79, []), (0.81, [False]), (0.91, [True]), (float("nan"), [])]
)
def test_implausible_result_is_judged_on_the_lower_end(low: float, verdicts: list[bool]) -> None:
    found = list(find_implausible({"response": Estimate(0.95, low, 0.99)}))
    assert [finding.severe for finding in found] == verdicts

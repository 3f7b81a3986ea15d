"""Subgroups: who is in each, small ones are shown, and the test of heterogeneity keeps its word."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import chi2

from features.cohort import Cohort, make_cohort
from features.cohort_file import parse_cohort_file
from tests.features.files import change
from tests.models.small import make_trial
from training.bootstrap import Draws, draw_metrics, draw_weights, estimate_metrics
from training.metrics import METRICS, Predicted
from training.net_benefit import gain_metric
from training.validation.results import Subgroups
from training.validation.subgroups import TESTED, heterogeneity, measure_subgroups

FLAGGED = 'label = "Chronic pain"\nsubgroup = true'
LEVELS = 'levels = ["female", "male", "none"]\nsubgroup = true'


def cohort_of(patients: int, *, cuts: str = "", seed: int = 4) -> Cohort:
    """The small cohort with its age, pain and sex marked as subgroups."""
    text = change('label = "Chronic pain"', FLAGGED)
    text = text.replace('levels = ["female", "male", "none"]', LEVELS)
    text = text.replace("valid = [18, 100]\nsubgroup = true", f"valid = [18, 100]\nsubgroup = true\n{cuts}")
    return make_cohort(parse_cohort_file(text, "small.toml"), make_trial(patients, seed).table)


def predictions(cohort: Cohort, seed: int = 0) -> tuple[list[Predicted], NDArray[np.intp]]:
    """Two repeats of fair predictions of response."""
    known = np.flatnonzero(~np.isnan(cohort.response))
    y = cohort.response[known]
    rng = np.random.default_rng(seed)
    line = 0.8 * (y - y.mean()) + rng.normal(0, 0.9, len(y))
    repeats = [
        Predicted(
            y, expit(line + rng.normal(0, 0.1, len(y))), np.full(len(y), y.mean()), rng.integers(0, 5, len(y))
        )
        for _ in range(2)
    ]
    return repeats, known


def measure(cohort: Cohort, samples: int = 150) -> dict[str, Subgroups]:
    repeats, known = predictions(cohort)
    groups = None if cohort.groups is None else cohort.groups[known]
    found = measure_subgroups(cohort, repeats, known, draw_weights(len(known), groups, 1, samples), 0.4)
    return {subgroups.predictor: subgroups for subgroups in found}


def test_every_patient_is_in_one_member_and_those_not_recorded_have_their_own() -> None:
    cohort = cohort_of(500)
    found = measure(cohort)
    assert list(found) == ["age", "pain", "sex"]
    assert [m.level for m in found["pain"].members] == ["no", "yes", "not recorded"]
    assert [m.level for m in found["sex"].members] == ["female", "male", "none", "not recorded"]
    known = np.flatnonzero(~np.isnan(cohort.response))
    for subgroups in found.values():
        assert sum(m.patients for m in subgroups.members) == len(known)
        assert sum(m.events for m in subgroups.members) == cohort.response[known].sum()


def test_figures_are_those_of_the_members_patients_alone() -> None:
    cohort = cohort_of(500)
    repeats, known = predictions(cohort)
    weights = draw_weights(len(known), None, 1, 60)
    (_, pain, _) = measure_subgroups(cohort, repeats, known, weights, 0.4)
    inside = cohort.rows[known, 1] == 1  # age, pain, …: the order of the file
    alone = [Predicted(d.y[inside], d.p[inside], d.floor[inside], d.fold[inside]) for d in repeats]
    metrics = {**METRICS, "net_benefit_gain": gain_metric(0.4)}
    expected = estimate_metrics(alone, weights[:, inside], metrics)
    assert pain.members[1].level == "yes"
    assert pain.members[1].metrics == expected


def test_numbers_are_cut_where_the_file_says_or_at_the_median() -> None:
    cohort = cohort_of(400)
    age = cohort.rows[~np.isnan(cohort.response), 0]
    median = np.median(cohort.rows[~np.isnan(cohort.rows[:, 0]), 0])
    low, high, missing = measure(cohort)["age"].members
    assert low.level == f"under {median:g} years (median)"
    assert high.level == f"{median:g} years or over (median)"
    assert missing.level == "not recorded"
    assert (low.patients, high.patients) == ((age < median).sum(), (age >= median).sum())
    members = measure(cohort_of(400, cuts="cuts = [40, 65]"))["age"].members
    assert [m.level for m in members] == [
        "under 40 years",
        "40 to under 65 years",
        "65 years or over",
        "not recorded",
    ]
    assert members[1].patients == ((age >= 40) & (age < 65)).sum()


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0] * 70 + [3.0] * 30, ["under 3 years (median)", "3 years or over (median)"]),
        ([5.0] * 100, ["all alike"]),
        ([1.23456] * 50 + [1.23457] * 50, ["under 1.23456 years (median)", "1.23456 years or over (median)"]),
    ],
)
def test_a_cut_always_parts_the_patients(values: list[float], levels: list[str]) -> None:
    cohort = cohort_of(120)
    rows = cohort.rows[:100].copy()
    rows[:, 0] = values
    part = replace(cohort, rows=rows, response=(np.arange(100) % 2).astype(np.float64), groups=None)
    members = measure(part)["age"].members
    assert [m.level for m in members] == levels
    assert all(m.patients > 0 for m in members)


def test_small_members_are_shown_as_too_small() -> None:
    found = measure(cohort_of(90))
    small = [m for subgroups in found.values() for m in subgroups.members if m.too_small]
    assert "not recorded" in {m.level for m in small}
    assert all(not m.metrics for m in small)
    # A member counts both classes: many patients who all respond say nothing of discrimination.
    for subgroups in found.values():
        for m in subgroups.members:
            assert m.too_small == (min(m.events, m.patients - m.events) < 10), m.level


def test_a_member_of_one_site_has_no_figures() -> None:
    cohort = cohort_of(400)
    assert cohort.groups is not None
    # Everybody with pain is treated at one site: no other site can be drawn instead.
    pain = cohort.rows[:, 1] == 1
    found = measure(replace(cohort, groups=np.where(pain, 0, 1 + cohort.groups)))["pain"]
    yes = found.members[1]
    assert yes.level == "yes"
    assert yes.events >= 10
    assert yes.too_small


def test_one_member_that_is_served_badly_is_noticed() -> None:
    cohort = cohort_of(1500)
    repeats, known = predictions(cohort)
    weights = draw_weights(len(known), None, 1, 200)
    male = cohort.rows[known, 2] == 1
    noise = np.random.default_rng(5).permutation(np.arange(male.sum()))
    worse = []
    for data in repeats:
        p = data.p.copy()
        p[male] = expit(logit(p[male][noise]) + 1.0)
        worse.append(replace(data, p=p))
    fair = {s.predictor: s for s in measure_subgroups(cohort, repeats, known, weights, 0.4)}
    bad = {s.predictor: s for s in measure_subgroups(cohort, worse, known, weights, 0.4)}
    for name in ("auroc", "brier_skill", "calibration_slope"):
        assert bad["sex"].heterogeneity[name] < 0.001 < fair["sex"].heterogeneity[name], name
    assert set(bad["sex"].heterogeneity) == set(TESTED)


def test_the_statistic_is_cochrans_q_for_independent_members() -> None:
    # Three independent figures with standard errors 1, 2 and 3; with very many units F is chi-squared.
    rng = np.random.default_rng(2)
    values, errors = np.array([0.0, 3.0, 5.0]), np.array([1.0, 2.0, 3.0])
    draws = [
        Draws(np.array([v]), v + e * rng.standard_normal(400_000), 10**7)
        for v, e in zip(values, errors, strict=True)
    ]
    w = 1 / errors**2
    q = (w * (values - np.average(values, weights=w)) ** 2).sum()
    assert heterogeneity(draws) == pytest.approx(chi2.sf(q, 2), abs=2e-3)


def test_no_heterogeneity_is_claimed_of_one_member_or_of_more_members_than_sites() -> None:
    rng = np.random.default_rng(2)
    draws = [Draws(np.zeros(1), rng.standard_normal(500), 4) for _ in range(5)]
    assert np.isnan(heterogeneity(draws[:1]))
    assert np.isnan(heterogeneity(draws))
    assert np.isfinite(heterogeneity(draws[:3]))
    assert np.isnan(heterogeneity([*draws[:1], Draws(np.array([np.nan]), draws[0].samples, 4)]))


def test_p_values_keep_their_word_with_a_dozen_sites() -> None:
    rejected = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        site = rng.integers(0, 12, 360)
        line = rng.normal(0, 1, 360) + rng.normal(0, 0.7, 12)[site]
        y = (rng.random(360) < expit(line)).astype(np.float64)
        data = Predicted(y, expit(0.8 * line), np.full(360, 0.5), np.zeros(360, dtype=np.intp))
        weights = draw_weights(360, site, seed, 150)
        members = rng.integers(0, 3, 360)
        figures = {"o_e": METRICS["o_e"]}
        draws = [
            draw_metrics([data.take(members == k)], weights[:, members == k], figures, keep_all=True)["o_e"]
            for k in range(3)
        ]
        rejected.append(heterogeneity(draws) < 0.05)
    # 5 in 100, give or take 3 standard errors of 1.3.
    assert 0.01 <= np.mean(rejected) <= 0.09

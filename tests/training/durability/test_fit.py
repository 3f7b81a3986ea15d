"""A fit of durability: what it reports, and when it gives no model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from tests.models.small import small_cohort
from tests.models.small_durability import follow_up_of
from tests.training.durability.fitting import encoder_of, fitted, with_follow_up
from training.durability.candidates import FLOOR
from training.durability.fit import fit_durability, summarise_durability
from training.fit import data_digest


def test_the_report_counts_what_a_direct_count_finds() -> None:
    cohort, _, report = fitted()
    found = follow_up_of(cohort)
    assert report.responders == (cohort.response == 1).sum()
    assert report.followed == (~np.isnan(found.weeks)).sum()
    for k, level in enumerate(found.levels):
        own = found.maintenance == k
        assert report.counts[level] == (own.sum(), found.relapsed[own].sum())
    assert report.validation is not None
    assert report.validation.patients == report.followed


def test_figures_are_plain_values_with_intervals_and_the_assumption() -> None:
    _, _, report = fitted()
    summary = summarise_durability(report)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    for part in ("remission_known", "at_baseline"):
        figures = summary["validation"][part]
        assert {"uno_c", "integrated_brier", "integrated_brier_skill"} <= set(figures)
        assert {f"calibration_{week}" for week in (4, 8, 26)} <= set(figures)
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    assert set(summary["effects"]["relapse_rate_ratio"]) == {"every_4_weeks", "every_2_weeks", "weekly"}
    assert "maintenance was given without regard" in summary["effects"]["assumption"]


def test_another_follow_up_is_another_digest() -> None:
    cohort = small_cohort(900, 5)
    keep = np.ones(len(cohort.rows), dtype=bool)
    keep[np.flatnonzero(follow_up_of(cohort).followed)[0]] = False
    digests = {
        data_digest(c) for c in (cohort, with_follow_up(cohort, keep), replace(cohort, follow_up=None))
    }
    assert len(digests) == 3


def test_a_cohort_without_the_section_has_no_report() -> None:
    cohort = replace(small_cohort(), follow_up=None)
    assert fit_durability(cohort, encoder_of(cohort), seed=0) == (None, None)


def test_too_few_relapses_give_no_model_and_say_so() -> None:
    cohort = small_cohort(900, 5)
    keep = np.zeros(len(cohort.rows), dtype=bool)
    keep[np.flatnonzero(follow_up_of(cohort).followed)[:20]] = True
    model, report = fit_durability(with_follow_up(cohort, keep), encoder_of(cohort), seed=0)
    assert model is None
    assert report is not None
    assert report.followed == 20
    assert any("no maintenance has enough relapses" in warning for warning in report.warnings)
    assert json.dumps(summarise_durability(report))


def test_a_maintenance_with_few_relapses_is_left_out_by_name() -> None:
    cohort = small_cohort(900, 5)
    found = follow_up_of(cohort)
    weekly = np.flatnonzero((found.maintenance == 3) & (found.relapsed == 1))
    keep = np.ones(len(cohort.rows), dtype=bool)
    keep[weekly[9:]] = False
    model, report = fit_durability(with_follow_up(cohort, keep), encoder_of(cohort), seed=0)
    assert model is not None
    assert report is not None
    assert model.levels == ("none", "every_4_weeks", "every_2_weeks")
    assert any("weekly (9)" in warning for warning in report.warnings)
    assert report.counts["weekly"][1] == 9


def test_without_relapses_in_remission_curves_are_not_adjusted_and_say_so() -> None:
    cohort = small_cohort(900, 5)
    found = follow_up_of(cohort)
    keep = ~((cohort.remission == 1) & (found.relapsed == 1))
    model, report = fit_durability(with_follow_up(cohort, keep), encoder_of(cohort), seed=0)
    assert model is not None
    assert report is not None
    assert model.candidate == FLOOR
    assert any("Do not compare them" in warning for warning in report.warnings)


def test_one_site_cannot_be_validated_and_gets_no_curves() -> None:
    cohort = small_cohort(900, 5)
    alone = replace(cohort, groups=np.zeros(len(cohort.rows), dtype=np.intp))
    model, report = fit_durability(alone, encoder_of(cohort), seed=0)
    assert model is None
    assert report is not None
    assert any("1 groups" in warning for warning in report.warnings)

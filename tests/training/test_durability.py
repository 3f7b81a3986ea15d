"""Durability from a cohort to a validated model: what is chosen, reported and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sksurv.metrics import brier_score, integrated_brier_score
from sksurv.util import Surv

from features.cohort import Cohort, FollowUp, make_cohort
from features.cohort_file import load_cohort_file
from features.preprocessing import EncodePredictors
from features.simulation import simulate
from features.simulation.relapse import compute_relapse_day, draw_responders
from models.durability import DurabilityModel
from tests.features.simulation.helpers import get_columns
from tests.models.small import small_cohort
from tests.models.small_durability import follow_up_of, responders_of, small_inputs, small_responders
from training.durability.candidates import FLOOR, fit_candidate
from training.durability.effects import Effects, estimate_effects
from training.durability.figure import durability_figure
from training.durability.fit import DurabilityReport, fit_durability, summarise_durability
from training.durability.metrics import brier_contributions, integrate, kaplan_meier, scored_weeks
from training.durability.refits import draw_refit_weights, refit, with_band
from training.durability.validation import choose_candidate, validate_durability
from training.fit import data_digest


@cache
def fitted() -> tuple[Cohort, DurabilityModel, DurabilityReport]:
    cohort = small_cohort(900, 5)
    share = np.full(len(cohort.rows), np.nanmean(cohort.remission[cohort.response == 1]))
    model, report = fit_durability(cohort, encoder_of(cohort), seed=1, remission_share=share)
    assert model is not None
    assert report is not None
    return cohort, model, report


def encoder_of(cohort: Cohort) -> EncodePredictors:
    known: EncodePredictors = EncodePredictors(cohort.file).fit(cohort.rows[~np.isnan(cohort.response)])
    return known


def with_follow_up(cohort: Cohort, keep: NDArray[np.bool_]) -> Cohort:
    """Forget what became of some of the responders."""
    found = follow_up_of(cohort)
    weeks, relapsed, maintenance = (
        np.where(keep, column, np.nan) for column in (found.weeks, found.relapsed, found.maintenance)
    )
    return replace(cohort, follow_up=FollowUp(weeks, relapsed, maintenance))


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


def test_predictors_that_foretell_relapse_are_used_and_show_skill() -> None:
    # In the small cohort a year of age adds 3 % to the hazard.
    _, model, report = fitted()
    assert model.candidate == "ridge_cox"
    assert report.validation is not None
    assert report.validation.metrics["integrated_brier_skill"].low > 0.05
    assert report.validation.metrics["uno_c"].low > 0.6
    # Remission protects, so to foresee it only on average costs accuracy.
    known, foreseen = report.validation.metrics, report.validation.at_baseline
    assert known["integrated_brier"].value < foreseen["integrated_brier"].value
    assert abs(known["calibration_8"].value) < 0.03


def test_the_simplest_is_chosen_when_predictors_say_nothing() -> None:
    responders = small_responders()
    rng = np.random.default_rng(7)
    shuffled = replace(responders, rows=responders.rows[rng.permutation(len(responders))])
    name, losses = choose_candidate(shuffled, seed=1)
    assert name == "remission"
    assert set(losses) == {FLOOR, "remission", "ridge_cox", "xgboost"}


@pytest.mark.slow
def test_no_skill_is_claimed_when_nothing_foretells_relapse() -> None:
    responders = small_responders()
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(responders))
        noise = replace(responders, weeks=responders.weeks[order], relapsed=responders.relapsed[order])
        metrics = validate_durability(noise, seed=1).metrics
        assert metrics["integrated_brier_skill"].low < 0
        assert metrics["uno_c"].low < 0.52


def test_the_same_seed_gives_the_same_model() -> None:
    responders, inputs = small_responders(), small_inputs()
    for name in ("ridge_cox", "xgboost"):
        first, second = (
            with_band(model, refit(model, responders, inputs, 4), responders).pack()[1]
            for model in (fit_candidate(name, responders, inputs, 4) for _ in range(2))
        )
        assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in first)


def test_groups_are_weighed_as_a_whole_and_few_groups_not_at_all() -> None:
    responders = small_responders()
    assert responders.groups is not None
    drawn = draw_refit_weights(responders, 1)
    assert drawn.unit == "groups"
    for group in np.unique(responders.groups):
        assert np.ptp(drawn.weights[:, responders.groups == group], axis=1).max() == 0
    few = draw_refit_weights(replace(responders, groups=responders.groups % 4), 1)
    assert few.unit == "patients"
    # Six groups tell less of the spread between them than hundreds of patients do.
    assert drawn.inflation > 1.5
    assert few.inflation == pytest.approx(1, abs=0.03)


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


def test_brier_scores_are_those_of_scikit_survival() -> None:
    responders = small_responders()
    at = scored_weeks(responders)
    well = np.random.default_rng(3).random((len(responders), len(at)))
    contributions = brier_contributions(well, responders, at)
    outcome = Surv.from_arrays(responders.relapsed == 1, responders.weeks)
    np.testing.assert_allclose(contributions.mean(axis=0), brier_score(outcome, outcome, well, at)[1])
    ours = integrate(contributions, at).mean()
    assert ours == pytest.approx(integrated_brier_score(outcome, outcome, well, at))


def test_the_floor_is_kaplan_meiers_curve_of_each_maintenance() -> None:
    responders, inputs = small_responders(), small_inputs()
    model = fit_candidate(FLOOR, responders, inputs, 0)
    for k in range(4):
        own = responders.take(np.flatnonzero(responders.maintenance == k))
        # Nelson and Aalen's lies above by less than half a patient's share.
        curve = np.exp(-model.hazard[k, :40])
        observed = kaplan_meier(own, model.weeks[:40])
        assert (curve >= observed - 1e-12).all()
        np.testing.assert_allclose(curve, observed, atol=0.01)


def test_the_figure_shows_a_panel_for_each_maintenance() -> None:
    _, model, report = fitted()
    figure = durability_figure(model, report, "Small")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert [title.split("\n")[0] for title in titles] == [
        "No maintenance",
        "Every 4 weeks",
        "Every 2 weeks",
        "Weekly",
    ]
    relapses = [count[1] for count in report.counts.values()]
    assert all(f"{count} relapses" in title for count, title in zip(relapses, titles, strict=True))


INTERVALS = {"none": 0, "every_4_weeks": 28, "every_2_weeks": 14, "weekly": 7}
PUBLISHED = {"every_4_weeks": 0.70, "every_2_weeks": 0.49, "weekly": 0.32}  # docs/evidence.md
TRD = load_cohort_file(files("features") / "cohorts" / "ketamine_trd.toml")  # type: ignore[arg-type]


class Recovered(NamedTuple):
    """What the model says of one simulated cohort, and the truth for the same patients."""

    effects: Effects
    truth: NDArray[np.float64]


@cache
def recover(seed: int, candidate: str, patients: int = 4_000) -> Recovered:
    simulated = simulate(patients, seed=seed)
    cohort = make_cohort(TRD, simulated.table)
    responders = responders_of(cohort)
    inputs = responders.encoded()
    model = fit_candidate(candidate, responders, inputs, seed)
    refits = refit(model, responders, inputs, seed)
    model = with_band(model, refits, responders)
    effects = estimate_effects(model, refits, responders, inputs, seed)
    assert effects is not None
    followed = np.flatnonzero(follow_up_of(cohort).followed)
    comparable = followed[model.supported(inputs).all(axis=1)]
    assert effects.patients == len(comparable)
    ids = cohort.ids[comparable].tolist()
    columns = get_columns(simulated.complete.set_index("patient_id").loc[ids].reset_index())
    endpoint = columns["madrs_day_28"].astype(np.int64)
    weeks = np.arange(53)
    truth = np.zeros((4, 53))
    for draw in range(5):  # other frailties of the same patients
        drawn = draw_responders(columns, endpoint, endpoint <= 10, seed=9_000 + draw)
        for k, interval in enumerate(INTERVALS.values()):
            day = compute_relapse_day(drawn, np.full(len(endpoint), interval), 364)
            truth[k] += (day[:, None] > 7 * weeks).mean(axis=0) / 5
    return Recovered(effects, truth)


SEEDS = range(300, 306)
WEEKS = [4, 8, 52]


@pytest.mark.slow
def test_simulated_curves_are_recovered_within_their_bands() -> None:
    recovered = [recover(seed, "remission") for seed in SEEDS]
    covered, errors = [], []
    for effects, truth in recovered:
        centre, low, high = effects.curves[..., WEEKS]
        covered.append((low <= truth[:, WEEKS]) & (truth[:, WEEKS] <= high))
        errors.append(centre - truth[:, WEEKS])
    # 72 bands of level 0.9, of which those of one cohort go together: three standard errors below.
    assert np.mean(covered) > 0.75
    # On average over cohorts no curve is off by more than what a reader would notice.
    assert np.abs(np.mean(errors, axis=0)).max() < 0.03


@pytest.mark.slow
def test_published_hazard_ratios_are_recovered_within_their_intervals() -> None:
    # Relapses per person-time if all the same patients were on one maintenance, as evidence.md has them.
    covered, errors = [], []
    for effects, _ in (recover(seed, "remission") for seed in SEEDS):
        for level, published in PUBLISHED.items():
            ratio = effects.rate_ratios[level]
            covered.append(ratio.low <= published <= ratio.high)
            errors.append((level, np.log(ratio.value / published)))
    assert np.mean(covered) > 0.8
    for level in PUBLISHED:
        assert abs(np.mean([error for name, error in errors if name == level])) < 0.12


@pytest.mark.slow
def test_adjusting_for_remission_removes_its_confounding() -> None:
    # Weekly maintenance goes to those without remission, who relapse sooner: unadjusted it looks worse.
    bias = {}
    for candidate in ("remission", FLOOR):
        ratios = [recover(seed, candidate).effects.rate_ratios["weekly"].value for seed in SEEDS]
        bias[candidate] = float(np.mean(np.log(np.array(ratios) / PUBLISHED["weekly"])))
    assert bias[FLOOR] > 0.08
    assert abs(bias["remission"]) < bias[FLOOR]

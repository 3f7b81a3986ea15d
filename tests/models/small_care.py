"""Care models with a plan model and durability, fitted without a search; each is made once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np

from features.cohort import Cohort, make_cohort
from features.cohort_file import CohortFile, parse_cohort_file
from features.preprocessing import EncodePredictors
from features.simulation import simulate
from models.calibration import Recalibration
from models.care_model import CareModel
from models.conformal import ConformalBounds
from models.inputs import Inputs, TrainingSet
from models.plan_model import PlanChoice, PlanModel
from models.response_model import OUTCOMES, Choice, ResponseModel, fit_outcome
from tests.models.small import small_cohort
from tests.models.small_durability import follow_up_of
from training.durability.candidates import Responders, fit_candidate
from training.durability.refits import refit, with_band
from training.plans.folds import fit_groups, learn_propensity

GAIN_SHOWN = (0.04, 0.01, 0.07)
GAIN_NOT_SHOWN = (0.01, -0.02, 0.04)


def fit_care(cohort: Cohort, gain: tuple[float, float, float] = GAIN_SHOWN) -> CareModel:
    """Fit ridge, a Cox regression and the plan model, with a stated gain of choosing by patient."""
    model = fit_response(cohort)
    inputs = model.inputs(cohort.rows[~np.isnan(cohort.response)])
    first_landmark = cohort.file.landmarks[1]
    found = follow_up_of(cohort)
    followed = np.flatnonzero(found.followed)
    responders = Responders(
        cohort.file,
        cohort.rows[followed],
        found.weeks[followed],
        found.relapsed[followed],
        cohort.remission[followed],
        found.maintenance[followed].astype(np.intp),
        None,
        found.levels,
    )
    cox = fit_candidate("ridge_cox", responders, Inputs(inputs.encoder, responders.rows), seed=3)
    refits = refit(cox, responders, Inputs(inputs.encoder, responders.rows), seed=3)
    best = cohort.file.plan_levels[0]
    plans = PlanModel(
        learn_propensity(inputs),
        fit_groups(inputs.rows, model),
        PlanChoice(best, *gain, len(inputs), f"{best}\n"),
    )
    landmarks = {"baseline": model, first_landmark: fit_response(cohort.at(first_landmark))}
    return CareModel(landmarks, plans, with_band(cox, refits, responders))


def fit_response(cohort: Cohort) -> ResponseModel:
    """Fit ridge with a fixed penalty to the patients with an endpoint."""
    known = ~np.isnan(cohort.response)
    inputs = Inputs(EncodePredictors(cohort.file).fit(cohort.rows[known]), cohort.rows[known])
    choice = Choice("ridge", {"ridge": {}}, Recalibration(0.0, 1.0), ConformalBounds(0.6, 0.4))
    observed = dict(zip(OUTCOMES, (cohort.response, cohort.remission), strict=True))
    return ResponseModel(
        inputs.encoder,
        {name: fit_outcome(TrainingSet(inputs, y[known]), choice, seed=3) for name, y in observed.items()},
    )


def unsure(model: CareModel, landmark: str = "baseline") -> CareModel:
    """Give a variance below zero: every number in the files is finite, and the interval's ends are NaN."""
    own = model.landmarks[landmark]
    response = own.outcomes["response"]
    covariance = response.uncertainty.covariance
    below = np.broadcast_to(-1e3 * np.eye(covariance.shape[-1]), covariance.shape)
    spread = replace(response.uncertainty, covariance=below)
    changed = ResponseModel(own.encoder, {**own.outcomes, "response": replace(response, uncertainty=spread)})
    return replace(model, landmarks={**model.landmarks, landmark: changed})


@cache
def small_care(*, shown: bool = True) -> CareModel:
    """Of the small cohort file: two plans, no regimens."""
    return fit_care(small_cohort(900, 5), GAIN_SHOWN if shown else GAIN_NOT_SHOWN)


@cache
def shipped_file() -> CohortFile:
    text = files("features").joinpath("cohorts/ketamine_trd.toml").read_text(encoding="utf-8")
    return parse_cohort_file(text, "ketamine_trd.toml")


@cache
def shipped_care(*, shown: bool = True) -> CareModel:
    """Of the shipped cohort file: five plans with regimens, simulated patients."""
    cohort = make_cohort(shipped_file(), simulate(1500, 5).table)
    return fit_care(cohort, GAIN_SHOWN if shown else GAIN_NOT_SHOWN)

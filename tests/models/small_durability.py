"""Durability models of the small cohort, each made once."""

from __future__ import annotations

from functools import cache

import numpy as np

from features.cohort import Cohort, FollowUp
from models.durability import DurabilityModel
from models.inputs import Inputs
from tests.models.small import fresh_rows, small_cohort
from training.durability.candidates import Responders, fit_candidate
from training.durability.refits import Refits, refit, with_band

NAMES = ("maintenance", "remission", "ridge_cox", "xgboost")


def follow_up_of(cohort: Cohort) -> FollowUp:
    assert cohort.follow_up is not None
    return cohort.follow_up


@cache
def small_responders(patients: int = 900, seed: int = 5) -> Responders:
    return responders_of(small_cohort(patients, seed))


def responders_of(cohort: Cohort) -> Responders:
    found = follow_up_of(cohort)
    rows = np.flatnonzero(found.followed)
    assert cohort.groups is not None
    return Responders(
        cohort.file,
        cohort.rows[rows],
        found.weeks[rows],
        found.relapsed[rows],
        cohort.remission[rows],
        found.maintenance[rows].astype(np.intp),
        cohort.groups[rows],
        found.levels,
    )


@cache
def small_inputs() -> Inputs:
    return small_responders().encoded()


@cache
def small_refits(name: str) -> tuple[DurabilityModel, Refits]:
    model = fit_candidate(name, small_responders(), small_inputs(), seed=3)
    return model, refit(model, small_responders(), small_inputs(), seed=3)


@cache
def small_durability(name: str) -> DurabilityModel:
    return with_band(*small_refits(name), small_responders())


def fresh_inputs(patients: int = 60) -> Inputs:
    """Patients whom no model has seen, some with gaps."""
    return Inputs(small_inputs().encoder, fresh_rows(patients))

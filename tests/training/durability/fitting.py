"""A fit of durability to the small cohort, and cohorts whose follow-up is cut short."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.cohort import Cohort, FollowUp
from features.preprocessing import EncodePredictors
from models.durability import DurabilityModel
from tests.models.small import small_cohort
from tests.models.small_durability import follow_up_of
from training.durability.fit import DurabilityReport, fit_durability


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

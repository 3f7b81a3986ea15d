from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from features.simulation import simulate
from features.simulation.relapse import Responders, compute_relapse_day, draw_responders
from tests.features.simulation.helpers import get_columns

YEAR = 364
_RESPONDERS = 15_000


@cache
def _draw_responders() -> Responders:
    drawn = simulate(45_000, seed=21, sites=500).complete
    drawn = drawn[2 * drawn["madrs_day_28"] <= drawn["madrs_baseline"]].head(_RESPONDERS)
    columns = get_columns(drawn)
    endpoint = columns["madrs_day_28"]
    return draw_responders(columns, endpoint, endpoint <= 10, seed=22)


@cache
def _relapse_days(interval: int) -> NDArray[np.int64]:
    """Relapse day of each responder if all are on one interval; the same frailties for each interval."""
    return compute_relapse_day(_draw_responders(), np.full(_RESPONDERS, interval), YEAR)


def _relapses_per_day(day: NDArray[np.int64]) -> float:
    return float((day <= YEAR).sum() / np.minimum(day, YEAR).sum())


@pytest.mark.parametrize(("day", "well"), [(28, 0.77), (56, 0.63), (364, 0.29)])
def test_responders_without_maintenance_stay_well_as_published(day: int, well: float) -> None:
    assert (_relapse_days(0) > day).mean() == pytest.approx(well, abs=0.015)


@pytest.mark.parametrize(("interval", "ratio"), [(7, 0.32), (14, 0.49), (28, 0.70)])
def test_maintenance_lowers_the_relapse_rate_as_published(interval: int, ratio: float) -> None:
    # Average hazard ratio as relapses per person-day over one year. A Cox model gives 0.37 / 0.56 / 0.76: at
    # first the end of the induction still protects those without maintenance too.
    rates = _relapses_per_day(_relapse_days(interval)) / _relapses_per_day(_relapse_days(0))
    assert rates == pytest.approx(ratio, abs=0.03)


def test_more_doses_never_bring_relapse_forward() -> None:
    # Dose days of every fourth week are dose days of every second week, and so on; thresholds are shared.
    for fewer, more in ((0, 28), (28, 14), (14, 7)):
        assert (_relapse_days(more) >= _relapse_days(fewer)).all()


def test_durability_is_recorded_for_observed_responders_only() -> None:
    cohort = simulate(5_000, seed=23)
    for table in (cohort.table, cohort.complete):
        responded = (2 * table["madrs_day_28"] <= table["madrs_baseline"]).fillna(False).to_numpy(bool)
        for name in ("weeks_to_relapse", "relapsed", "maintenance"):
            assert (table[name].notna().to_numpy() == responded).all()
    weeks = cohort.complete["weeks_to_relapse"].dropna()
    assert weeks.between(1 / 7 - 0.01, 52).all()


def test_oral_plan_has_no_maintenance_doses() -> None:
    table = simulate(5_000, seed=24).complete
    oral = table.loc[table["plan"] == "oral_antidepressant", "maintenance"].dropna()
    assert set(oral) == {"none"}
    dosed = table.loc[table["plan"] != "oral_antidepressant", "maintenance"].dropna()
    assert set(dosed) == {"none", "every_4_weeks", "every_2_weeks", "weekly"}


def test_loss_of_contact_is_four_percent_a_month() -> None:
    table = simulate(40_000, seed=25).complete.dropna(subset=["relapsed"])
    lost = table[(table["relapsed"] == 0) & (table["weeks_to_relapse"] < 52)]
    months = table["weeks_to_relapse"].sum() * 7 / 30.4
    assert len(lost) / months == pytest.approx(-np.log(1 - 0.04), rel=0.05)

"""Error rates of the futility rule, against a direct count."""

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from features.cohort import Cohort, make_cohort
from features.cohort_file import parse_cohort_file
from features.simulation import simulate
from tests.models.small import small_cohort
from training.stopping import measure_stopping, summarise_stopping


@cache
def simulated() -> tuple[pd.DataFrame, Cohort]:
    text = files("features").joinpath("cohorts/ketamine_trd.toml").read_text(encoding="utf-8")
    table = simulate(1500, 11).table
    return table, make_cohort(parse_cohort_file(text, "ketamine_trd.toml"), table)


def out_of_fold(probability: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pd.DataFrame:
    people = np.tile(np.arange(len(probability)), 2)
    noise = np.repeat([-0.01, 0.01], len(probability))  # two repeats, whose mean counts
    table = {"outcome": "response", "patient": people, "probability": np.tile(probability, 2) + noise}
    return pd.DataFrame(table)


def judged() -> pd.DataFrame:
    """Patients on IV ketamine with all checks and an endpoint: whether the rule fires, who responded."""
    table = simulated()[0]
    checks = table[["madrs_day_1", "madrs_session_3", "madrs_session_4", "madrs_session_5"]].astype(float)
    start, end = table["madrs_baseline"].astype(float), table["madrs_day_28"].astype(float)
    stays = checks.gt(0.8 * start + 1e-9, axis=0)
    fires = stays["madrs_session_5"] | stays.iloc[:, :3].all(axis=1)
    whole = (table["plan"] == "iv_ketamine") & checks.notna().all(axis=1) & end.notna()
    return pd.DataFrame({"fires": fires, "responds": end <= start / 2})[whole]


def test_error_rates_match_a_direct_count() -> None:
    found = measure_stopping(simulated()[1], None)
    assert found is not None
    people = judged()
    fires, responds = people["fires"], people["responds"]
    assert (found.false_stops.count, found.false_stops.of) == ((fires & responds).sum(), fires.sum())
    assert (found.caught.count, found.caught.of) == ((fires & ~responds).sum(), (~responds).sum())
    # The rule is better than a coin, and far from right each time.
    assert 0 < found.false_stops.count < 0.4 * found.false_stops.of
    assert found.model_false_stops is None
    assert found.mean_probability is None


def test_the_model_stops_as_many_patients_those_of_the_lowest_probability() -> None:
    cohort, people = simulated()[1], judged()
    perfect = np.where(cohort.response == 1, 0.9, 0.1)
    found = measure_stopping(cohort, out_of_fold(perfect))
    assert found is not None
    assert found.model_false_stops is not None
    stops, failures = int(people["fires"].sum()), int((~people["responds"]).sum())
    assert (found.model_false_stops.count, found.model_false_stops.of) == (max(0, stops - failures), stops)
    share = people["responds"][people["fires"]].mean()
    assert found.mean_probability == pytest.approx(0.1 + 0.8 * share, abs=1e-9)


def test_the_summary_has_an_interval_beside_each_share() -> None:
    found = measure_stopping(simulated()[1], None)
    assert found is not None
    summary = summarise_stopping(found)
    for name in ("false_stops", "caught"):
        assert summary[name]["low"] < summary[name]["value"] < summary[name]["high"]
    assert summary["landmark"] == "week_2"
    assert summary["plans"] == ["iv_ketamine"]


def test_a_cohort_without_a_rule_has_none() -> None:
    assert measure_stopping(small_cohort(), None) is None

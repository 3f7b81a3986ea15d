"""What a fit describes: right sums, and nothing from which a patient could be read."""

import json

import numpy as np
import pytest

from features.cohort import Cohort, make_cohort
from models.response_model import OUTCOMES
from tests.models.small import FILE, make_trial, small_cohort, small_model
from training.description import describe, hide_small


def known(cohort: Cohort) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    return ~np.isnan(cohort.endpoint)


def test_numbers_are_those_of_the_table() -> None:
    cohort = small_cohort()
    found = describe(cohort, small_model("ridge"), 1)
    age = next(c for c in found["characteristics"] if c["name"] == "age")["parts"]
    column = cohort.rows[:, 0]
    assert age["all"]["mean"] == pytest.approx(np.nanmean(column))
    assert age["with endpoint"]["sd"] == pytest.approx(np.nanstd(column[known(cohort)], ddof=1))
    assert age["all"]["counts"]["missing"] == np.isnan(column).sum()
    assert found["columns"]["with endpoint"] == cohort.flow.with_endpoint
    assert found["outcome"]["events"]["response"]["events"] == np.nansum(cohort.response)
    assert found["dates"] == {"first": "2026-01", "last": "2026-01"}
    json.dumps(found, allow_nan=False)


def test_effects_of_drivers_add_up_to_the_predictions() -> None:
    """The medians and means come from effects that sum to probability minus the average's."""
    cohort, model = small_cohort(), small_model("ridge")
    found = describe(cohort, model, 1)["drivers"]["response"]
    inputs = model.inputs(cohort.rows[known(cohort)])  # fewer than 500: all of them
    effects = np.abs(model.outcomes["response"].drivers(inputs)).mean(axis=0)
    assert sorted(d["mean_absolute"] for d in found) == pytest.approx(sorted(effects))
    assert [d["mean_absolute"] for d in found] == sorted((d["mean_absolute"] for d in found), reverse=True)
    # In the small cohort pain makes response less likely, and that is what the model learned.
    pain = next(d for d in found if d["name"] == "pain")
    assert pain["when_high"] < 0 < pain["when_low"]


def test_partial_dependence_is_the_mean_over_patients_at_a_set_value() -> None:
    cohort, model = small_cohort(), small_model("ridge")
    found = describe(cohort, model, 1)["partial_dependence"]
    rows = cohort.rows[known(cohort)].copy()
    for outcome in OUTCOMES:
        curve = next(c for c in found[outcome] if c["name"] == "crp")
        rows[:, 5] = curve["values"][3]
        p = model.outcomes[outcome].probability(model.inputs(rows))
        assert curve["mean"][3] == pytest.approx(p.mean())
        assert curve["low"][3] == pytest.approx(np.quantile(p, 0.25))


def test_small_counts_are_hidden_and_cannot_be_worked_out() -> None:
    table = make_trial(300, 5).table
    table["sex"] = ["none"] * 3 + ["female"] * 200 + ["male"] * 97
    cohort = make_cohort(FILE, table)
    found = describe(cohort, small_model("ridge"), 1)
    sex = next(c for c in found["characteristics"] if c["name"] == "sex")["parts"]
    assert sex["all"]["counts"]["none"] == "<5"
    for name, size in found["columns"].items():
        counts = sex[name]["counts"]
        hidden = [level for level, n in counts.items() if not isinstance(n, int)]
        # One hidden count in a column would be the size less the others.
        assert len(hidden) != 1, (name, size, counts)
    for level in ("none", "male", "female"):
        for names in (("with endpoint", "without endpoint"), ("spray", "pill")):
            # One hidden in two columns that add up to all would be the total less the other.
            shown = [isinstance(sex[name]["counts"][level], int) for name in ("all", *names)]
            assert sum(shown) != 2, (level, names)


def test_each_single_patient_of_a_level_is_hidden() -> None:
    assert hide_small({"a": 1, "b": 2, "c": 9}) == {"a": "<5", "b": "<5", "c": 9}
    assert hide_small({"a": 0, "b": 9}) == {"a": 0, "b": 9}


def test_same_seed_same_description() -> None:
    cohort, model = small_cohort(700, 9), small_model("ridge")
    assert known(cohort).sum() > 500  # so that patients are drawn
    assert describe(cohort, model, 1) == describe(cohort, model, 1)
    assert describe(cohort, model, 1)["drivers"] != describe(cohort, model, 2)["drivers"]

"""Relapse-free curves: what they must be whatever was learned."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.durability import FEWEST_TOGETHER, DurabilityModel
from models.inputs import Inputs
from tests.models.small_durability import (
    NAMES,
    fresh_inputs,
    small_durability,
    small_inputs,
    small_refits,
    small_responders,
)

SHARE = np.linspace(0, 1, 60)


@pytest.mark.parametrize("name", NAMES)
def test_curves_start_at_one_and_never_rise_and_lie_in_their_band(name: str) -> None:
    model, inputs = small_durability(name), fresh_inputs()
    curves = model.curves(inputs, SHARE)
    assert curves.shape == (3, 60, 4, len(model.weeks))
    assert not np.isnan(curves[..., :20]).any()
    assert (curves[..., 0] == 1).all()
    falls = np.diff(curves, axis=-1)
    assert (falls[~np.isnan(falls)] <= 0).all()
    centre, low, high = curves[..., 1:20]
    assert ((low >= 0) & (low <= centre) & (centre <= high) & (high <= 1)).all()
    # A band without width would claim that nothing is left to learn.
    assert (high - low)[..., 5:].min() > 0.005


@settings(max_examples=40, deadline=None)
@given(
    age=st.floats(-1e6, 1e6),
    crp=st.floats(0, 1e9),
    share=st.floats(0, 1),
    name=st.sampled_from(NAMES),
)
def test_no_patient_however_odd_breaks_a_curve(age: float, crp: float, share: float, name: str) -> None:
    rows = fresh_inputs(60).rows[[5]].copy()
    rows[0, [0, 5]] = age, crp
    curves = small_durability(name).curves(Inputs(small_inputs().encoder, rows), np.array([share]))[..., :20]
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=-1) <= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_curve_is_the_mixture_over_remission(name: str) -> None:
    model, inputs = small_durability(name), fresh_inputs()
    never, always, mixed = (
        model.curves(inputs, share)[0, ..., :20] for share in (np.zeros(60), np.ones(60), SHARE)
    )
    weight = SHARE[:, None, None]
    np.testing.assert_allclose(mixed, (1 - weight) * never + weight * always, atol=1e-12)
    if name == "maintenance":
        np.testing.assert_array_equal(never, always)
    else:
        # Remission protects in the small cohort (log hazard ratio -0.8).
        assert (always[..., 1:] > never[..., 1:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_patient_has_the_same_curves_alone_and_among_others(name: str) -> None:
    model, inputs = small_durability(name), fresh_inputs()
    together = model.curves(inputs, SHARE)
    for i in (0, 7, 31):
        alone = model.curves(Inputs(inputs.encoder, inputs.rows[[i]]), SHARE[[i]])
        np.testing.assert_allclose(alone[:, 0], together[:, i], atol=1e-12)


@pytest.mark.parametrize("name", ["remission", "ridge_cox"])
def test_the_band_is_that_of_the_refits(name: str) -> None:
    model, (_, refits) = small_durability(name), small_refits(name)
    inputs, share = fresh_inputs(20), np.linspace(0, 1, 20)
    drawn = np.array(
        [
            replace(model, weights=weights, hazard=hazard[:, : len(model.weeks)]).probability(inputs, share)
            for weights, hazard in zip(refits.weights, refits.hazard, strict=True)
        ]
    )[..., :30]
    scale = np.log(-np.log(np.where(drawn == 1, 0.5, drawn)))  # no spread before the first relapse
    centre, low, high = model.curves(inputs, share)[..., :30]
    half = 1.6448536 * np.sqrt(refits.inflation) * scale.std(axis=0, ddof=1)
    # The delta method against the spread of curves drawn again: equal to first order.
    expected = np.maximum.accumulate((centre ** np.exp(half))[..., ::-1], axis=-1)[..., ::-1]
    np.testing.assert_allclose(low, expected, atol=0.02)
    np.testing.assert_allclose(high, np.minimum.accumulate(centre ** np.exp(-half), axis=-1), atol=0.02)


def test_a_maintenance_that_hardly_followed_a_plan_gets_no_number() -> None:
    model, inputs = small_durability("ridge_cox"), fresh_inputs()
    responders = small_responders()
    plans = small_inputs().plans
    for plan in (0, 1):
        for level in range(4):
            direct = int(((plans == plan) & (responders.maintenance == level)).sum())
            assert model.together[plan, level] == direct
    together = model.together.copy()
    together[1, 2], together[0, 3] = FEWEST_TOGETHER - 1, FEWEST_TOGETHER
    curves = replace(model, together=together).curves(inputs, SHARE)
    hidden = np.isnan(curves).all(axis=(0, 3))
    np.testing.assert_array_equal(hidden, (inputs.plans == 1)[:, None] & (np.arange(4) == 2))


def test_a_curve_ends_where_fewer_than_a_tenth_are_still_observed() -> None:
    model, responders = small_durability("remission"), small_responders()
    for level in range(4):
        weeks = responders.weeks[responders.maintenance == level]
        for week in model.weeks:
            assert np.isnan(model.hazard[level, week]) == ((weeks >= week).mean() < 0.1)


@pytest.mark.parametrize("name", NAMES)
def test_an_unpacked_model_answers_to_the_last_bit(name: str) -> None:
    model, inputs = small_durability(name), fresh_inputs()
    text, arrays = model.pack()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = DurabilityModel.unpack(json.loads(json.dumps(text)), {k: stored[k] for k in stored.files})
    assert (again.levels, again.candidate) == (model.levels, model.candidate)
    np.testing.assert_array_equal(again.curves(inputs, SHARE), model.curves(inputs, SHARE))
    assert (again.trees is None) == (name != "xgboost")


def test_a_packed_model_without_a_part_is_refused() -> None:
    text, arrays = small_durability("remission").pack()
    del arrays["hazard"]
    with pytest.raises(KeyError, match="hazard"):
        DurabilityModel.unpack(text, arrays)


def test_no_array_has_a_row_for_each_patient() -> None:
    for name in NAMES:
        _, arrays = small_durability(name).pack()
        sizes = {length for array in arrays.values() for length in array.shape}
        assert len(small_responders()) not in sizes

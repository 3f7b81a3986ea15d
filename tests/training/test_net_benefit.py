"""Net benefit against dcurves, by hand, and what must hold of any decision curve."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from training.bootstrap import draw_weights, estimate_metrics
from training.metrics import METRICS, Predicted
from training.net_benefit import decision_curves, gain_metric, metrics_of, net_benefit, net_benefit_gain

HERE = Path(__file__).parent
PATIENTS = json.loads((HERE / "reference_metrics.json").read_text(encoding="utf-8"))["patients"]
REFERENCE = json.loads((HERE / "reference_net_benefit.json").read_text(encoding="utf-8"))
CURVES = {"model": "p", "all": "all", "none": "none"}
EXACT = 1e-9


def reference_patients() -> tuple[Predicted, NDArray[np.float64]]:
    y, p, copies = (np.array(PATIENTS[key], dtype=np.float64) for key in ("y", "p", "copies"))
    return Predicted(y, p, p, np.zeros(len(y), dtype=np.intp)), copies


def draw(n: int, seed: int, slope: float = 1.0) -> Predicted:
    rng = np.random.default_rng(seed)
    line = rng.normal(0, 1, n)
    y = (rng.random(n) < expit(line)).astype(np.float64)
    return Predicted(y, expit(slope * line), np.full(n, 0.5), np.zeros(n, dtype=np.intp))


@pytest.mark.parametrize("case", ["everybody", "drawn"])
def test_curves_are_those_of_dcurves(case: str) -> None:
    data, copies = reference_patients()
    w = copies if case == "drawn" else np.ones(len(copies))
    expected: dict[str, Any] = REFERENCE[case]
    for i, threshold in enumerate(REFERENCE["thresholds"]):
        found = net_benefit(data, w, threshold)
        assert found == pytest.approx(expected["net_benefit"]["p"][i], abs=EXACT)
        best = max(expected["net_benefit"]["all"][i], 0.0)
        assert net_benefit_gain(data, w, threshold) == pytest.approx(found - best, abs=EXACT)
    if case == "everybody":
        curves = decision_curves([data], draw_weights(len(w), None, 1, 50), REFERENCE["thresholds"])
        for ours, theirs in CURVES.items():
            np.testing.assert_allclose(curves[ours].value, expected["net_benefit"][theirs], atol=EXACT)
        np.testing.assert_allclose(curves["avoided"].value, expected["avoided"]["p"], atol=EXACT)


def test_a_patient_at_the_threshold_is_treated() -> None:
    one = np.ones(2)
    data = Predicted(np.array([1.0, 0.0]), np.array([0.5, 0.49]), one, np.zeros(2, dtype=np.intp))
    assert net_benefit(data, one, 0.5) == 0.5


def test_bands_hold_the_curve_and_repeats_are_averaged() -> None:
    first, second = draw(400, 1), draw(400, 1, slope=1.6)
    weights, at = draw_weights(400, None, 1, 100), [0.2, 0.4, 0.6]
    both = decision_curves([first, second], weights, at)
    for name in ("model", "all", "avoided"):
        curve = both[name]
        assert curve.at == tuple(at)
        assert (np.array(curve.low) < curve.value).all()
        assert (np.array(curve.value) < curve.high).all()
    each = [net_benefit(data, np.ones(400), 0.4) for data in (first, second)]
    assert both["model"].value[1] == pytest.approx(np.mean(each))
    # Treating nobody does neither good nor harm, whoever is drawn.
    assert both["none"].value == both["none"].low == both["none"].high == (0.0, 0.0, 0.0)


def test_the_bands_are_those_of_the_same_figure_alone() -> None:
    data, weights = draw(300, 2), draw_weights(300, np.arange(300) // 20, 3, 100)
    curve = decision_curves([data], weights, [0.3])["model"]
    alone = estimate_metrics([data], weights, {"nb": lambda d, w: net_benefit(d, w, 0.3)})["nb"]
    assert (curve.low[0], curve.high[0]) == pytest.approx((alone.low, alone.high), abs=1e-12)


def test_gain_is_the_same_for_one_sample_and_for_all_at_once() -> None:
    data, weights = draw(300, 2), draw_weights(300, None, 3, 40)
    many = gain_metric(0.45).figures(data, weights)["net_benefit_gain"]
    np.testing.assert_allclose(many, [net_benefit_gain(data, w, 0.45) for w in weights], atol=1e-12)


def test_a_good_model_gains_and_an_overconfident_one_does_harm() -> None:
    w = np.ones(20_000)
    assert net_benefit_gain(draw(20_000, 4), w, 0.5) > 0.05
    # Three times too extreme: near the ends it treats or spares the wrong patients.
    wild = draw(20_000, 4, slope=4.0)
    assert net_benefit_gain(wild, w, 0.2) < net_benefit_gain(draw(20_000, 4), w, 0.2) - 0.01


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.2, float("nan")])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        net_benefit(draw(10, 1), np.ones(10), threshold)


@pytest.mark.parametrize(("outcome", "middle"), [("response", 0.35), ("remission", 0.2)])
def test_figures_of_an_outcome_hold_the_gain_at_the_middle_of_its_range(outcome: str, middle: float) -> None:
    data = draw(500, 6)
    once = np.ones(500)
    figures = metrics_of(outcome)
    assert set(figures) == {*METRICS, "net_benefit_gain"}
    assert figures["net_benefit_gain"](data, once) == net_benefit_gain(data, once, middle)

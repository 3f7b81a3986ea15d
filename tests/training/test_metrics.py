"""Figures against R's rms, pROC and Hmisc, scikit-learn and statsmodels, and weights against copies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from training.bootstrap import draw_weights, estimate_metrics
from training.metrics import METRICS, Predicted, calibration_curve

REFERENCE: dict[str, Any] = json.loads(
    Path(__file__).with_name("reference_metrics.json").read_text(encoding="utf-8")
)
"""Made by reference_metrics.R, beside it."""

EXACT = 1e-8

CURVED = ("ici", "e50", "e90")
"""Their curve keeps its knots whoever is drawn; the reference, with the same knots, checks copies."""


def draw(n: int = 500, seed: int = 2, folds: int = 1, slope: float = 0.7, shift: float = 0.3) -> Predicted:
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-0.2, 1.1, n))
    y = (rng.random(n) < expit(shift + slope * logit(p))).astype(np.float64)
    return Predicted(y, p, np.full(n, 0.45), rng.integers(0, folds, n))


def once(data: Predicted) -> NDArray[np.float64]:
    return np.ones(len(data.y))


def measure(name: str, data: Predicted, w: NDArray[np.float64] | None = None) -> float:
    return METRICS[name](data, once(data) if w is None else w)


def reference_patients(case: str) -> tuple[Predicted, NDArray[np.float64]]:
    table = {key: np.array(column, dtype=np.float64) for key, column in REFERENCE["patients"].items()}
    fold = table["fold"].astype(np.intp) * case.startswith("folds")
    data = Predicted(table["y"], table["p"], table["floor"], fold)
    # What is a weight here is a number of copies in R.
    return data, table["copies"] if case.endswith("drawn") else once(data)


@pytest.mark.parametrize("case", ["everybody", "drawn", "folds", "folds_drawn"])
def test_figures_are_those_of_r(case: str) -> None:
    data, w = reference_patients(case)
    expected = REFERENCE[case]
    found = {key: measure(key.removesuffix("_val_prob"), data, w) for key in expected}
    assert found == pytest.approx(expected, abs=EXACT)
    if case == "everybody":
        # Every figure has its independent value.
        assert expected.keys() >= METRICS.keys()


def test_auroc_precision_brier_and_log_loss_are_those_of_scikit_learn() -> None:
    data = draw()
    assert measure("auroc", data) == pytest.approx(roc_auc_score(data.y, data.p), abs=1e-12)
    assert measure("brier", data) == pytest.approx(brier_score_loss(data.y, data.p), abs=1e-12)
    assert measure("log_loss", data) == pytest.approx(sklearn_log_loss(data.y, data.p), abs=1e-12)
    precision = average_precision_score(data.y, data.p)
    assert measure("average_precision", data) == pytest.approx(precision, abs=1e-12)


def test_ties_count_half() -> None:
    data = draw()
    coarse = Predicted(data.y, data.p.round(1), data.floor, data.fold)
    assert measure("auroc", coarse) == pytest.approx(roc_auc_score(data.y, coarse.p), abs=1e-12)
    precision = average_precision_score(data.y, coarse.p)
    assert measure("average_precision", coarse) == pytest.approx(precision, abs=1e-12)
    flat = Predicted(data.y, np.full(500, 0.3), data.floor, data.fold)
    assert measure("auroc", flat) == 0.5
    assert measure("average_precision", flat) == pytest.approx(data.y.mean())


def test_auroc_compares_patients_of_one_fold() -> None:
    data = draw(folds=4)
    pairs = [(data.y[data.fold == k], data.p[data.fold == k]) for k in range(4)]
    weight = [y.sum() * (1 - y).sum() for y, _ in pairs]
    expected = np.average([roc_auc_score(y, p) for y, p in pairs], weights=weight)
    assert measure("auroc", data) == pytest.approx(expected, abs=1e-12)


def test_brier_skill_is_the_share_removed_from_the_floors_score() -> None:
    data = draw()
    floor = brier_score_loss(data.y, data.floor)
    expected = 1 - brier_score_loss(data.y, data.p) / floor
    assert measure("brier_skill", data) == pytest.approx(expected, abs=1e-12)
    assert measure("brier_skill", Predicted(data.y, data.floor, data.floor, data.fold)) == 0


def test_calibration_intercept_and_slope_are_those_of_statsmodels() -> None:
    data, family = draw(), sm.families.Binomial()
    line = logit(data.p)
    intercept = sm.GLM(data.y, np.ones(500), family=family, offset=line).fit().params[0]
    slope = sm.GLM(data.y, sm.add_constant(line), family=family).fit().params[1]
    assert measure("calibration_intercept", data) == pytest.approx(intercept, abs=1e-7)
    assert measure("calibration_slope", data) == pytest.approx(slope, abs=1e-7)


def test_calibration_slope_is_within_folds() -> None:
    data, family = draw(folds=4), sm.families.Binomial()
    columns = np.column_stack([logit(data.p), data.fold[:, None] == np.arange(4)]).astype(np.float64)
    slope = sm.GLM(data.y, columns, family=family).fit().params[0]
    assert measure("calibration_slope", data) == pytest.approx(slope, abs=1e-7)


def spline_columns(z: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harrell (2015), equation 2.25, written out."""
    t1, t2, t3 = knots
    first, middle, last = (np.maximum(z - knot, 0) ** 3 for knot in knots)
    term = first - middle * (t3 - t1) / (t3 - t2) + last * (t2 - t1) / (t3 - t2)
    return np.column_stack([np.ones_like(z), z, term / (t3 - t1) ** 2])


def test_ici_and_curve_are_those_of_statsmodels_on_the_same_spline() -> None:
    data = draw()
    line = logit(data.p)
    columns = spline_columns(line, np.quantile(line, [0.1, 0.5, 0.9]))
    smooth = sm.GLM(data.y, columns, family=sm.families.Binomial()).fit().predict(columns)
    np.testing.assert_allclose(calibration_curve(data, once(data), data.p), smooth, atol=1e-7)
    assert measure("ici", data) == pytest.approx(np.abs(smooth - data.p).mean(), abs=1e-7)


def test_ici_by_hand_where_all_predictions_are_alike() -> None:
    # 30 of 100 respond, 0.5 was said of each: the curve is 0.3 everywhere, the distance 0.2.
    data = Predicted(np.arange(100) < 30, np.full(100, 0.5), np.full(100, 0.3), np.zeros(100, dtype=np.intp))  # type: ignore[arg-type]
    data = Predicted(data.y.astype(np.float64), data.p, data.floor, data.fold)
    assert measure("ici", data) == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in CURVED])
def test_a_weight_of_two_is_a_patient_twice(name: str) -> None:
    data = draw(200, folds=3)
    w = np.random.default_rng(5).integers(0, 4, 200).astype(np.float64)
    copies = np.repeat(np.arange(200), w.astype(int))
    copied = Predicted(data.y[copies], data.p[copies], data.floor[copies], data.fold[copies])
    assert measure(name, data, w) == pytest.approx(measure(name, copied), abs=1e-8)


def test_well_calibrated_predictions_have_neutral_figures() -> None:
    data = draw(40_000, slope=1.0, shift=0.0)
    assert measure("calibration_intercept", data) == pytest.approx(0, abs=0.03)
    assert measure("calibration_slope", data) == pytest.approx(1, abs=0.04)
    assert measure("ici", data) < 0.01
    # Too extreme by a half on the logit scale, and 0.3 too low.
    off = draw(40_000, slope=0.5, shift=0.3)
    assert measure("calibration_slope", off) == pytest.approx(0.5, abs=0.03)
    assert measure("calibration_intercept", off) > 0.1
    assert measure("ici", off) > 0.05


@pytest.mark.parametrize("name", METRICS)
def test_certain_predictions_give_finite_figures(name: str) -> None:
    data = Predicted(
        np.array([0.0, 1, 1, 0, 1]),
        np.array([0.0, 1, 0, 1, 0.5]),
        np.full(5, 0.6),
        np.zeros(5, dtype=np.intp),
    )
    assert np.isfinite(measure(name, data))


def test_the_same_for_one_sample_and_for_many_at_once() -> None:
    data = draw(300, folds=3)
    weights = np.random.default_rng(1).integers(0, 3, (40, 300)).astype(np.float64)
    for name, metric in METRICS.items():
        many = metric.figures(data, weights)[name]
        np.testing.assert_allclose(many, [metric(data, w) for w in weights], atol=1e-8, err_msg=name)


@pytest.mark.parametrize("name", METRICS)
def test_weights_need_not_be_whole(name: str) -> None:
    # Inverse probability weights: twice the weight everywhere is the same cohort.
    data = draw(300, folds=3)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 300)
    near = 2e-3 if name in CURVED else 1e-7  # a quantile's window is one patient wide
    assert measure(name, data, 2 * w) == pytest.approx(measure(name, data, w), abs=near)


def test_a_sample_that_separates_the_classes_does_not_stop_the_others() -> None:
    data = draw(60)
    split = np.where(data.y == (data.p > 0.45), 1.0, 0.0)
    weights = np.vstack([once(data), split, once(data)])
    slopes = METRICS["calibration_slope"].figures(data, weights)["calibration_slope"]
    assert slopes[0] == slopes[2] == pytest.approx(measure("calibration_slope", data), abs=1e-9)
    assert slopes[1] > 10
    assert np.isfinite(slopes).all()


def test_one_prediction_for_all_has_no_slope() -> None:
    data = draw(100, folds=2)
    flat = Predicted(data.y, np.where(data.fold == 0, 0.4, 0.5), data.floor, data.fold)
    assert np.isnan(measure("calibration_slope", flat))


def test_a_fold_without_a_class_leaves_the_slope_to_the_others() -> None:
    data = draw(200)
    extra = Predicted(
        np.append(data.y, np.zeros(30)),
        np.append(data.p, np.linspace(0.1, 0.9, 30)),
        np.full(230, 0.45),
        np.append(data.fold, np.ones(30)).astype(np.intp),
    )
    expected = measure("calibration_slope", data)
    assert measure("calibration_slope", extra) == pytest.approx(expected, abs=1e-7)


def test_one_class_only_has_no_auroc() -> None:
    data = Predicted(np.ones(9), np.linspace(0.1, 0.9, 9), np.full(9, 0.9), np.zeros(9, dtype=np.intp))
    assert np.isnan(measure("auroc", data))


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_classes_that_do_not_overlap_have_no_slope(way: float) -> None:
    data = draw(200, folds=4)
    apart = Predicted(data.y, expit(way * (2 * data.y - 1) + 0.1 * logit(data.p)), data.floor, data.fold)
    found = estimate_metrics([apart], draw_weights(200, None, 1, 50))
    assert np.isnan([found["calibration_slope"].value, found["calibration_slope"].low]).all()
    # One pair out of order in one fold, and there is one.
    crossed = apart.p.copy()
    crossed[np.flatnonzero(apart.y == 1)[0]] = 1 - crossed[np.flatnonzero(apart.y == 1)[0]]
    assert np.isfinite(measure("calibration_slope", Predicted(apart.y, crossed, apart.floor, apart.fold)))


def test_folds_that_disagree_on_the_order_have_a_slope() -> None:
    data = draw(200, folds=2)
    way = np.where(data.fold == 0, 1.0, -1.0) * (2 * data.y - 1)
    split = Predicted(data.y, expit(way + 0.1 * logit(data.p)), data.floor, data.fold)
    assert np.isfinite(measure("calibration_slope", split))


def test_where_nothing_varies_no_share_of_it_is_removed() -> None:
    data = Predicted(np.ones(9), np.linspace(0.1, 0.9, 9), np.ones(9), np.zeros(9, dtype=np.intp))
    assert np.isnan(measure("scaled_brier", data))
    assert np.isnan(measure("brier_skill", data))
    nobody = Predicted(np.ones(9), np.zeros(9), np.full(9, 0.5), np.zeros(9, dtype=np.intp))
    assert np.isnan(measure("o_e", nobody))

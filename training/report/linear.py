"""A linear score in full: its coefficients, and a patient's prediction worked out term by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from features.encoder import Encoder
    from models.response_model import ResponseModel
    from models.scores import LinearScore

__all__ = ["LinearTerm", "ReferencePatient", "list_terms", "make_reference_patient"]


@dataclass(frozen=True)
class LinearTerm:
    """One column of the linear model.

    Parameters
    ----------
    label : str
    rule : str
        How its value is made of what is known of a patient.
    weights : tuple of float
        Coefficient on each plan.
    given : str
        What the reference patient has.
    value : float
        The column's value for the reference patient.
    product : float
        Value times coefficient on the reference plan.
    """

    label: str
    rule: str
    weights: tuple[float, ...]
    given: str
    value: float
    product: float


@dataclass(frozen=True)
class ReferencePatient:
    """The patient whose prediction is worked out: typical in everything, on the reference plan.

    Parameters
    ----------
    row : ndarray of shape (1, m)
        Encoded.
    given : mapping of str to str
        By predictor, as people say it.
    plan : int
        Index of the plan.
    """

    row: NDArray[np.float64]
    given: Mapping[str, str]
    plan: int


def make_reference_patient(model: ResponseModel) -> ReferencePatient:
    """Make a patient of rounded means and commonest levels; nobody's values.

    Parameters
    ----------
    model : ResponseModel

    Returns
    -------
    ReferencePatient
    """
    encoder, file = model.encoder, model.cohort_file
    values: list[float] = []
    given: dict[str, str] = {}
    for j, predictor in enumerate(file.baseline_predictors):
        if predictor.kind == "category":
            shares = encoder.hot_mean_[encoder.hot_sources_ == j]
            value = float(shares.argmax())
            said = predictor.levels[int(value)]
        else:
            mean = float(encoder.line_mean_[list(encoder.line_sources_).index(j)])
            value = float(round(mean))
            if predictor.valid is not None:
                value = min(max(value, predictor.valid[0]), predictor.valid[1])
            said = _say(predictor.kind, predictor.levels, predictor.unit, value)
        values.append(value)
        given[predictor.name] = said
    if file.plan is not None:
        values.append(float(encoder.reference_))
        given[file.plan.column] = file.plan.reference
    return ReferencePatient(np.array([values]), given, encoder.reference_)


def list_terms(score: LinearScore, model: ResponseModel, patient: ReferencePatient) -> tuple[LinearTerm, ...]:
    """List the intercept and every column with its rule, coefficients and the reference patient's part.

    Parameters
    ----------
    score : LinearScore
    model : ResponseModel
        Whose encoder makes the columns.
    patient : ReferencePatient

    Returns
    -------
    tuple of LinearTerm
        The products sum to the score's logit for the reference patient.
    """
    encoder = model.encoder
    columns = [("Intercept", "1", ""), *_describe(encoder, model.cohort_file, patient.given)]
    values = np.concatenate([[1.0], encoder.base_columns(patient.row)[0]])
    products = values * score.weights[patient.plan]
    return tuple(
        LinearTerm(label, rule, tuple(map(float, weights)), given, float(value), float(product))
        for (label, rule, given), weights, value, product in zip(
            columns, score.weights.T, values, products, strict=True
        )
    )


def _describe(encoder: Encoder, file: CohortFile, given: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Label, rule and given value of each base column, in the encoder's order."""
    predictors = file.baseline_predictors
    found = []
    for place, j in enumerate(encoder.line_sources_):
        mean, scale = encoder.line_mean_[place], encoder.line_scale_[place]
        what = {"binary": "1 if yes, 0 if no", "ordinal": "place of the level, from 0"}.get(
            predictors[j].kind
        )
        rule = f"(x - {mean:.6g}) / {scale:.6g}" + (f"; x = {what}" if what else "")
        found.append((predictors[j].label, rule, given[predictors[j].name]))
    for place, j in enumerate(encoder.hot_sources_):
        level = predictors[j].levels[int(encoder.hot_levels_[place])]
        mean, scale = encoder.hot_mean_[place], encoder.hot_scale_[place]
        rule = f"(x - {mean:.6g}) / {scale:.6g}; x = 1 if {level}, else 0"
        found.append((f"{predictors[j].label}: {level}", rule, given[predictors[j].name]))
    for place, j in enumerate(encoder.curve_sources_):
        found.append(
            (f"{predictors[j].label}: curve", _curve_rule(encoder, place), given[predictors[j].name])
        )
    for place, j in enumerate(encoder.indicator_sources_):
        rule = f"x - {encoder.indicator_mean_[place]:.6g}; x = 1 if not recorded, else 0"
        found.append((f"{predictors[j].label}: not recorded", rule, "recorded"))
    return found


def _curve_rule(encoder: Encoder, place: int) -> str:
    """Truncated cubes less the straight line that they hold, with all numbers."""
    start, slope = encoder.curve_straight_[:, place]
    cubes = " ".join(
        f"{'+' if factor >= 0 else '-'} {abs(factor):.6g}·max(z - {_signed(knot)}, 0)³"
        for knot, factor in zip(encoder.curve_knots_[place], encoder.curve_factors_[place], strict=True)
    )
    return f"{cubes.removeprefix('+ ')} - {_signed(start)} - {_signed(slope)}·z; z = scaled value"


def _signed(value: float) -> str:
    return f"{value:.6g}" if value >= 0 else f"({value:.6g})"


def _say(kind: str, levels: tuple[str, ...], unit: str | None, value: float) -> str:
    if kind == "binary":
        return "yes" if value else "no"
    if kind == "ordinal":
        return levels[int(value)]
    return f"{value:g} {unit}" if unit else f"{value:g}"

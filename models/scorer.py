"""One patient's answer from a loaded model, without a table in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.encoding import column_names
from models.response_model import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.cohort_file import CohortFile
    from models.conformal import Verdict
    from models.response_model import ResponseModel

__all__ = ["Answer", "Driver", "Likelihood", "Scorer", "Unusual"]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A probability with its interval.

    Parameters
    ----------
    probability, low, high : float
    """

    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Driver:
    """What one predictor adds to the probability of response.

    Parameters
    ----------
    name, label : str
    value : float or str or None
        As given: a number, True or False, a level; None if missing.
    effect : float
        Probability added, against the average patient.
    """

    name: str
    label: str
    value: float | str | bool | None
    effect: float


@dataclass(frozen=True, slots=True)
class Unusual:
    """A value outside what nearly all training patients had.

    Parameters
    ----------
    name : str
    value : float
    low, high : float
        1st and 99th percentile of the training patients.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is said of one patient on one plan.

    Parameters
    ----------
    response, remission : Likelihood
    verdict : {"likely", "unlikely", "uncertain"}
    missing : tuple of str
        Predictors that were not given.
    unusual : tuple of Unusual
    drivers : tuple of Driver
        Of the response, the largest effect first; empty if not asked for. They sum to the
        difference between the patient's probability and the average patient's.
    """

    response: Likelihood
    remission: Likelihood
    verdict: Verdict
    missing: tuple[str, ...]
    unusual: tuple[Unusual, ...]
    drivers: tuple[Driver, ...]


class Scorer:
    """A loaded model with everything that does not depend on the patient worked out before.

    Parameters
    ----------
    model : ResponseModel
    """

    level: Final = LEVEL
    landmark: Final = "baseline"

    def __init__(self, model: ResponseModel) -> None:
        self.model = model
        self.cohort_file: CohortFile = model.cohort_file
        self._names = column_names(self.cohort_file)
        self._predictors = self.cohort_file.baseline_predictors
        self._low, self._high = model.encoder.seen_.T

    def answer(self, row: Sequence[float], *, drivers: bool = True) -> Answer:
        """Predict one patient.

        Parameters
        ----------
        row : sequence of float, length m
            An encoded patient (`features.encoding.encode_patient`).
        drivers : bool
            Whether the drivers are wanted; they cost as much again as the prediction.

        Returns
        -------
        Answer
        """
        rows = np.array([row], dtype=np.float64)
        inputs = self.model.inputs(rows)
        response, remission = (
            Likelihood(*(float(v) for v in self.model.outcomes[name].predict(inputs)[:, 0]))
            for name in ("response", "remission")
        )
        values = rows[0, : len(self._predictors)]
        outside = np.flatnonzero((values < self._low) | (values > self._high))
        effects = self.model.outcomes["response"].drivers(inputs)[0] if drivers else None
        return Answer(
            response,
            remission,
            self.model.outcomes["response"].choice.bounds.verdict(response.probability),
            tuple(self._names[i] for i in np.flatnonzero(inputs.missing[0])),
            tuple(
                Unusual(self._names[i], float(values[i]), float(self._low[i]), float(self._high[i]))
                for i in outside
            ),
            () if effects is None else self._drivers(rows[0], effects),
        )

    def _drivers(self, row: np.ndarray, effects: np.ndarray) -> tuple[Driver, ...]:
        order = np.argsort(-np.abs(effects), kind="stable")
        return tuple(self._driver(i, float(row[i]), float(effects[i])) for i in order.tolist())

    def _driver(self, i: int, code: float, effect: float) -> Driver:
        if i == len(self._predictors):
            plan = self.cohort_file.plan
            if plan is None:
                raise IndexError("an encoded row longer than the cohort's columns")
            return Driver(plan.column, "Plan", self.cohort_file.plan_levels[int(code)], effect)
        predictor = self._predictors[i]
        value: float | str | bool | None = code
        if np.isnan(code):
            value = None
        elif predictor.kind in ("category", "ordinal"):
            value = predictor.levels[int(code)]
        elif predictor.kind == "binary":
            value = bool(code)
        return Driver(predictor.name, predictor.label, value, effect)

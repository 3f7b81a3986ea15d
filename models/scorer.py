"""One patient's answer from a loaded model, without a table in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.cohort_file_model import BASELINE
from features.encoding import column_names
from models.prepared import PreparedLines
from models.response_model import LEVEL, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from features.cohort_file import CohortFile
    from models.conformal import Verdict
    from models.inputs import Inputs
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
    landmark : str
        The point of the course that it predicts from.
    """

    level: Final = LEVEL

    def __init__(self, model: ResponseModel, landmark: str = BASELINE) -> None:
        self.model = model
        self.landmark = landmark
        self.cohort_file: CohortFile = model.cohort_file
        self._outcomes = [model.outcomes[name] for name in OUTCOMES]
        self._response = self._outcomes[0]
        self._lines = PreparedLines.of(self._outcomes)
        self._names = column_names(self.cohort_file)
        self._low, self._high = model.encoder.seen_.T
        self._columns = [
            _Column(p.name, p.label, p.levels, p.kind) for p in self.cohort_file.baseline_predictors
        ]
        if self.cohort_file.plan is not None:
            plan = self.cohort_file.plan
            self._columns.append(_Column(plan.column, "Plan", self.cohort_file.plan_levels, "category"))

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
        response, remission = (Likelihood(*figures) for figures in self._predict(inputs))
        missing, unusual = self.notice(rows[0])
        return Answer(
            response,
            remission,
            self._response.choice.bounds.verdict(response.probability),
            missing,
            unusual,
            self._drivers(inputs, row) if drivers else (),
        )

    def notice(self, row: NDArray[np.float64]) -> tuple[tuple[str, ...], tuple[Unusual, ...]]:
        """Name the predictors of an encoded patient that are missing, and those with unusual values."""
        values = row[: len(self._low)]
        missing = tuple([self._names[i] for i in np.isnan(values).nonzero()[0].tolist()])
        return missing, tuple(self._unusual(values))

    def _predict(self, inputs: Inputs) -> list[list[float]]:
        """Probability, lower and upper end, of each outcome."""
        if self._lines is not None:
            row = inputs.rows[0]
            plan = int(row[-1]) if self.cohort_file.plan_levels else 0
            missing = np.isnan(row[: len(self._low)])
            figures = self._lines.predict(inputs.with_intercept[0], plan, missing)
            return [figures[:, i].tolist() for i in range(len(self._outcomes))]
        return [outcome.predict(inputs)[:, 0].tolist() for outcome in self._outcomes]

    def _unusual(self, values: NDArray[np.float64]) -> Iterator[Unusual]:
        for i in ((values < self._low) | (values > self._high)).nonzero()[0].tolist():
            yield Unusual(self._names[i], float(values[i]), float(self._low[i]), float(self._high[i]))

    def _drivers(self, inputs: Inputs, row: Sequence[float]) -> tuple[Driver, ...]:
        effects = self._response.drivers(inputs)[0]
        order = np.argsort(-np.abs(effects), kind="stable").tolist()
        listed = effects.tolist()
        return tuple(self._columns[i].driver(row[i], listed[i]) for i in order)


@dataclass(frozen=True, slots=True)
class _Column:
    """How one column of an encoded row is told to a person."""

    name: str
    label: str
    levels: tuple[str, ...]
    kind: str

    def driver(self, code: float, effect: float) -> Driver:
        """Give the code back as the value that was sent."""
        if code != code:  # NaN
            return Driver(self.name, self.label, None, effect)
        if self.levels:
            return Driver(self.name, self.label, self.levels[int(code)], effect)
        return Driver(self.name, self.label, bool(code) if self.kind == "binary" else code, effect)

"""Compute a stored prediction anew, from its version and its inputs, and compare to the last digit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from features.screening import CohortScreen
from models.plan_scorer import PlanScorer
from serving.loading import load_recorded
from serving.plan_requests import make_plans_model
from serving.records.chain import RecordsError
from serving.routes.plans import compare_asked
from serving.routes.predict import predict_asked
from serving.schemas import make_request_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.registry import Located
    from serving.records.store import StoredPrediction

__all__ = ["Replayer", "address_of", "differences"]


def address_of(stored: StoredPrediction) -> str | None:
    """Where the version that made a prediction is found; None if it was served from a folder."""
    return f"models:/{stored.model}/{stored.version}" if stored.version.isdigit() else None


class Replayer:
    """Answers as one version did.

    Parameters
    ----------
    located : Located
        Its files are read against its digest. No validation record is asked for: what was once served
        must be explained even if its key is no longer trusted.

    Raises
    ------
    ArtefactError
        If files are missing or were changed.
    """

    def __init__(self, located: Located) -> None:
        self._served = load_recorded(located)
        file = self._served.scorer.cohort_file
        self._screen = CohortScreen(file)
        self._request = make_request_model(file)
        self._plans_request = make_plans_model(file, self._request)
        self._plans = None if self._served.model.plans is None else PlanScorer(self._served.model)

    def replay(self, stored: StoredPrediction) -> list[str]:
        """Compute a prediction anew.

        Parameters
        ----------
        stored : StoredPrediction

        Returns
        -------
        list of str
            JSON Pointers of what differs from what was answered; empty if it agrees to the last digit.

        Raises
        ------
        RecordsError
            If its inputs were not kept or were erased, or another version made it.
        """
        if stored.inputs is None or stored.outputs is None:
            raise RecordsError(f"prediction {stored.prediction_id}: its inputs were not kept, or were erased")
        if stored.digest != self._served.digest:
            raise RecordsError(
                f"prediction {stored.prediction_id} was made by other files: version {stored.version} of "
                f"{stored.model}, digest {stored.digest}"
            )
        again = json.loads(to_json(self._answer(stored.kind, stored.inputs), inf_nan_mode="null"))
        before = json.loads(stored.outputs)
        again["prediction_id"] = before["prediction_id"]  # random, and the one thing that may differ
        return list(differences(before, again))

    def _answer(self, kind: str, inputs: str) -> dict[str, Any]:
        if kind == "predict":
            return predict_asked(self._served, self._request.model_validate_json(inputs), self._screen)
        if self._plans is None:
            raise RecordsError("this version has no plans to compare")
        asked = self._plans_request.model_validate_json(inputs)
        return compare_asked(self._served, self._plans, asked, self._screen)


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Say where two JSON documents differ.

    Parameters
    ----------
    before, after : object
        As `json.loads` gives them: two floats are the same only to the last bit.
    at : str
        JSON Pointer of both.

    Yields
    ------
    str
        JSON Pointers; `/` for the whole document.

    Examples
    --------
    >>> list(differences({"a": [1, 2.0]}, {"a": [1, 2.5], "b": None}))
    ['/a/1', '/b']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() | after.keys() if before.keys() != after.keys() else before:
            step = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in before and name in after:
                yield from differences(before[name], after[name], step)
            else:
                yield step
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{at}/{number}")
    elif type(before) is not type(after) or before != after:
        yield at or "/"

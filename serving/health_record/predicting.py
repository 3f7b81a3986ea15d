"""The prediction behind a card or a RiskAssessment: that of `POST /v1/predict`, recorded like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from serving.reading import read_request
from serving.records.recording import record
from serving.routes.predict import predict_asked

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from starlette.datastructures import State

    from features.fhir_mapping import FhirMapping
    from features.screening import CohortScreen
    from serving.health_record.extracting import Extracted
    from serving.health_record.resources import PatientRecord
    from serving.loading import Served
    from serving.records.entries import Surface
    from serving.schemas import PredictRequest

__all__ = ["Asking", "Predicted", "Predictor"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One patient on one plan.

    Parameters
    ----------
    served : Served
    mapping : FhirMapping
    record : PatientRecord
    extracted : Extracted
        What the answer rests on.
    plan : str or None
    answer : dict
        As `POST /v1/predict` gives it, with safety screened.
    now : datetime
        When it was asked.
    """

    served: Served
    mapping: FhirMapping
    record: PatientRecord
    extracted: Extracted
    plan: str | None
    answer: dict[str, Any]
    now: datetime.datetime

    @property
    def plan_label(self) -> str:
        """The plan in words; empty without plans."""
        plan = self.served.scorer.cohort_file.plan
        return "" if plan is None or self.plan is None else plan.levels[self.plan]

    @property
    def is_simulated(self) -> bool:
        """Whether the model was trained on simulated patients."""
        return self.served.scorer.cohort_file.provenance == "simulated"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a prediction, and of whom.

    Parameters
    ----------
    state : State
        Of the request.
    served : Served
    surface : {"cds", "fhir"}
    now : datetime
    """

    state: State
    served: Served
    surface: Surface
    now: datetime.datetime


@dataclass(frozen=True, slots=True)
class Predictor:
    """Predicts from what a health record says.

    Parameters
    ----------
    mapping : FhirMapping
    model : type of PredictRequest
        Of the served model's cohort.
    screen : CohortScreen
        Of the same cohort.
    """

    mapping: FhirMapping
    model: type[PredictRequest]
    screen: CohortScreen

    @property
    def plans(self) -> tuple[str, ...]:
        """All plans of the cohort."""
        return tuple(self.screen.plans)

    def finds_danger(self, extracted: Extracted) -> bool:
        """Whether what was read holds a danger sign, whatever the plan.

        Parameters
        ----------
        extracted : Extracted

        Returns
        -------
        bool
        """
        answers = {name: value for name, value in extracted.safety.items() if isinstance(value, bool | float)}
        return self.screen.screen(answers, extracted.patient).stops

    def plans_for(self, wanted: Sequence[str | None], extracted: Extracted) -> list[str | None]:
        """Give the plans to predict for: a danger sign is told once, and even where no plan is wanted.

        Parameters
        ----------
        wanted : sequence of str or None
            None for a model without plans.
        extracted : Extracted

        Returns
        -------
        list of str or None
        """
        return [self.mapping.plan] if self.finds_danger(extracted) else [*wanted]

    async def predict(
        self, asking: Asking, record_: PatientRecord, extracted: Extracted, plan: str | None
    ) -> Predicted:
        """Predict, and record it before it is answered.

        Parameters
        ----------
        asking : Asking
        record_ : PatientRecord
        extracted : Extracted
        plan : str or None

        Returns
        -------
        Predicted

        Raises
        ------
        ProblemError
            503 if it could not be recorded.
        """
        body: dict[str, Any] = {
            "patient": dict(extracted.patient),
            "safety": dict(extracted.safety),
            "drivers": False,
        }
        if plan is not None:
            body["plan"] = plan
        # As bytes and through the same reader as any other client's body: nothing gets in by a side door.
        asked = read_request(to_json(body), self.model, asking.served.scorer.cohort_file)
        answer = predict_asked(asking.served, asked, self.screen)
        await record(
            asking.state, "predict", asked, answer, surface=asking.surface, patient=record_.patient["id"]
        )
        return Predicted(asking.served, self.mapping, record_, extracted, plan, answer, asking.now)

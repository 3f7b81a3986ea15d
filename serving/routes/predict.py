"""Predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from serving.answers import Prediction, describe_prediction, describe_withheld
from serving.course import find_course
from serving.openapi import json_body, problems
from serving.reading import check_content_type, read_request
from serving.records.recording import patient_header, patient_of, record
from serving.routes.direct import DirectRoute
from serving.safety import answers_of
from serving.schemas import encode_request, observed_predictors, values_of
from serving.state import served_by

if TYPE_CHECKING:
    from features.cohort_file import CohortFile
    from features.safety import Screen
    from features.screening import CohortScreen
    from serving.loading import Served
    from serving.schemas import PredictRequest

__all__ = ["predict_asked", "predict_router"]


def predict_router(model: type[PredictRequest], screen: CohortScreen) -> APIRouter:
    """Make the route that predicts.

    Parameters
    ----------
    model : type of PredictRequest
        Of the served model's cohort.
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    APIRouter
    """
    router = APIRouter(tags=["prediction"], route_class=DirectRoute)

    # The body is read from the request itself and validated straight from its bytes, once. `async`,
    # because the work takes less time than handing it to a thread would.
    @router.post(
        "/v1/predict",
        summary="Predict one patient on one plan",
        responses={200: {"model": Prediction}, **problems(400, 413, 415, 422, 500, 503)},
        openapi_extra=json_body(model) | patient_header(),
    )
    async def predict(request: Request) -> Response:
        """Likelihood of response and remission, with interval, verdict and what they rest on.

        From baseline; with measurements in `observed`, from the latest landmark of which there is one.
        """
        served = served_by(request)
        check_content_type(request.headers.get("content-type"))
        asked = read_request(await request.body(), model, served.scorer.cohort_file)
        described = predict_asked(served, asked, screen)
        answer = await record(request.state, "predict", asked, described, patient=patient_of(request))
        return Response(answer, media_type="application/json")

    return router


def predict_asked(served: Served, asked: PredictRequest, screen: CohortScreen) -> dict[str, Any]:
    """Answer a validated request: the route's answer, and that of every other surface.

    Parameters
    ----------
    served : Served
    asked : PredictRequest
        Of the served model's cohort.
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    dict
        As `Prediction` describes it; without any number where safety outranks it.
    """
    cohort_file = served.scorer.cohort_file
    row = encode_request(cohort_file, asked)
    found = None
    if asked.safety is not None or screen.predictors_can_block:
        found = _screen(screen, cohort_file, asked)
        if _is_against(found, asked.plan):
            return describe_withheld(served, asked.plan, row, found)
    course = find_course(served, asked)
    if course is None:
        answer = served.scorer.answer(row, drivers=asked.drivers)
        return describe_prediction(served, asked.plan, answer, screen=found)
    answer = course.scorer.answer(course.row, drivers=asked.drivers)
    before = served.scorer.answer(row, drivers=False)
    return describe_prediction(served, asked.plan, answer, course, before, found)


def _screen(screen: CohortScreen, cohort_file: CohortFile, asked: PredictRequest) -> Screen:
    patient = values_of(asked.patient, cohort_file.baseline_predictors)
    if asked.observed is not None:
        patient |= values_of(asked.observed, observed_predictors(cohort_file))
    return screen.screen(answers_of(asked.safety), patient)


def _is_against(screen: Screen, plan: str | None) -> bool:
    """Whether safety outranks the probability: a danger sign, or a contraindication of the plan."""
    return screen.stops or (plan is not None and plan in screen.excluded)

"""All plans side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from features.encoding import encode_patient
from models.plan_scorer import PlanScorer
from serving.course import find_course
from serving.openapi import json_body, problems
from serving.plan_answers import Plans, describe_plans
from serving.plan_course import describe_plans_course
from serving.plan_requests import RelapseFree, check_plan, plans_allowed
from serving.problems import ProblemError
from serving.reading import check_content_type, read_request
from serving.records.recording import patient_header, patient_of, record
from serving.routes.direct import DirectRoute
from serving.safety import answers_of
from serving.schedules import Aim
from serving.schemas import observed_predictors, values_of
from serving.state import served_by

if TYPE_CHECKING:
    from features.cohort_file import CohortFile
    from features.safety import Screen
    from features.screening import CohortScreen
    from serving.loading import Served
    from serving.plan_requests import PlansRequest

__all__ = ["compare_asked", "plans_router"]

NO_PLANS: Final = "this model has no plans to compare; POST /v1/predict answers for one patient"
_USUAL: Final = RelapseFree()


def plans_router(model: type[PlansRequest], served: Served, screen: CohortScreen) -> APIRouter:
    """Make the route that compares plans.

    Parameters
    ----------
    model : type of PlansRequest
        Of the served model's cohort.
    served : Served
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    APIRouter
        Answers 404 where the model has no plans to compare.
    """
    router = APIRouter(tags=["prediction"], route_class=DirectRoute)
    scorer = None if served.model.plans is None else PlanScorer(served.model)
    file = served.model.cohort_file
    allowed = plans_allowed(file)

    @router.post(
        "/v1/plans",
        summary="Compare all plans for one patient",
        responses={200: {"model": Plans}, **problems(400, 404, 413, 415, 422, 500, 503)},
        openapi_extra=json_body(model) | patient_header(),
    )
    async def plans(request: Request) -> Response:
        """Every plan with response, remission, support, difference, durability and schedule; safety first.

        Plans are compared as at baseline; with measurements in `observed`, `course` tells of the current one.
        """
        running = served_by(request)
        if scorer is None:
            raise ProblemError(404, NO_PLANS)
        check_content_type(request.headers.get("content-type"))
        asked = read_request(await request.body(), model, file, allowed)
        check_plan(file, asked)
        described = compare_asked(running, scorer, asked, screen)
        answer = await record(request.state, "plans", asked, described, patient=patient_of(request))
        return Response(answer, media_type="application/json")

    return router


def compare_asked(
    served: Served, scorer: PlanScorer, asked: PlansRequest, screen: CohortScreen
) -> dict[str, Any]:
    """Compare all plans for a validated request: the route's answer, and that of every other surface.

    Parameters
    ----------
    served : Served
    scorer : PlanScorer
        Of that model.
    asked : PlansRequest
        Of its cohort.
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    dict
        As `Plans` describes it, with NaN where JSON has null.
    """
    file = served.model.cohort_file
    patient = values_of(asked.patient, file.baseline_predictors)
    found = screen.screen(answers_of(asked.safety), patient | _observed(file, asked))
    # The plan of the encoded row is of no account here; it must only be one of the levels.
    row = encode_patient(file, patient, file.plan_levels[0])
    answer = scorer.answer(row, found.offered)
    return describe_plans(served, scorer, found, answer, _aim(asked), _course(served, asked, found))


def _observed(file: CohortFile, asked: PlansRequest) -> dict[str, object]:
    return {} if asked.observed is None else values_of(asked.observed, observed_predictors(file))


def _aim(asked: PlansRequest) -> Aim:
    wanted = asked.relapse_free or _USUAL
    return Aim(asked.start, wanted.target, wanted.weeks)


def _course(served: Served, asked: PlansRequest, screen: Screen) -> dict[str, Any] | None:
    """The current plan from where the patient is; nothing beside a danger sign or if contraindicated."""
    if asked.plan is None or asked.plan not in screen.offered:
        return None
    course = find_course(served, asked)
    if course is None:
        return None
    file = served.model.cohort_file
    patient = values_of(asked.patient, file.baseline_predictors)
    before = served.scorer.answer(encode_patient(file, patient, asked.plan), drivers=False)
    now = course.scorer.answer(course.row, drivers=False)
    return describe_plans_course(course, asked.plan, file.outcome.baseline, now, before)

"""The application: routes, error answers and layers around each loaded version."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from features.screening import CohortScreen
from serving.boundary import Boundary, LimitBody
from serving.logs import make_logger, make_request_log
from serving.openapi import describe_with
from serving.plan_requests import make_plans_model
from serving.problems import ProblemError, answer_problem, make_problem_response
from serving.routes import health, model
from serving.routes.plans import plans_router
from serving.routes.predict import predict_router
from serving.routes.schema import schema_router
from serving.schemas import make_request_model
from serving.swapping import SwappingApp

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from serving.loading import Served
    from serving.settings import Settings
    from serving.swapping import Source

__all__ = ["create_app", "make_version_app"]

_SENTENCES = {
    404: "there is nothing at this address; GET /openapi.json lists what there is",
    405: "this address does not answer that method; the header Allow lists those that it does",
}


def create_app(settings: Settings, served: Served, source: Source | None = None) -> SwappingApp:
    """Make the application.

    Parameters
    ----------
    settings : Settings
    served : Served
        What it begins with.
    source : Source, optional
        Where other versions come from; without it there are none.

    Returns
    -------
    SwappingApp
        Answers 503 until its lifespan has begun.
    """
    return SwappingApp(served, partial(make_version_app, settings), source, make_logger(settings.log_level))


def make_version_app(settings: Settings, served: Served) -> FastAPI:
    """Make all routes of one version.

    Parameters
    ----------
    settings : Settings
    served : Served
        Its cohort file describes the bodies of requests, and so the routes and their description.

    Returns
    -------
    FastAPI
        Expects the version in the state of each request, from `SwappingApp`.
    """
    request_model = make_request_model(served.scorer.cohort_file)
    plans_model = make_plans_model(served.scorer.cohort_file, request_model)
    screen = CohortScreen(served.scorer.cohort_file)
    app = FastAPI(
        title=f"Treatment response: {served.scorer.cohort_file.title}",
        version=version("treatment-response"),
        description="Calibrated likelihood of response and remission for one patient on one plan.",
        docs_url=None,  # FastAPI's page loads its scripts from a public address
        redoc_url=None,
        middleware=[
            Middleware(
                Boundary,
                log=make_logger(settings.log_level),
                log_request=make_request_log(settings.log_level),
            ),
            Middleware(LimitBody, limit=settings.body_limit),
        ],
        exception_handlers={ProblemError: answer_problem, HTTPException: _answer_http},
    )
    app.include_router(predict_router(request_model, screen))
    app.include_router(plans_router(plans_model, served, screen))
    app.include_router(model.router)
    app.include_router(schema_router(request_model))
    app.include_router(health.router)
    app.openapi = describe_with(app, request_model, plans_model)  # type: ignore[method-assign]  # FastAPI's own way
    return app


async def _answer_http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = _SENTENCES.get(error.status_code, "the request cannot be answered")
    return make_problem_response(ProblemError(error.status_code, detail, headers=error.headers))

"""The application: routes, error answers and layers around each loaded version."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from features.screening import CohortScreen
from serving.access.description import describe_access
from serving.access.making import make_access
from serving.access.routes import access_router
from serving.api_docs.routes import docs_router
from serving.boundary import Boundary, LimitBody, LimitTime
from serving.health_record.cors import CdsCors
from serving.health_record.making import health_record_routers
from serving.logs import make_logger, make_request_log
from serving.metrics import Metrics
from serving.openapi import describe_with
from serving.page.routes import page_router
from serving.plan_requests import make_plans_model
from serving.problems import ProblemError
from serving.records.recorder import make_recorder
from serving.refusals import answer_failure, answer_problem, refuse
from serving.routes import health, metrics, model
from serving.routes.outcomes import make_outcome_model, outcomes_router
from serving.routes.plans import plans_router
from serving.routes.predict import predict_router
from serving.routes.schema import schema_router
from serving.schemas import make_request_model
from serving.swapping import SwappingApp

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from serving.loading import Served
    from serving.settings import Settings
    from serving.swapping import Source

__all__ = ["create_app", "make_version_app"]

_SENTENCES = {
    404: "there is nothing at this address; GET /openapi.json lists what there is",
    405: "this address does not answer that method; the header Allow lists those that it does",
}

_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""FastAPI's own would send queries and errors to whatever collector the process has, and asks for one at each
request; this service writes its logs and figures itself, without patients' values."""


def create_app(
    settings: Settings, served: Served | None, source: Source | None = None, problem: str | None = None
) -> ASGIApp:
    """Make the application.

    Parameters
    ----------
    settings : Settings
    served : Served or None
        What it begins with; None if that may not be served or cannot be loaded.
    source : Source, optional
        Where other versions come from; without it there are none.
    problem : str, optional
        Why it begins with nothing.

    Returns
    -------
    ASGIApp
        Answers 503 until its lifespan has begun.
    """
    log = make_logger(settings.log_level)
    recorder = make_recorder(settings, log)
    figures = Metrics()
    versions = SwappingApp(served, partial(make_version_app, settings), source, log, recorder, problem)
    folder = None if source is None else source.runtime.path
    access = make_access(versions, settings, folder, settings.left_open, metrics=figures)
    reachable = CdsCors(access, settings.allowed_origins)
    bounded = LimitTime(LimitBody(reachable, settings.body_limit), settings.body_seconds)
    return Boundary(bounded, log, figures.watch(make_request_log(settings.log_level)))


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
        telemetry=_NO_TELEMETRY,
        exception_handlers={
            ProblemError: answer_problem,
            HTTPException: _answer_http,
            Exception: answer_failure,
        },
    )
    # In place of `include_router`, whose routers within the router cost a twentieth of a prediction.
    app.router.routes.extend(predict_router(request_model, screen).routes)
    app.include_router(plans_router(plans_model, served, screen))
    app.include_router(page_router(served, screen, request_model, plans_model, settings.reports))
    outcome_model = make_outcome_model(served.scorer.cohort_file)
    app.include_router(outcomes_router(outcome_model, served.scorer.cohort_file))
    for router in health_record_routers(settings, served, request_model, screen):
        app.include_router(router)
    app.include_router(model.router)
    app.include_router(schema_router(request_model))
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(access_router())
    app.include_router(docs_router(app))
    amend = describe_access if settings.authenticates else None
    models = (request_model, plans_model, outcome_model)
    app.openapi = describe_with(app, *models, amend=amend)  # type: ignore[method-assign]  # FastAPI's own way
    return app


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = _SENTENCES.get(error.status_code, "the request cannot be answered")
    return refuse(request.scope, ProblemError(error.status_code, detail, headers=error.headers))

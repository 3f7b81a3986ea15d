"""The routes of the page. Everything works without a script; the script only spares waiting and typing."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json
from starlette.responses import FileResponse, RedirectResponse

from models.plan_scorer import PlanScorer
from serving.access.csrf import CSRF_FIELD, csrf_token
from serving.access.sessions import NOBODY_YET
from serving.answers import standing_notices
from serving.page.answer import view_answer
from serving.page.examples import load_examples
from serving.page.form import make_form
from serving.page.rendering import STATIC, make_page, read_asset
from serving.page.reports import REPORT_POLICY, find_report
from serving.page.submission import PSEUDONYM, read_fields, to_fields, translate
from serving.plan_requests import check_plan, plans_allowed
from serving.problems import FieldProblem, ProblemError
from serving.reading import read_request
from serving.records.recording import record, recorder_of
from serving.routes.direct import DirectRoute
from serving.routes.model import describe_model
from serving.routes.plans import compare_asked
from serving.routes.predict import predict_asked
from serving.state import served_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from features.screening import CohortScreen
    from serving.access.sessions import Session
    from serving.loading import Served
    from serving.page.examples import Example
    from serving.page.submission import Submission
    from serving.plan_requests import PlansRequest
    from serving.schemas import PredictRequest

__all__ = ["page_router"]


def page_router(
    served: Served,
    screen: CohortScreen,
    predict_model: type[PredictRequest],
    plans_model: type[PlansRequest],
    reports: Path | None = None,
) -> APIRouter:
    """Make the routes of the page.

    Parameters
    ----------
    served : Served
    screen : CohortScreen
        Of its cohort.
    predict_model : type of PredictRequest
    plans_model : type of PlansRequest
        The very models that validate the API's requests.
    reports : Path, optional
        Folder of reports.

    Returns
    -------
    APIRouter
        Left out of the API's description: it answers people.
    """
    page = _Page(served, screen, predict_model, plans_model, reports)
    router = APIRouter(include_in_schema=False, route_class=DirectRoute)
    router.add_api_route("/", page.form, methods=["GET"])
    router.add_api_route("/answer", page.answer, methods=["POST"])
    router.add_api_route("/answer", _back, methods=["GET"])
    router.add_api_route("/about", page.about, methods=["GET"])
    router.add_api_route("/report", page.report, methods=["GET"])
    for name in page.examples:  # a route each: a name from outside never reaches a look-up
        router.add_api_route(f"/examples/{name}", page.example(name), methods=["GET"])
        router.add_api_route(f"/examples/{name}/answer", page.example_answer(name), methods=["GET"])
    for name in STATIC:
        router.add_api_route(f"/static/{name}", _serve(name), methods=["GET"])
    return router


def _is_signed_in(request: Request) -> bool:
    """Whether there is somebody to sign out: nobody signs in where the service asks nobody who they are."""
    session: Session | None = getattr(request.state, "session", None)
    return session is not None and session.key_id != NOBODY_YET


async def _back(_: Request) -> Response:
    """An answer has no address of its own: an address would hold, or ask the server to keep, a patient."""
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


def _serve(name: str) -> Callable[[Request], Any]:
    async def asset(_: Request) -> Response:
        found = read_asset(name)
        return Response(found.content, media_type=found.media_type)

    return asset


class _Page:
    """The pages of one version."""

    def __init__(
        self,
        served: Served,
        screen: CohortScreen,
        predict_model: type[PredictRequest],
        plans_model: type[PlansRequest],
        reports: Path | None,
    ) -> None:
        self._reports = reports
        self._screen = screen
        self._file = served.model.cohort_file
        self._predict_model = predict_model
        self._plans_model = plans_model
        self._scorer = None if served.model.plans is None else PlanScorer(served.model)
        self._form = make_form(self._file, screen)
        self.examples: Mapping[str, Example] = load_examples(self._file, predict_model)

    async def form(self, request: Request) -> Response:
        """The empty form."""
        return self._show(request, {})

    async def about(self, request: Request) -> Response:
        """What answers: model, outcome, plans, and where its report is."""
        try:
            served = served_by(request)
        except ProblemError as problem:
            return self._fail(request, problem)
        found = find_report(self._reports, served) is not None
        values = {"model": describe_model(served), "report": found}
        return make_page("about.html.j2", self._values(request, {}, {}) | values)

    async def report(self, request: Request) -> Response:
        """The report of the version that answers."""
        try:
            served = served_by(request)
        except ProblemError as problem:
            return self._fail(request, problem)
        path = find_report(self._reports, served)
        if path is None:
            return self._fail(request, ProblemError(404, "there is no report of the version that answers"))
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    def example(self, name: str) -> Callable[[Request], Any]:
        """Make the form, filled with an example."""
        sent = to_fields(self._form, self.examples[name].request)

        async def filled(request: Request) -> Response:
            return self._show(request, sent)

        return filled

    def example_answer(self, name: str) -> Callable[[Request], Any]:
        """Make the answer to an example, in one step."""
        sent = to_fields(self._form, self.examples[name].request)

        async def answered(request: Request) -> Response:
            return await self._answer(request, sent)

        return answered

    async def answer(self, request: Request) -> Response:
        """Predict, compare, and show both; or the form again with what is wrong in it."""
        try:
            sent = read_fields(request.headers.get("content-type"), await request.body())
        except ProblemError as problem:
            return self._fail(request, problem)
        sent.pop(CSRF_FIELD, None)
        return await self._answer(request, sent)

    async def _answer(self, request: Request, sent: Mapping[str, str]) -> Response:
        try:
            served = served_by(request)
            asked, comparison, problems = self._read(translate(self._form, sent))
            if problems or asked is None:
                return self._show(request, sent, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
            patient = sent.get(PSEUDONYM)
            prediction = predict_asked(served, asked, self._screen)
            await record(request.state, "predict", asked, prediction, surface="page", patient=patient)
            plans = None
            if self._scorer is not None and comparison is not None:
                plans = compare_asked(served, self._scorer, comparison, self._screen)
                await record(request.state, "plans", comparison, plans, surface="page", patient=patient)
        except ProblemError as problem:
            return self._fail(request, problem, sent)
        view = view_answer(served, self._form, sent, prediction, plans)
        return make_page("answer.html.j2", self._values(request, sent, {}) | {"answer": view})

    def _read(
        self, submission: Submission
    ) -> tuple[PredictRequest | None, PlansRequest | None, list[FieldProblem]]:
        """Check both requests as the API would; every problem once."""
        asked, comparison = None, None
        problems = list(submission.problems)
        try:
            asked = read_request(to_json(submission.predict), self._predict_model, self._file)
        except ProblemError as problem:
            problems += problem.errors
        if self._scorer is not None:
            allowed = plans_allowed(self._file)
            try:
                comparison = read_request(to_json(submission.plans), self._plans_model, self._file, allowed)
                check_plan(self._file, comparison)
            except ProblemError as problem:
                problems += problem.errors
        first: dict[str, FieldProblem] = {}
        for found in problems:
            first.setdefault(found.field, found)
        return asked, comparison, list(first.values())

    def _show(
        self,
        request: Request,
        sent: Mapping[str, str],
        problems: list[FieldProblem] | None = None,
        status: int = HTTPStatus.OK,
    ) -> Response:
        wrong = {problem.field: problem.detail for problem in problems or ()}
        return make_page("form.html.j2", self._values(request, sent, wrong), status)

    def _fail(
        self, request: Request, problem: ProblemError, sent: Mapping[str, str] | None = None
    ) -> Response:
        """Say that there is no answer, and keep what was typed."""
        values = self._values(request, sent or {}, {}) | {"problem": problem}
        response = make_page("failed.html.j2", values, problem.status)
        response.headers.update(problem.headers or {})
        return response

    def _values(self, request: Request, sent: Mapping[str, str], wrong: Mapping[str, str]) -> dict[str, Any]:
        return {
            "cohort": self._file,
            "simulated": standing_notices(self._file.provenance),
            "form": self._form,
            "sent": sent,
            "wrong": wrong,
            "examples": tuple(self.examples.values()),
            "csrf_field": CSRF_FIELD,
            "csrf_token": csrf_token(request),
            "recorded": recorder_of(request.state) is not None,
            "signed_in": _is_signed_in(request),
        }

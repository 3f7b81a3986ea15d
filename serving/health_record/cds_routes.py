"""CDS Hooks 2.0: discovery, the two services, and feedback."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from serving.health_record.cards import make_card
from serving.health_record.cds_requests import CdsRequest, FeedbackRequest, read_cds
from serving.health_record.extracting import extract
from serving.health_record.orders import plans_ordered
from serving.health_record.outcomes import answering_outcomes
from serving.health_record.predicting import Asking
from serving.health_record.prefetch import make_templates, read_prefetch, selected_orders
from serving.problems import ProblemError
from serving.reading import check_content_type
from serving.records.recording import attach, recorder_of
from serving.routes.direct import DirectRoute
from serving.state import served_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.health_record.cds_requests import Feedback
    from serving.health_record.clients import CdsClients
    from serving.health_record.predicting import Predictor

__all__ = ["cds_router"]

_JSON: Final = "application/json"
_STANDARD: Final = "2.0.0"


@dataclass(frozen=True, slots=True)
class _Service:
    id: str
    hook: str
    hook_version: str
    title: str
    description: str


_SERVICES: Final = (
    _Service(
        "response-prediction",
        "patient-view",
        "1.1",
        "Likelihood of response to treatment",
        "Likelihood of response and remission on the usual plan, with interval, from what the record holds; "
        "danger signs first.",
    ),
    _Service(
        "order-response",
        "order-select",
        "1.0",
        "Likelihood of response to the selected treatment",
        "Likelihood of response and remission on the plan that a selected draft order means, with interval; "
        "danger signs and contraindications first.",
    ),
)
_BY_ID: Final = {service.id: service for service in _SERVICES}


def cds_router(predictor: Predictor | None, clients: CdsClients | None, public_url: str | None) -> APIRouter:
    """Make the routes of CDS Hooks.

    They stay out of the OpenAPI document: their bodies are the standard's, and discovery describes them.

    Parameters
    ----------
    predictor : Predictor or None
        None where no mapping says how to read a health record: then there are no services.
    clients : CdsClients or None
        Who may call; None: callers are authenticated as those of every other route.
    public_url : str or None

    Returns
    -------
    APIRouter
    """
    router = APIRouter(route_class=DirectRoute, include_in_schema=False)
    listed = () if predictor is None else _SERVICES
    link = f"{public_url}/v1/model" if (public_url or "").startswith("https://") else None

    async def admit(request: Request) -> None:
        if clients is not None:
            await clients.admit(request)

    def find(request: Request) -> tuple[Predictor, _Service]:
        service = _BY_ID.get(request.path_params["service"])
        if predictor is None or service is None:
            raise ProblemError(404, "there is no such service; GET /cds-services lists what there is")
        return predictor, service

    @router.get("/cds-services")
    @answering_outcomes(_JSON)
    async def discover(request: Request) -> Response:
        await admit(request)
        services = [] if predictor is None else [_describe(service, predictor) for service in listed]
        return _answer({"services": services})

    @router.post("/cds-services/{service}")
    @answering_outcomes(_JSON)
    async def call(request: Request) -> Response:
        await admit(request)
        asks, service = find(request)
        check_content_type(request.headers.get("content-type"))
        asked = read_cds(await request.body(), CdsRequest)
        if asked.hook != service.hook:
            raise ProblemError(422, f"this service answers the hook {service.hook} only")
        return _answer({"cards": await _cards(request, asks, asked, link)})

    @router.post("/cds-services/{service}/feedback")
    @answering_outcomes(_JSON)
    async def take_feedback(request: Request) -> Response:
        await admit(request)
        _, service = find(request)
        check_content_type(request.headers.get("content-type"))
        asked = read_cds(await request.body(), FeedbackRequest)
        for feedback in asked.feedback:
            # Whether there is such a card is not said: who guesses ids learns nothing.
            if name := _prediction_of(feedback.card):
                await attach(request.state, "feedback", name, _kept(request, service, feedback))
        return Response(status_code=200)

    return router


async def _cards(
    request: Request, asks: Predictor, asked: CdsRequest, link: str | None
) -> list[dict[str, Any]]:
    """One card for the usual plan, or for each plan that is ordered; a danger sign even if none is."""
    served, now = served_by(request), datetime.now(UTC)
    wanted: list[str | None] = [asks.mapping.plan]
    if asked.hook == "order-select":
        wanted = [*plans_ordered(asks.mapping, selected_orders(asked))]
    record = read_prefetch(asked)
    extracted = extract(asks.mapping, served.scorer.cohort_file, record, now)
    asking = Asking(request.state, served, "cds", now)
    context = asked.context
    encounter = None if context.encounterId is None else f"Encounter/{context.encounterId}"
    plans = asks.plans_for(wanted, extracted)
    return [make_card(await asks.predict(asking, record, extracted, plan), encounter, link) for plan in plans]


def _kept(request: Request, service: _Service, feedback: Feedback) -> Mapping[str, Any]:
    """What is stored: a clinician's own words only where inputs are stored too."""
    content = {"service": service.id, **feedback.model_dump(mode="json", exclude_none=True)}
    recorder = recorder_of(request.state)
    if recorder is not None and not recorder.keeps_inputs and "overrideReason" in content:
        content["overrideReason"].pop("userComment", None)
    return content


def _prediction_of(card: str) -> str | None:
    """The prediction's id, which a card has too; None for what no card of ours is called."""
    try:
        return str(UUID(card))
    except ValueError:
        return None


def _describe(service: _Service, predictor: Predictor) -> dict[str, Any]:
    return {
        "id": service.id,
        "hook": service.hook,
        "title": service.title,
        "description": service.description,
        "version": _STANDARD,
        "hookVersion": service.hook_version,
        "usageRequirements": "Reads prefetch only; without `patient` it answers 412. What is not sent is "
        "missing, and named on the card.",
        "prefetch": make_templates(predictor.mapping),
    }


def _answer(body: Mapping[str, Any]) -> Response:
    return Response(to_json(body), media_type=_JSON)

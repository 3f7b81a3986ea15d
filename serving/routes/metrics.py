"""Figures for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

__all__ = ["router"]

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    summary="Figures of the running service",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_PLAIN_0_0_4: {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Latency, predictions by version and verdict, missing inputs and refusals, of all workers together.

    In Prometheus' text format. No label holds a value of a patient.
    """
    state = request.state
    served = getattr(state, "served", None)
    following = getattr(state, "following", None)
    text = await asyncio.to_thread(state.metrics.write, served, following)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

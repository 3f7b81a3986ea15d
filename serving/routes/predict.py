"""Predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json

from serving.answers import Prediction, describe_prediction
from serving.openapi import json_body, problems
from serving.reading import check_content_type, read_request
from serving.schemas import encode_request
from serving.state import served_by

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from serving.schemas import PredictRequest

__all__ = ["predict_router"]


class _DirectRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response: FastAPI has nothing to solve.

    Dependencies would cost a tenth of a prediction; the route stays in the OpenAPI document.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """Give the endpoint itself."""
        endpoint: Callable[[Request], Coroutine[None, None, Response]] = self.endpoint
        return endpoint


def predict_router(model: type[PredictRequest]) -> APIRouter:
    """Make the route that predicts.

    Parameters
    ----------
    model : type of PredictRequest
        Of the served model's cohort.

    Returns
    -------
    APIRouter
    """
    router = APIRouter(tags=["prediction"], route_class=_DirectRoute)

    # The body is read from the request itself and validated straight from its bytes, once. `async`,
    # because the work takes less time than handing it to a thread would.
    @router.post(
        "/v1/predict",
        summary="Predict one patient on one plan",
        responses={200: {"model": Prediction}, **problems(400, 413, 415, 422, 500, 503)},
        openapi_extra=json_body(model),
    )
    async def predict(request: Request) -> Response:
        """Likelihood of response and remission, with interval, verdict and what they rest on."""
        served = served_by(request)
        check_content_type(request.headers.get("content-type"))
        cohort_file = served.scorer.cohort_file
        asked = read_request(await request.body(), model, cohort_file)
        answer = served.scorer.answer(encode_request(cohort_file, asked), drivers=asked.drivers)
        return Response(
            to_json(describe_prediction(served, asked.plan, answer)), media_type="application/json"
        )

    return router

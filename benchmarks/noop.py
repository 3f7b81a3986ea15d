"""The floor of the benchmark `serving`: an ordinary FastAPI route that validates the same body, and no more.

No `from __future__ import annotations` here: FastAPI reads the types of a route as they are.
"""

from fastapi import FastAPI

from benchmarks.simulated import cohort_file
from serving.schemas import make_request_model


def create_app() -> FastAPI:
    """Make the application, for `uvicorn --factory`."""
    body = make_request_model(cohort_file())
    app = FastAPI()

    @app.post("/v1/predict")
    async def noop(request: body) -> dict[str, str]:  # type: ignore[valid-type]  # a model made at run time
        return {}

    return app

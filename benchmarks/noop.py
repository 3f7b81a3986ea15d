"""The floor of the benchmark `serving`: an ordinary FastAPI route that validates the same body, and no more.

No `from __future__ import annotations` here: FastAPI reads the types of a route as they are.
"""

from importlib.resources import files

from fastapi import FastAPI

from features.cohort_file import parse_cohort_file
from serving.schemas import make_request_model


def create_app() -> FastAPI:
    """Make the application, for `uvicorn --factory`."""
    source = files("features") / "cohorts" / "ketamine_trd.toml"
    body = make_request_model(parse_cohort_file(source.read_text(encoding="utf-8"), source.name))
    app = FastAPI()

    @app.post("/v1/predict")
    async def noop(request: body) -> dict[str, str]:  # type: ignore[valid-type]  # noqa: ARG001
        return {}

    return app

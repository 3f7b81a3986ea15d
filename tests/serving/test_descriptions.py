import re
from typing import Any

from fastapi.testclient import TestClient

from serving.answers import SIMULATED
from serving.loading import Served


def test_model_says_what_it_is(client: TestClient, served: Served) -> None:
    model = client.get("/v1/model").json()
    assert model["digest"] == served.digest
    assert len(model["digest"]) == 64
    assert (model["name"], model["version"], model["provenance"]) == ("ketamine-trd", "local", "simulated")
    assert (model["landmark"], model["level"]) == ("baseline", 0.9)
    assert model["reference_plan"] == "oral_antidepressant"
    assert model["plans"]["iv_ketamine"] == "IV ketamine 0.5 mg/kg, 6 infusions in 3 weeks"
    assert model["outcome"]["scale"] == "MADRS"
    assert model["outcome"]["remission_at_most"] == 10
    assert model["candidates"] == {"response": "ridge", "remission": "ridge"}
    assert model["notices"] == [SIMULATED]


def test_schema_describes_each_baseline_predictor_and_no_other(client: TestClient, served: Served) -> None:
    schema = client.get("/v1/schema").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [p.name for p in served.scorer.cohort_file.baseline_predictors]
    age = schema["properties"]["age"]
    assert (age["title"], age["x-unit"], age["x-kind"]) == ("Age", "years", "number")
    assert {"type": "number", "minimum": 18, "maximum": 100} in age["anyOf"]
    assert {"type": "string", "enum": ["female", "male"]} in schema["properties"]["sex"]["anyOf"]
    levels = schema["properties"]["childhood_trauma_domains"]["anyOf"][0]["enum"]
    assert levels == ["0", "1", "2", "3", "4", "5", 0, 1, 2, 3, 4, 5]


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*(references(value) for value in part.values()))
    return set().union(*(references(value) for value in part)) if isinstance(part, list) else set()


def test_api_document_is_whole(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    used = references(document)
    assert used
    assert {reference.removeprefix("#/components/schemas/") for reference in used} <= set(schemas)
    predict = document["paths"]["/v1/predict"]["post"]
    assert set(predict["responses"]) == {"200", "400", "413", "415", "422", "500", "503"}
    assert predict["requestBody"]["required"] is True
    # The schema of a patient is the same in both places.
    patient = client.get("/v1/schema").json()
    assert schemas["Patient"]["properties"] == patient["properties"]


def test_no_page_loads_scripts_from_a_public_address(client: TestClient) -> None:
    # FastAPI's own pages do; ours at /docs has no script, and loads its style from the service itself.
    assert client.get("/redoc").status_code == 404
    page = client.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text) == []


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "up"}
    ready = client.get("/readyz").json()
    model = {"model": "ketamine-trd", "version": "local"}
    assert ready == {"status": "ready", "refused": None, "registry": None} | model

"""The API's description as a page."""

import re
from html import unescape
from html.parser import HTMLParser

from fastapi import FastAPI
from starlette.testclient import TestClient

from serving.api_docs.routes import docs_router
from serving.api_docs.view import list_operations, list_shapes


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.wanted: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.anchors |= {str(found["id"])} if "id" in found else set()
        self.wanted += [str(found[name]) for name in ("href", "src") if name in found]
        assert "style" not in found


def test_page_shows_every_operation_and_loads_nothing_from_outside(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = Links()
    links.feed(page.text)
    outside = [link for link in links.wanted if not link.startswith("#")]
    assert set(outside) == {"/static/docs.css", "/static/icon.svg", "/openapi.json"}
    assert client.get("/static/docs.css").headers["content-type"].startswith("text/css")
    # Every reference leads somewhere on the page.
    assert {link[1:] for link in links.wanted if link.startswith("#")} <= links.anchors
    assert links.tags.isdisjoint({"script", "style", "iframe"})
    text = unescape(re.sub(r"<[^>]+>", "", page.text))
    shown = re.findall(r"\b(GET|POST) (/\S*)", text)
    known = [(o.method, o.path) for o in list_operations(document)]
    assert ("POST", "/v1/predict") in known
    assert set(known) <= set(shown)


def test_fields_are_said_with_unit_range_and_levels(client: TestClient) -> None:
    shapes = list_shapes(client.get("/openapi.json").json())
    patient = {field.name: field for field in shapes["Patient"]}
    assert patient["age"].shape.text == "number from 18 to 100 or null, in years"
    assert patient["sex"].shape.text == '"female" | "male" or null'
    prediction = {field.name: field for field in shapes["Prediction"]}
    assert [len(field.shape.refers) for field in (prediction["model"], prediction["safety"])] == [1, 1]
    assert prediction["prediction_id"].required


def test_what_a_description_says_is_text() -> None:
    app = FastAPI(docs_url=None)

    @app.get("/a", summary="<b>bold</b>")
    async def named() -> None:
        """Say <script>alert(1)</script> and `<i>`."""

    app.include_router(docs_router(app))
    page = TestClient(app).get("/docs").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<p>Say &lt;script&gt;alert(1)&lt;/script&gt; and <code>&lt;i&gt;</code>.</p>" in page

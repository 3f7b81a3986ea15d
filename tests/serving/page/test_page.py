"""The page over HTTP, without a script: safety first, the API's own numbers, and nothing from outside."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from serving.answers import SIMULATED
from serving.loading import Served
from serving.page.rendering import STATIC
from serving.records.migrating import prepare_records
from tests.serving.page.conftest import browse
from tests.serving.page.reading_html import Page

PATIENT = {"/patient/age": "46", "/patient/sex": "female", "/patient/madrs_baseline": "34"}
ASKED = PATIENT | {"/plan": "iv_ketamine"}
EXAMPLES = ("typical", "in_treatment", "contraindication", "danger_sign", "little_known")
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBERS = re.compile(r"of 100|points of|interval \d")


def post(client: TestClient, sent: dict[str, str]) -> Response:
    token = Page(client.get("/").text).fields.get("csrf_token")
    fields = sent | ({} if token is None else {"csrf_token": token})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1"}
    return client.post("/answer", content=urlencode(fields), headers=headers)


def test_form_answers_and_starts_with_everything_unknown(page: TestClient) -> None:
    response = page.get("/")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    fields = {name: value for name, value in Page(response.text).fields.items() if name != "csrf_token"}
    assert len(fields) > 80
    assert set(fields.values()) == {""}


@pytest.mark.parametrize(
    "path", ["/", "/about", "/examples/typical", *(f"/examples/{n}/answer" for n in EXAMPLES)]
)
def test_every_page_says_it_is_simulated_and_asks_nothing_from_outside(page: TestClient, path: str) -> None:
    response = page.get(path)
    assert response.status_code == 200, response.text
    found = Page(response.text)
    assert SIMULATED in found.text
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in found.addresses)
    assert found.inline == []  # the content policy would block it
    assert len(set(found.ids)) == len(found.ids)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy


def test_answer_shows_the_numbers_of_the_api_with_their_intervals(page: TestClient) -> None:
    asked = {"patient": {"age": 46, "sex": "female", "madrs_baseline": 34}, "safety": {}}
    api = page.post("/v1/predict", json={**asked, "plan": "iv_ketamine"}).json()
    text = Page(post(page, ASKED).text).text
    for outcome in ("response", "remission"):
        p, (low, high) = api[outcome]["probability"], api[outcome]["interval"]
        assert f"{round(100 * p)} of 100 interval {round(100 * low)} to {round(100 * high)} of 100" in text
    for plan in page.post("/v1/plans", json=asked).json()["plans"]:
        count, low, high = (
            round(100 * p) for p in (plan["response"]["probability"], *plan["response"]["interval"])
        )
        said = f"Response {count} of 100 ({low} to {high})"
        assert plan["label"] in text
        assert said in text


def test_answer_names_version_provenance_and_both_predictions(page: TestClient) -> None:
    text = Page(post(page, ASKED).text).text
    assert "ketamine-trd, version local" in text
    assert "simulated" in text
    assert len(set(IDS.findall(text))) == 2


def test_unanswered_danger_questions_stand_before_the_likelihood(page: TestClient) -> None:
    text = Page(post(page, ASKED).text).text
    assert 0 < text.index("5 of 5 danger-sign questions are not answered") < text.index("Likelihood")
    assert "none is positive" not in text


def test_all_clear_is_said_only_when_every_danger_question_was_answered(page: TestClient) -> None:
    safe = {
        "/safety/suicidal_plan_or_intent": "false", "/safety/recent_suicide_attempt": "false",
        "/safety/cssrs_ideation": "0", "/safety/madrs_item_10": "0", "/safety/phq9_item_9": "0",
    }  # fmt: skip
    assert "All danger-sign questions are answered, and none is positive." in post(page, ASKED | safe).text


@pytest.mark.parametrize(
    "danger",
    [
        {"/safety/suicidal_plan_or_intent": "true"},
        {"/safety/cssrs_ideation": "4"},
        {"/patient/madrs_baseline#10": "6"},  # told by an item alone
    ],
)
def test_danger_sign_stands_alone_without_any_number(page: TestClient, danger: dict[str, str]) -> None:
    response = post(page, ASKED | danger)
    assert response.status_code == 200
    shown = response.text.split("What was entered")[0]
    text = Page(shown).text
    assert "Danger sign: act now" in text
    assert 'role="alert"' in shown
    assert not NUMBERS.search(text)
    assert '<svg class="people"' not in shown


def test_contraindicated_plan_has_no_number_and_the_others_stay(page: TestClient) -> None:
    sent = ASKED | {"/safety/aneurysmal_vascular_disease": "true"}
    text = Page(post(page, sent).text).text
    assert text.index("This plan is not offered") < text.index("Plans side by side")
    assert "Likelihood, with interval" in text
    assert "What moves the prediction" not in text
    assert text.count("Not offered.") == 4
    assert "Change of oral antidepressant only reference" in text


def test_wrong_value_is_named_at_its_field_and_kept(page: TestClient) -> None:
    response = post(page, ASKED | {"/patient/age": "460", "/start": "soon"})
    assert response.status_code == 422
    found = Page(response.text)
    assert "Nothing was predicted: 2 answers need a correction" in found.text
    assert "Age: must be a number from 18 to 100" in found.text
    assert found.fields["/patient/age"] == "460"
    assert found.fields["/patient/sex"] == "female"
    (field,) = [values for tag, values in found.tags if values.get("name") == "/patient/age"]
    assert field["aria-invalid"] == "true"
    assert (field["aria-describedby"] or "").split()[-1] in found.ids


def test_missing_plan_is_asked_for(page: TestClient) -> None:
    response = post(page, PATIENT)
    assert response.status_code == 422
    assert "Plan: choose a plan" in Page(response.text).text


def test_answer_keeps_the_form_filled_for_another_try(page: TestClient) -> None:
    fields = Page(post(page, ASKED).text).fields
    assert {name: fields[name] for name in ASKED} == ASKED


def test_text_typed_is_never_markup(page: TestClient) -> None:
    response = post(page, ASKED | {"/patient/age": '"><script>alert(1)</script>'})
    assert "<script>alert" not in response.text
    assert Page(response.text).inline == []


def test_answer_has_no_address_of_its_own(page: TestClient) -> None:
    response = page.get("/answer", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_fills_the_form(page: TestClient, name: str) -> None:
    fields = Page(page.get(f"/examples/{name}").text).fields
    assert sum(bool(value) for value in fields.values()) >= 4
    assert post(page, {k: v for k, v in fields.items() if k != "csrf_token"}).status_code == 200


def test_course_of_treatment_is_told_beside_where_it_began(page: TestClient) -> None:
    text = Page(page.get("/examples/in_treatment/answer").text).text
    assert "Predicted from day 1 : if the series goes on," in text
    assert "From before treatment it was" in text


@pytest.mark.parametrize("name", STATIC)
def test_files_of_the_page_are_served_with_their_type(page: TestClient, name: str) -> None:
    response = page.get(f"/static/{name}")
    assert (response.status_code, response.headers["content-type"]) == (200, STATIC[name])


@pytest.mark.parametrize(
    "path", ["/static/../routes.py", "/static/%2e%2e/routes.py", "/static/other.css", "/examples/nobody"]
)
def test_other_names_are_not_there(page: TestClient, path: str) -> None:
    assert page.get(path).status_code == 404


def test_script_stores_nothing_and_calls_nobody_else(page: TestClient) -> None:
    script = page.get("/static/page.js").text
    for word in (
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "sendBeacon",
        "http://",
        "https://",
    ):
        assert word not in script


def test_pages_stay_out_of_the_description_of_the_api(page: TestClient) -> None:
    assert not {"/", "/answer", "/about"} & set(page.get("/openapi.json").json()["paths"])


def test_model_without_plans_has_a_page_too(planless: Served) -> None:
    with browse(planless) as client:
        assert "Plan to predict for" not in client.get("/").text
        response = post(client, {"/patient/madrs_baseline": "30", "/patient/copy~1json~01": "true"})
        assert response.status_code == 200, response.text
        text = Page(response.text).text
    assert "Likelihood" in text
    assert "Plans side by side" not in text
    assert SIMULATED not in text  # observational patients
    assert re.search(r"\d+ of 100 interval \d+ to \d+ of 100", text)


def test_report_of_the_answering_version_is_linked_and_no_other(care: Served, tmp_path: Path) -> None:
    other = tmp_path / "ketamine-trd" / "4"
    other.mkdir(parents=True)
    (other / "report.html").write_text("<!doctype html><title>of version 4</title>", encoding="utf-8")
    with browse(care, reports=tmp_path) as client:
        assert "/report" not in Page(client.get("/about").text).addresses
        assert client.get("/report").status_code == 404
        own = tmp_path / "ketamine-trd" / "local"
        own.mkdir()
        (own / "report.html").write_text("<!doctype html><title>of this one</title>", encoding="utf-8")
        assert "/report" in Page(client.get("/about").text).addresses
        report = client.get("/report")
    assert (report.status_code, "of this one" in report.text) == (200, True)
    assert "script" not in report.headers["content-security-policy"]


def test_every_answer_of_the_page_is_recorded_under_the_ids_that_it_shows(
    care: Served, tmp_path: Path
) -> None:
    address, key = f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path / "records.key"
    prepare_records(address, key)
    with browse(care, records=address, records_key=key) as client:
        shown = set(IDS.findall(post(client, ASKED | {"/pseudonym": "ward-3:17"}).text))
        refused = post(client, ASKED | {"/pseudonym": "Jane Doe, 1 May"})
        assert "Pseudonym of the patient: must be 1 to 100 letters" in Page(refused.text).text
        assert post(client, PATIENT).status_code == 422
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        stored = set(connection.execute("select id, surface from predictions"))
        hashes = {row[0] for row in connection.execute("select pseudonym from predictions")}
    assert (len(shown), stored) == (2, {(shown_id, "page") for shown_id in shown})
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64  # a keyed hash, not what was typed


def test_answer_that_cannot_be_recorded_is_not_shown_and_nothing_typed_is_lost(
    care: Served, tmp_path: Path
) -> None:
    address, key = f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path / "records.key"
    prepare_records(address, key)
    with browse(care, records=address, records_key=key) as client:
        with closing(sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)) as connection:
            connection.execute("drop table predictions")
        response = post(client, ASKED)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    found = Page(response.text)
    assert "Nothing was predicted: the records cannot be written" in found.text
    assert not NUMBERS.search(found.text)
    assert {name: found.fields[name] for name in ASKED} == ASKED

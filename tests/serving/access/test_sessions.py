"""The page's session: signing in and out, and forms of other sites."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.access.api_keys import revoke_key
from serving.access.key_file import KeyFile
from serving.access.sessions import Session, Sessions
from tests.serving.access.conftest import Serve

HTML = {"Accept": "text/html,application/xhtml+xml"}


def token_in(page: str) -> str:
    [token] = set(re.findall(r'name="csrf_token" value="([^"]+)"', page))
    return unescape(token)


def sign_in(client: TestClient, key: str, wanted: str = "/") -> Any:
    token = token_in(client.get("/login", headers=HTML).text)
    return client.post("/login", data={"csrf_token": token, "key": key, "next": wanted})


def cookie_of(response: Any) -> Any:
    [morsel] = SimpleCookie(response.headers["set-cookie"]).values()
    return morsel


@pytest.fixture
def client(serve: Serve, key_file: KeyFile, clinician: str) -> TestClient:
    return serve(api_keys=key_file.path)


def test_browser_without_a_session_is_sent_to_sign_in_and_back(client: TestClient, clinician: str) -> None:
    sent = client.get("/v1/model", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/v1/model")
    assert 'name="next" value="/v1/model"' in client.get(sent.headers["location"], headers=HTML).text
    back = sign_in(client, clinician, "/v1/model")
    assert (back.status_code, back.headers["location"]) == (303, "/v1/model")
    assert client.get("/v1/model", headers=HTML).status_code == 200
    assert client.get("/metrics", headers=HTML).status_code == 403


def test_path_that_may_hold_anything_does_not_stand_in_the_address_of_signing_in(client: TestClient) -> None:
    sent = client.get("/v1/patients/Jones-4711?name=Jones", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/")


def test_cookie_is_out_of_reach_for_scripts_and_other_sites(client: TestClient, clinician: str) -> None:
    cookie = cookie_of(sign_in(client, clinician))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie.key) == (
        True,
        "Lax",
        "/",
        "session",
    )
    assert clinician not in cookie.value


def test_cookie_of_a_service_with_https_stays_with_https(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    client = serve("https://clinic.example", api_keys=key_file.path, public_url="https://clinic.example")
    answer = sign_in(client, clinician)
    assert (cookie_of(answer).key, cookie_of(answer)["secure"]) == ("__Host-session", True)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_session_from_before_signing_in_is_not_the_one_after(client: TestClient, clinician: str) -> None:
    # Otherwise whoever planted the first would be signed in too (session fixation).
    before = cookie_of(client.get("/login", headers=HTML)).value.split(".")[2]
    assert cookie_of(sign_in(client, clinician)).value.split(".")[2] != before


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", ""],
)
def test_nobody_is_sent_elsewhere_after_signing_in(client: TestClient, clinician: str, wanted: str) -> None:
    answer = sign_in(client, clinician, wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "x" not in answer.headers


def test_wrong_key_is_said_on_the_page_and_never_shown(client: TestClient) -> None:
    wrong = "trk_0123456789ab_" + "<b>" * 14 + "x"
    refused = sign_in(client, wrong)
    assert refused.status_code == 401
    assert "this is no API key of this service" in refused.text
    assert "<b>" not in refused.text
    assert "set-cookie" not in refused.headers


def test_guessing_is_slowed_down_and_those_with_a_key_are_not(client: TestClient, clinician: str) -> None:
    statuses = [client.get("/v1/model", headers={"Authorization": "Bearer x"}).status_code for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert client.get("/v1/model", headers={"Authorization": f"Bearer {clinician}"}).status_code == 200


def test_signing_out_ends_the_session_wherever_its_cookie_is(client: TestClient, clinician: str) -> None:
    cookie = cookie_of(sign_in(client, clinician)).value
    refused = client.post("/logout", headers=HTML)
    assert refused.status_code == 403  # another site's form could sign a clinician out
    token = token_of(client)
    assert client.post("/logout", headers={"X-CSRF-Token": token}).status_code == 303
    assert client.get("/v1/model").status_code == 401
    assert client.get("/v1/model", headers={"Cookie": f"session={cookie}"}).status_code == 401


def token_of(client: TestClient) -> str:
    """The token of the client's session, as a form of the page has it."""
    return token_in(client.get("/", headers=HTML).text)


def test_session_ends_with_its_key(client: TestClient, key_file: KeyFile, clinician: str) -> None:
    sign_in(client, clinician)
    assert client.get("/v1/model").status_code == 200
    revoke_key(key_file, clinician[4:16])
    assert client.get("/v1/model").status_code == 401


def test_request_of_a_session_needs_the_token_of_that_session(
    client: TestClient, clinician: str, request_body: dict[str, Any]
) -> None:
    sign_in(client, clinician)
    token = token_of(client)
    sent = {
        name: client.post("/v1/predict", json=request_body, headers=headers).status_code
        for name, headers in {
            "none": {},
            "wrong": {"X-CSRF-Token": token[:-1] + ("A" if token[-1] != "A" else "B")},
            "empty": {"X-CSRF-Token": ""},
            "right": {"X-CSRF-Token": token},
        }.items()
    }
    assert sent == {"none": 403, "wrong": 403, "empty": 403, "right": 200}
    # A token of another session is worth nothing.
    client.cookies.clear()
    sign_in(client, clinician)
    assert client.post("/v1/predict", json=request_body, headers={"X-CSRF-Token": token}).status_code == 403


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_form_of_another_site_is_refused_without_authentication_too(serve: Serve, kind: str) -> None:
    client = serve()
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    refused = client.post("/answer", content=b"age=46", headers={"Content-Type": kind})
    assert refused.status_code == 403
    shown = client.post("/answer", content=b"age=46", headers=HTML | {"Content-Type": kind})
    assert (shown.status_code, "open the page anew" in shown.text) == (403, True)


def test_form_of_our_page_arrives_whole(serve: Serve) -> None:
    client = serve()
    token = token_of(client)
    answer = client.post("/answer", data={"csrf_token": token}, headers=HTML)
    assert answer.status_code in (200, 422)


@pytest.fixture
def now() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def sessions(now: list[float]) -> Sessions:
    return Sessions(b"s" * 32, 600, lambda: now[0])


def tamper(part: int, value: str) -> Callable[[str], str]:
    def changed(cookie: str) -> str:
        parts = cookie.split(".")
        parts[part] = value
        return ".".join(parts)

    return changed


@pytest.mark.parametrize(
    "change",
    [
        tamper(0, "0123456789ac"),
        tamper(1, "99999999999"),
        tamper(2, "A" * 22),
        tamper(3, "A" * 43),
        str.upper,
    ],
)
def test_changed_cookie_is_nobodys(sessions: Sessions, change: Callable[[str], str]) -> None:
    session = sessions.begin("0123456789ab")
    assert sessions.read(sessions.write(session)) == session
    assert sessions.read(change(sessions.write(session))) is None


def test_session_ends_when_it_is_not_used_and_is_renewed_when_it_is(
    sessions: Sessions, now: list[float]
) -> None:
    session = sessions.begin("0123456789ab")
    now[0] += 200
    assert sessions.renew(session) is None
    now[0] += 200
    renewed = sessions.renew(session)
    assert renewed == replace(session, expires=session.expires + 400)
    # The same forms go on being valid.
    assert sessions.csrf_token(renewed) == sessions.csrf_token(session)
    now[0] += 200
    assert sessions.read(sessions.write(session)) is None
    assert sessions.read(sessions.write(renewed)) == renewed


def test_another_services_cookie_is_nobodys(sessions: Sessions) -> None:
    other = Sessions(b"t" * 32, 600)
    assert sessions.read(other.write(Session("0123456789ab", int(time.time()) + 60, "n" * 22))) is None

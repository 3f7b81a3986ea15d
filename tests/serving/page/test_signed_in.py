"""The page where callers must say who they are: sign in, predict, sign out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from serving.access.api_keys import add_key
from serving.access.key_file import KeyFile
from serving.loading import Served
from tests.serving.page.conftest import browse
from tests.serving.page.reading_html import Page

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASKED = {"/plan": "iv_ketamine", "/patient/age": "46"}


def test_clinician_signs_in_predicts_and_signs_out(care: Served, tmp_path: Path) -> None:
    key_file = tmp_path / "keys.json"
    _, secret = add_key(KeyFile(key_file), "ward 3", ["clinician"], 90)
    with browse(care, api_keys=key_file) as client:
        login = client.get("/")
        assert login.url.path == "/login"
        fields = Page(login.text).fields | {"key": secret}
        page = client.post("/login", content=urlencode(fields), headers=FORM)
        assert page.url.path == "/"
        token = Page(page.text).fields["csrf_token"]

        forged = client.post("/answer", content=urlencode(ASKED), headers=FORM)
        assert forged.status_code == 403
        answer = client.post("/answer", content=urlencode(ASKED | {"csrf_token": token}), headers=FORM)
        assert answer.status_code == 200
        assert "Likelihood" in Page(answer.text).text
        assert Page(answer.text).fields["csrf_token"]  # ready for the next prediction

        client.post("/logout", content=urlencode({"csrf_token": token}), headers=FORM)
        again = client.post("/answer", content=urlencode(ASKED | {"csrf_token": token}), headers=FORM)
        assert "Likelihood" not in again.text


def test_nobody_is_offered_to_sign_out_who_never_signed_in(care: Served) -> None:
    with browse(care) as client:
        assert "Sign out" not in client.get("/").text

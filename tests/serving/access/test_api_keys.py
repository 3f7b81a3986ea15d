"""API keys: what they open, and when they no longer do."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serving.access.api_keys import add_key, revoke_key
from serving.access.errors import AccessError
from serving.access.key_file import KeyFile
from serving.commands import app
from tests.serving.access.conftest import Serve, bearer


def test_key_opens_what_its_role_may(serve: Serve, key_file: KeyFile, request_body: dict[str, Any]) -> None:
    keys = {role: add_key(key_file, role, [role], 1)[1] for role in ("clinician", "data-scientist", "ci")}
    client = serve(api_keys=key_file.path)
    opened = {
        role: (
            client.get("/v1/model", headers=bearer(key)).status_code,
            client.post("/v1/predict", json=request_body, headers=bearer(key)).status_code,
            client.get("/metrics", headers=bearer(key)).status_code,
            client.post("/v1/outcomes", json={}, headers=bearer(key)).status_code != 403,
        )
        for role, key in keys.items()
    }
    assert opened == {
        "clinician": (200, 200, 403, True),
        "data-scientist": (200, 200, 200, True),
        "ci": (200, 200, 200, False),
    }


@pytest.mark.parametrize(
    "path", ["/v1/model", "/v1/schema", "/openapi.json", "/metrics", "/nowhere", "//metrics"]
)
def test_nothing_but_probes_answers_without_a_key(
    serve: Serve, key_file: KeyFile, clinician: str, path: str
) -> None:
    client = serve(api_keys=key_file.path)
    refused = client.get(path)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (
        401,
        'Bearer realm="treatment-response"',
    )
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 200)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {key}",
        "Bearer {other}",
        "Bearer {key}x",
        "Bearer x{key}",
        "Bearer {key} {key}",
        "Bearer \xff",
    ],
)
def test_wrong_key_is_refused(serve: Serve, key_file: KeyFile, clinician: str, wrong: str) -> None:
    other = clinician[:-1] + ("A" if clinician[-1] != "A" else "B")
    stated = wrong.format(key=clinician, other=other).encode("latin-1")
    client = serve(api_keys=key_file.path)
    refused = client.get("/v1/model", headers={b"Authorization": stated})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert clinician not in refused.text


def test_two_authorization_headers_are_refused(serve: Serve, key_file: KeyFile, clinician: str) -> None:
    # A proxy and the service could each believe another one of them.
    client = serve(api_keys=key_file.path)
    both = [("Authorization", f"Bearer {clinician}"), ("Authorization", "Bearer x")]
    assert client.get("/v1/model", headers=both).status_code == 400


def test_key_may_be_sent_in_a_header_of_its_own(
    serve: Serve, key_file: KeyFile, clinician: str, request_body: dict[str, object]
) -> None:
    client, own = serve(api_keys=key_file.path), {"X-API-Key": clinician}
    assert client.post("/v1/predict", json=request_body, headers=own).status_code == 200
    assert client.get("/metrics", headers=own).status_code == 403  # the same scopes as anywhere
    wrong = client.get("/v1/model", headers={"X-API-Key": clinician + "x"})
    assert (wrong.status_code, clinician in wrong.text) == (401, False)
    assert wrong.headers["www-authenticate"].startswith("Bearer ")
    # A page that asks for HTML with a key is a program: it is told so, and not sent to sign in.
    as_page = {"X-API-Key": "x", "Accept": "text/html"}
    assert client.get("/v1/model", headers=as_page, follow_redirects=False).status_code == 401
    twice = [client.get("/v1/model", headers=own | bearer(clinician)).status_code for _ in range(25)]
    assert set(twice) == {401}  # refused, but nobody is guessing
    assert client.get("/v1/model", headers={"X-API-Key": "x"} | bearer(clinician)).status_code == 401
    assert client.get("/v1/model", headers=[*own.items(), ("X-API-Key", "x")]).status_code == 400


def test_failures_in_that_header_count_too(serve: Serve, key_file: KeyFile, clinician: str) -> None:
    client = serve(api_keys=key_file.path)
    statuses = [client.get("/v1/model", headers={"X-API-Key": "x"}).status_code for _ in range(22)]
    assert set(statuses) == {401, 429}


def test_expired_and_revoked_keys_are_refused_at_once(
    serve: Serve, key_file: KeyFile, clinician: str
) -> None:
    expiring, key = add_key(key_file, "short", ["clinician"], 1)
    client = serve(api_keys=key_file.path)
    assert client.get("/v1/model", headers=bearer(key)).status_code == 200
    with key_file.edit() as keys:
        keys[expiring.id] = replace(expiring, expires=int(time.time()) - 1)
    refused = client.get("/v1/model", headers=bearer(key))
    assert (refused.status_code, refused.json()["detail"]) == (401, "the API key has expired")
    # The service that runs notices without a restart.
    revoke_key(key_file, clinician[4:16])
    refused = client.get("/v1/model", headers=bearer(clinician))
    assert (refused.status_code, refused.json()["detail"]) == (401, "the API key has been revoked")


def test_key_with_fewer_scopes_than_its_role_may_do_no_more(
    serve: Serve, key_file: KeyFile, request_body: dict[str, Any]
) -> None:
    _, key = add_key(key_file, "reader", ["clinician"], 1, ["read"])
    client = serve(api_keys=key_file.path)
    assert client.get("/v1/schema", headers=bearer(key)).status_code == 200
    refused = client.post("/v1/predict", json=request_body, headers=bearer(key))
    assert refused.status_code == 403
    assert "needs the scope `predict`" in refused.json()["detail"]


def test_file_that_vanishes_or_breaks_lets_nobody_in(serve: Serve, key_file: KeyFile, clinician: str) -> None:
    client = serve(api_keys=key_file.path)
    whole = key_file.path.read_text(encoding="utf-8")
    key_file.path.write_text("{", encoding="utf-8")
    assert client.get("/v1/model", headers=bearer(clinician)).status_code == 401
    key_file.path.unlink()
    assert client.get("/v1/model", headers=bearer(clinician)).status_code == 401
    key_file.path.write_text(whole, encoding="utf-8")
    assert client.get("/v1/model", headers=bearer(clinician)).status_code == 200


def test_no_key_is_kept_and_its_file_is_the_owners_alone(key_file: KeyFile, clinician: str) -> None:
    text = key_file.path.read_text(encoding="utf-8")
    assert clinician not in text
    assert clinician.rpartition("_")[2] not in text
    assert key_file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{", "no file of API keys"),
        ('{"form": 2, "keys": []}', "no file of API keys"),
        ('{"form": 1, "keys": [{"id": "a"}]}', "no file of API keys"),
    ],
)
def test_broken_file_of_keys_is_said(key_file: KeyFile, broken: str, said: str) -> None:
    key_file.path.write_text(broken, encoding="utf-8")
    with pytest.raises(AccessError, match=said):
        key_file.read()


def test_role_beyond_the_known_ones_in_the_file_is_refused(key_file: KeyFile, clinician: str) -> None:
    content = json.loads(key_file.path.read_text(encoding="utf-8"))
    content["keys"][0]["roles"] = ["root"]
    key_file.path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AccessError, match="no file of API keys"):
        key_file.read()


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["keys", *arguments])
    if isinstance(result.exception, AccessError):
        return 2, "", str(result.exception)
    return result.exit_code, result.stdout, result.stderr


def test_keys_are_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    file = str(tmp_path / "deep" / "keys.json")
    code, secret, said = run(
        "add", "ward 3", "--role", "clinician", "--scope", "read", "--days", "2", "--file", file
    )
    assert (code, secret.startswith("trk_"), secret.count("\n")) == (0, True, 1)
    assert "clinician, until" in said
    key_id = secret[4:16]
    code, listed, _ = run("list", "--file", file)
    assert f"{key_id}  valid  " in listed
    assert "(read)  ward 3" in listed
    assert secret.strip() not in listed
    assert run("revoke", key_id, "--file", file)[0] == 0
    assert f"{key_id}  revoked" in run("list", "--file", file)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "x", "--role", "doctor"], "--role must be one or more of: clinician, data-scientist, ci"),
        (
            ["add", "x", "--role", "ci", "--scope", "all"],
            "--scope must be of: metrics, outcomes, predict, read",
        ),
        (["add", "x", "--role", "ci", "--scope", "outcomes"], "may do no more than: metrics, predict, read"),
        (["revoke", "0123456789ab"], "there is no key `0123456789ab`"),
    ],
)
def test_wrong_commands_are_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, _, error = run(*arguments, "--file", str(tmp_path / "keys.json"))
    assert code == 2
    assert said in error


def test_commands_know_the_file_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "say which file" in run("list")[2]
    monkeypatch.setenv("TREATMENT_RESPONSE_API_KEYS", str(tmp_path / "keys.json"))
    assert run("list") == (0, "", "")

"""Bearer tokens: whose are believed, and which tricks are not."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serving.access.errors import AccessError
from serving.access.token_keys import TokenKeys
from tests.serving.access.conftest import AUDIENCE, ISSUER, Provider, Serve, bearer


def trusting(provider: Provider, **more: Any) -> dict[str, Any]:
    return {"jwks": str(provider.jwks), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE} | more


def encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_token_of_the_provider_is_believed_with_its_roles(serve: Serve, provider: Provider) -> None:
    client = serve(**trusting(provider))
    for _ in range(2):  # the second time from memory
        assert client.get("/v1/model", headers=bearer(provider.sign())).status_code == 200
    token = provider.sign()
    assert [client.get("/v1/model", headers=bearer(token)).status_code for _ in range(2)] == [200, 200]
    assert client.get("/metrics", headers=bearer(token)).status_code == 403
    assert client.get("/metrics", headers=bearer(provider.sign(roles="clinician ci"))).status_code == 200
    assert client.get("/v1/model", headers=bearer(provider.sign(aud=["other", AUDIENCE]))).status_code == 200


@pytest.mark.parametrize("roles", [None, [], ["root"], "", {"clinician": True}, [["clinician"]], 7])
def test_token_without_a_known_role_may_do_nothing(serve: Serve, provider: Provider, roles: object) -> None:
    client = serve(**trusting(provider))
    assert client.get("/v1/model", headers=bearer(provider.sign(roles=roles))).status_code == 403


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "another-service"}, "not valid for this service"),
        ({"aud": None}, "not valid for this service"),
        ({"iss": "https://evil.example"}, "not valid for this service"),
        ({"iss": None}, "not valid for this service"),
        ({"exp": int(time.time()) - 3600}, "has expired"),
        ({"exp": None}, "not valid for this service"),
        ({"exp": "soon"}, "not valid for this service"),
        ({"nbf": int(time.time()) + 3600}, "not valid for this service"),
        ({"iat": int(time.time()) + 3600}, "not valid for this service"),
        ({"sub": None}, "not valid for this service"),
        ({"sub": "x" * 181}, "`sub` must be a short text"),
        ({"sub": "two\nlines"}, "`sub` must be a short text"),
    ],
)
def test_token_with_wrong_claims_is_refused(
    serve: Serve, provider: Provider, claims: dict[str, Any], said: str
) -> None:
    client = serve(**trusting(provider))
    refused = client.get("/v1/model", headers=bearer(provider.sign(**claims)))
    assert (refused.status_code, said in refused.json()["detail"]) == (401, True)
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_clocks_may_differ_by_half_a_minute(serve: Serve, provider: Provider) -> None:
    client = serve(**trusting(provider))
    now = int(time.time())
    shifted: list[dict[str, Any]] = [{"iat": now + 20}, {"exp": now - 20}]
    for claims in shifted:
        assert client.get("/v1/model", headers=bearer(provider.sign(**claims))).status_code == 200


def forged_by_another(provider: Provider) -> str:
    return Provider(provider.jwks, ec.generate_private_key(ec.SECP256R1())).sign()


def unsigned(provider: Provider) -> str:
    body = provider.sign().split(".")[1]
    return f"{encode({'alg': 'none', 'kid': 'one', 'typ': 'JWT'})}.{body}."


def signed_with_the_public_key(provider: Provider) -> str:
    # The classic confusion: the public key, which everybody knows, taken for a shared secret.
    public = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encode({'alg': 'HS256', 'kid': 'one'})}.{provider.sign().split('.')[1]}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).rstrip(b"=").decode()
    return f"{signed}.{mac}"


def of_another_kind(provider: Provider) -> str:
    key = rsa.generate_private_key(65537, 2048)
    claims = jwt.decode(provider.sign(), options={"verify_signature": False})
    return jwt.encode(claims, key, "RS256", headers={"kid": "one"})


def changed(provider: Provider) -> str:
    head, body, signature = provider.sign(roles=["clinician"]).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"roles": ["ci"]}
    return f"{head}.{encode(claims)}.{signature}"


def with_its_own_key(provider: Provider) -> str:
    other = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(other.public_key()))
    return Provider(provider.jwks, other).sign({"jwk": public, "jku": "http://127.0.0.1:9/keys"})


def deep(provider: Provider) -> str:
    nested = base64.urlsafe_b64encode(b'{"a":' * 1500 + b"1" + b"}" * 1500).rstrip(b"=").decode()
    return f"{nested[:7000]}.e30.x"


TRICKS: dict[str, Callable[[Provider], str]] = {
    "forged by another": forged_by_another,
    "unsigned": unsigned,
    "signed with the public key": signed_with_the_public_key,
    "of another kind": of_another_kind,
    "changed": changed,
    "with its own key": with_its_own_key,
    "deep": deep,
    "no token": lambda _: "a.b.c",
    "endless": lambda _: "x" * 9000,
    "unknown key": lambda provider: provider.sign({"kid": "two"}),
    "unnamed key": lambda provider: provider.sign({"kid": None}),
}


@pytest.mark.parametrize("trick", list(TRICKS))
def test_forged_token_is_refused(serve: Serve, provider: Provider, trick: str) -> None:
    client = serve(**trusting(provider))
    refused = client.get("/v1/model", headers=bearer(TRICKS[trick](provider)))
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")


def test_token_is_good_for_one_request_where_that_is_asked(serve: Serve, provider: Provider) -> None:
    client = serve(**trusting(provider, jwt_single_use=True))
    token = provider.sign(jti="a")
    assert client.get("/v1/model", headers=bearer(token)).status_code == 200
    replayed = client.get("/v1/model", headers=bearer(token))
    assert (replayed.status_code, replayed.json()["detail"]) == (401, "the token has been used before")
    assert client.get("/v1/model", headers=bearer(provider.sign(jti="b"))).status_code == 200
    assert client.get("/v1/model", headers=bearer(provider.sign())).status_code == 401


def test_key_that_the_provider_withdraws_is_not_believed_any_more(serve: Serve, provider: Provider) -> None:
    client = serve(**trusting(provider))
    token = provider.sign()
    assert client.get("/v1/model", headers=bearer(token)).status_code == 200
    newer = Provider(provider.jwks)
    newer.publish()
    assert client.get("/v1/model", headers=bearer(token)).status_code == 401
    assert client.get("/v1/model", headers=bearer(newer.sign())).status_code == 200


def test_api_keys_and_tokens_are_both_accepted(
    serve: Serve, provider: Provider, key_file: Any, clinician: str
) -> None:
    client = serve(**trusting(provider, api_keys=key_file.path))
    for secret in (clinician, provider.sign()):
        assert client.get("/v1/model", headers=bearer(secret)).status_code == 200
    assert client.get("/v1/model").status_code == 401


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that http.server calls
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = self.server.jwks.read_bytes()  # type: ignore[attr-defined]
        moved = self.path == "/moved"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/keys")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider_server(provider: Provider) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Keys)
    server.jwks, server.asked = provider.jwks, []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_fetched_once_and_survive_a_provider_that_is_away(
    serve: Serve, provider: Provider, provider_server: HTTPServer
) -> None:
    address = f"http://127.0.0.1:{provider_server.server_port}/keys"
    client = serve(**trusting(provider) | {"jwks": address})
    for _ in range(3):
        assert client.get("/v1/model", headers=bearer(provider.sign())).status_code == 200
    # Unknown keys must not make us ask each time.
    for _ in range(3):
        assert client.get("/v1/model", headers=bearer(provider.sign({"kid": "two"}))).status_code == 401
    assert provider_server.asked == ["/keys"]  # type: ignore[attr-defined]


def test_without_any_keys_nobody_is_believed_and_told_to_wait(
    serve: Serve, provider: Provider, provider_server: HTTPServer
) -> None:
    moved = f"http://127.0.0.1:{provider_server.server_port}/moved"
    for address in (moved, "http://127.0.0.1:9/keys"):  # redirected, away
        client = serve(**trusting(provider) | {"jwks": address})
        refused = client.get("/v1/model", headers=bearer(provider.sign()))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert provider_server.asked == ["/moved"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", ["http://login.example.org/keys", "ftp://127.0.0.1/keys", "https:///keys"])
def test_keys_from_an_address_that_others_can_answer_for_are_refused(source: str) -> None:
    with pytest.raises(AccessError, match="must begin with https"):
        TokenKeys(source)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]}',
        '{"keys": [{"kty": "EC"}]}',
    ],
)
def test_file_without_public_keys_is_refused_at_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AccessError, match=r"jwks: .* holds no"):
        TokenKeys(str(path))

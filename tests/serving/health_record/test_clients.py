"""CDS clients: only a signed call, for this address, the first time, by one of the list."""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient

from serving.access.api_keys import add_key
from serving.access.errors import AccessError
from serving.access.key_file import KeyFile
from serving.app import create_app
from serving.health_record.clients import load_clients
from serving.loading import Served
from tests.serving.health_record import records
from tests.serving.health_record.conftest import settings_in

BASE = "http://127.0.0.1:8000"
VIEW = "/cds-services/response-prediction"
ISSUER = "https://ehr.example.org"
JKU = "https://ehr.example.org/jwks.json"


@dataclass
class Client:
    """A health record with its key."""

    key: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> dict[str, Any]:
        jwk: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return jwk | {"kid": "one", "alg": "ES384", "use": "sig"}

    def sign(self, address: object, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": address, "exp": now + 300, "iat": now, "jti": str(uuid.uuid4())}
        whole = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(whole, self.key, "ES384", headers={"kid": "one"} | (header or {}))


@pytest.fixture
def client() -> Client:
    return Client(ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture
def listed(client: Client, tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [client.public]}))
    path = tmp_path / "clients.toml"
    path.write_text(f'[clients."{ISSUER}"]\nkeys = "jwks.json"\njku = "{JKU}"\n')
    return path


@pytest.fixture
def running(served: Served, listed: Path, tmp_path: Path) -> Iterator[TestClient]:
    settings = settings_in(tmp_path, cds_clients=listed)
    with TestClient(create_app(settings, served), base_url=BASE) as service:
        yield service


def call(service: TestClient, token: str | None, path: str = VIEW, **headers: str) -> int:
    sent = headers | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return service.post(path, json=records.call(), headers=sent).status_code


def test_signed_call_is_answered_once(running: TestClient, client: Client) -> None:
    token = client.sign(BASE + VIEW)
    assert call(running, token) == 200
    assert call(running, token) == 401


@pytest.mark.parametrize("ahead", [-25, 0, 25])
def test_clocks_may_differ_by_half_a_minute(running: TestClient, client: Client, ahead: int) -> None:
    now = int(time.time()) + ahead
    assert call(running, client.sign(BASE + VIEW, iat=now, exp=now + 20)) == 200


def test_audience_may_be_a_list_and_keys_may_be_named_by_the_listed_address(
    running: TestClient, client: Client
) -> None:
    assert call(running, client.sign(["https://other.example.org", BASE + VIEW])) == 200
    assert call(running, client.sign(BASE + VIEW, {"jku": JKU})) == 200


@pytest.mark.parametrize("name", ["exp", "iat", "jti", "iss", "aud"])
def test_each_claim_is_required(running: TestClient, client: Client, name: str) -> None:
    assert call(running, client.sign(BASE + VIEW, **{name: None})) == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 600, "iat": int(time.time()) - 900},
        {"iat": int(time.time()) + 600, "exp": int(time.time()) + 900},
        {"exp": int(time.time()) + 90_000},
        {"exp": str(int(time.time()) + 300)},
        {"jti": 7},
        {"jti": ""},
        {"iss": "https://evil.example.org"},
        {"aud": BASE + "/cds-services/order-response"},
        {"aud": BASE + VIEW + "/feedback"},
    ],
    ids=[
        "expired",
        "from the future",
        "too long",
        "text",
        "number",
        "empty",
        "issuer",
        "service",
        "feedback",
    ],
)
def test_claim_that_is_not_ours_is_refused(
    running: TestClient, client: Client, claims: dict[str, Any]
) -> None:
    assert call(running, client.sign(BASE + VIEW, **claims)) == 401


@pytest.mark.parametrize(
    "header",
    [{"kid": "two"}, {"jku": "https://evil.example.org/jwks.json"}, {"jku": "http://127.0.0.1:9/jwks.json"}],
)
def test_key_that_is_not_listed_is_refused_and_never_fetched(
    running: TestClient, client: Client, header: dict[str, str]
) -> None:
    assert call(running, client.sign(BASE + VIEW, header)) == 401


def test_forged_tokens_are_refused(running: TestClient, client: Client) -> None:
    other = Client(ec.generate_private_key(ec.SECP384R1()))
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": BASE + VIEW, "exp": now + 300, "iat": now, "jti": "1"}
    nothing = jwt.encode(claims, "", "none", headers={"kid": "one"})
    text = client.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    shared = jwt.encode(claims, base64.b64encode(text), "HS256", headers={"kid": "one"})
    for token in (other.sign(BASE + VIEW), nothing, shared, "abc.def.ghi", "a" * 10_000, ""):
        assert call(running, token) == 401
    assert call(running, None) == 401


def test_header_host_does_not_make_a_token_for_another_service_good(
    running: TestClient, client: Client
) -> None:
    stolen = client.sign("http://localhost:9000" + VIEW)
    assert call(running, stolen, Host="localhost:9000") == 401


def test_discovery_and_feedback_ask_for_a_token_too(running: TestClient, client: Client) -> None:
    assert running.get("/cds-services").status_code == 401
    signed = {"Authorization": f"Bearer {client.sign(BASE + '/cds-services')}"}
    assert running.get("/cds-services", headers=signed).status_code == 200
    assert call(running, None, VIEW + "/feedback") == 401


def test_refusal_is_an_outcome_with_a_challenge(running: TestClient) -> None:
    refused = running.post(VIEW, json=records.call())
    assert refused.json()["issue"][0]["code"] == "login"
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_token_of_a_cds_client_opens_nothing_else(
    served: Served, listed: Path, client: Client, tmp_path: Path
) -> None:
    add_key(KeyFile(tmp_path / "keys.json"), "ward 3", ["clinician"], 90)
    settings = settings_in(tmp_path, cds_clients=listed, api_keys=tmp_path / "keys.json")
    with TestClient(create_app(settings, served), base_url=BASE) as service:
        assert call(service, client.sign(BASE + VIEW)) == 200
        for path in ("/v1/predict", "/fhir/$predict"):
            assert call(service, client.sign(BASE + path), path) == 401


def test_public_address_is_what_a_token_must_name(
    served: Served, listed: Path, client: Client, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, cds_clients=listed, public_url="https://predictor.example.org")
    with TestClient(create_app(settings, served), base_url=BASE) as service:
        assert call(service, client.sign("https://predictor.example.org" + VIEW)) == 200
        assert call(service, client.sign(BASE + VIEW)) == 401


def test_withdrawn_key_is_no_longer_believed(running: TestClient, client: Client, tmp_path: Path) -> None:
    assert call(running, client.sign(BASE + VIEW)) == 200
    other = Client(ec.generate_private_key(ec.SECP384R1()))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [other.public]}) + " \n")
    assert call(running, client.sign(BASE + VIEW)) == 401
    assert call(running, other.sign(BASE + VIEW)) == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no client is listed"),
        ("[clients]\n", "no client is listed"),
        (f'[clients."{ISSUER}"]\n', "keys: is missing"),
        (f'[clients."{ISSUER}"]\nkeys = "absent.json"\n', "cannot be read"),
        (f'[clients."{ISSUER}"]\nkeys = "http://ehr.example.org/jwks.json"\n', "must begin with https://"),
        (f'[clients."{ISSUER}"]\nkey = "jwks.json"\n', "unknown key 'key'; did you mean 'keys'"),
        ("[", "cannot be read as TOML"),
    ],
)
def test_faulty_list_is_refused_at_start(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(text)
    with pytest.raises(AccessError, match=message):
        load_clients(path, None)

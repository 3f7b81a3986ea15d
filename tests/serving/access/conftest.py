"""A service that asks who calls, in this process, with keys and tokens made for the test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient

from serving.access.api_keys import add_key
from serving.access.key_file import KeyFile
from serving.app import create_app
from serving.loading import Served
from serving.settings import Settings

ISSUER, AUDIENCE = "https://login.example.org", "treatment-response"


@dataclass
class Provider:
    """An identity provider: a private key, and the set of its public ones in a file."""

    jwks: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def publish(self) -> None:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        self.jwks.write_text(json.dumps({"keys": [public | {"kid": "one", "use": "sig", "alg": "ES256"}]}))

    def sign(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "dr-lee", "iat": now, "exp": now + 300}
        return jwt.encode(
            {k: v for k, v in (usual | {"roles": ["clinician"]} | claims).items() if v is not None},
            self.key,
            "ES256",
            headers={k: v for k, v in ({"kid": "one"} | (headers or {})).items() if v is not None},
        )


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    made = Provider(tmp_path / "jwks.json")
    made.publish()
    return made


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def clinician(key_file: KeyFile) -> str:
    return add_key(key_file, "ward 3", ["clinician"], 90)[1]


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(served: Served) -> Iterator[Serve]:
    """Start services in this process; each ends with the test."""
    with ExitStack() as running:

        def starter(base: str = "http://127.0.0.1", **settings: Any) -> TestClient:
            app = create_app(Settings(log_level="warning", **settings), served)
            return running.enter_context(TestClient(app, base_url=base, follow_redirects=False))

        yield starter


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}

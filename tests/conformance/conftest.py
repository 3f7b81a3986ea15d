"""A service as it is deployed, with everything switched on, for the checks against the standards."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.storage import save_model
from serving.access.api_keys import add_key
from serving.access.key_file import KeyFile
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care
from tests.serving.access.conftest import AUDIENCE, Provider
from tests.serving.access.conftest import ISSUER as PROVIDER
from tests.serving.conftest import Service, end, keys_of, launch
from tests.serving.health_record.test_clients import ISSUER, Client

ORIGIN = "http://127.0.0.1:8080"


@dataclass
class Deployment:
    """A running service, and what its callers hold.

    Parameters
    ----------
    service : Service
        Two workers, records in SQLite, metrics, API keys, bearer tokens, every line of its log kept.
    home : Path
        Whatever it writes is in here: log, records, temporary files.
    key : str
        An API key with every scope.
    provider : Provider
        Signs bearer tokens.
    """

    service: Service
    home: Path
    key: str
    provider: Provider

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def header(self) -> str:
        """As the checks take it on their command lines."""
        return f"Authorization: Bearer {self.key}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="package")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that can be served: plans, a landmark, durability, regimens."""
    folder = tmp_path_factory.mktemp("model") / "ketamine-trd"
    save_model(shipped_care(shown=False), folder)
    sign_folder(folder)
    return folder


def deploy(model_folder: Path, outside: Path, **more: str) -> Deployment:
    """Start a service; what it is given lies in `outside`, what it writes in a folder beside that."""
    home = outside / "home"
    (home / "tmp").mkdir(parents=True)
    provider = Provider(outside / "provider.json")
    provider.publish()
    _, key = add_key(KeyFile(outside / "keys.json"), "check", ["clinician", "data-scientist", "ci"], 2)
    service = launch(
        home / "service.log",
        *("--model", str(model_folder), "--workers", "2"),
        cwd=home,
        TMPDIR=str(home / "tmp"),
        TREATMENT_RESPONSE_TRUSTED_KEYS=str(keys_of(model_folder)),
        TREATMENT_RESPONSE_API_KEYS=str(outside / "keys.json"),
        TREATMENT_RESPONSE_JWKS=str(provider.jwks),
        TREATMENT_RESPONSE_JWT_ISSUER=PROVIDER,
        TREATMENT_RESPONSE_JWT_AUDIENCE=AUDIENCE,
        TREATMENT_RESPONSE_CORS_ORIGINS=ORIGIN,
        TREATMENT_RESPONSE_RATE_LIMIT="1000000",  # on, and far above what a check asks for
        TREATMENT_RESPONSE_LOG_LEVEL="debug",
        **more,
    )
    return Deployment(service, home, key, provider)


@pytest.fixture(scope="package")
def deployment(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployed = deploy(model_folder, tmp_path_factory.mktemp("deployment"))
    yield deployed
    end(deployed.service.process)


@dataclass
class SignedDeployment:
    """A service whose CDS clients sign their calls.

    Parameters
    ----------
    deployment : Deployment
    signing : tuple of str
        Arguments of the check that make it sign.
    """

    deployment: Deployment
    signing: tuple[str, ...]


@pytest.fixture
def signed(model_folder: Path, tmp_path: Path) -> Iterator[SignedDeployment]:
    client = Client(ec.generate_private_key(ec.SECP384R1()))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [client.public]}))
    (tmp_path / "clients.toml").write_text(f'[clients."{ISSUER}"]\nkeys = "jwks.json"\n')
    pem = client.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(pem)
    clients = str(tmp_path / "clients.toml")
    deployed = deploy(model_folder, tmp_path, TREATMENT_RESPONSE_CDS_CLIENTS=clients)
    yield SignedDeployment(
        deployed, ("--jwt-pem", str(tmp_path / "key.pem"), "--kid", "one", "--iss", ISSUER)
    )
    end(deployed.service.process)

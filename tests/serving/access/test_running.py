"""The service as an operator runs it: workers that share what they know, HTTPS, and abused connections."""

import datetime
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from serving.access.api_keys import add_key, revoke_key
from serving.access.key_file import KeyFile
from tests.serving.access.conftest import bearer
from tests.serving.conftest import Service, keys_of, serving_environment

Start = Callable[..., Service]


def ask(
    service: Service, path: str, key: str, body: Any = None, context: ssl.SSLContext | None = None
) -> tuple[int, dict[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Connection": "close"} | bearer(key)
    request = urllib.request.Request(service.url + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), refused.read()


def raw(service: Service, *parts: bytes, pause: float = 0.0, wait: float = 20.0) -> bytes:
    """Send bytes as they are, and read until the service closes the connection."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=wait) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        while block := connection.recv(65536):
            received += block
        return received


@pytest.fixture
def environment(folder: Path, key_file: KeyFile, clinician: str) -> dict[str, str]:
    return {
        "TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys_of(folder)),
        "TREATMENT_RESPONSE_API_KEYS": str(key_file.path),
    }


def test_workers_share_limits_figures_and_revocations(
    start: Start, folder: Path, key_file: KeyFile, environment: dict[str, str], request_body: dict[str, Any]
) -> None:
    key, secret = add_key(key_file, "ward 4", ["clinician", "ci"], 1)
    # A burst of 40, and then one in six seconds: less than this test takes.
    environment |= {"TREATMENT_RESPONSE_RATE_LIMIT": "160"}
    service = start("--model", str(folder), "--workers", "2", **environment)
    answers = [ask(service, "/v1/predict", secret, request_body) for _ in range(60)]
    statuses = [status for status, _, _ in answers]
    admitted = statuses.count(200)
    assert statuses.count(429) == 60 - admitted
    # Together, not 40 each: what the seconds of this loop add is far less.
    assert 40 <= admitted < 60
    assert all(int(headers["retry-after"]) >= 1 for status, headers, _ in answers if status == 429)
    _, watcher = add_key(key_file, "prometheus", ["ci"], 1)
    seen = {figure(ask(service, "/metrics", watcher)[2]) for _ in range(4)}
    assert seen == {float(admitted)}  # whichever worker is asked
    revoke_key(key_file, key.id)
    assert {ask(service, "/v1/model", secret)[0] for _ in range(6)} == {401}
    log = service.log.read_text(encoding="utf-8")
    assert [text for text in (secret, secret.split("_")[2], key.id) if text in log] == []


def figure(text: bytes) -> float:
    found = [
        line
        for line in text.decode().splitlines()
        if line.startswith("treatment_response_predictions_total{")
    ]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def test_slow_and_endless_requests_are_ended(
    start: Start, folder: Path, environment: dict[str, str], clinician: str, request_body: dict[str, Any]
) -> None:
    service = start("--model", str(folder), **environment, TREATMENT_RESPONSE_BODY_SECONDS="1")
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {clinician}\r\n".encode()
    head += b"Content-Type: application/json\r\n"
    before = time.monotonic()
    slow = raw(service, head + b'Content-Length: 100\r\n\r\n{"pat')
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 1 seconds" in slow
    assert 0.9 < time.monotonic() - before < 5
    # The same in pieces without a stated length, and above the limit of the body.
    assert raw(service, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n").startswith(b"HTTP/1.1 408 ")
    stated = raw(service, head + b"Content-Length: 99999999\r\n\r\n{")
    assert stated.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 408 "))
    endless = raw(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", *[b"X: " + b"a" * 8000 + b"\r\n"] * 9)
    assert endless.startswith(b"HTTP/1.1 400 ")
    assert b"headers are too large" in endless
    for twice in (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
    ):
        assert raw(service, twice).startswith(b"HTTP/1.1 400 ")
    # And whoever comes properly is still answered.
    assert ask(service, "/v1/predict", clinician, request_body)[0] == 200


@pytest.mark.slow
def test_connection_that_sends_no_request_is_closed(
    start: Start, folder: Path, environment: dict[str, str]
) -> None:
    service = start("--model", str(folder), **environment)
    before = time.monotonic()
    assert raw(service, b"GET /healthz HT", wait=30) == b""
    assert 10 < time.monotonic() - before < 20
    # Nor does a request last whose answer has long been given.
    refused = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
    with pytest.raises(ConnectionError, match=r"reset|pipe|aborted"):
        raw(service, refused, *[b" "] * 60, pause=0.5)
    assert time.monotonic() - before < 45


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def test_service_on_every_address_answers_by_https_with_a_key(
    folder: Path, tmp_path: Path, environment: dict[str, str], clinician: str, certificate: tuple[Path, Path]
) -> None:
    environment |= {
        "TREATMENT_RESPONSE_TLS_CERTIFICATE": str(certificate[0]),
        "TREATMENT_RESPONSE_TLS_KEY": str(certificate[1]),
    }
    log = tmp_path / "tls.log"
    command = [
        sys.executable,
        "-m",
        "serving",
        "run",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        "--model",
        str(folder),
    ]
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, stderr=stderr, cwd=tmp_path, env=serving_environment(**environment)
        )
    try:
        service = Service(f"https://127.0.0.1:{wait_for_port(log, process)}", log, process)
        status, headers, body = ask(service, "/v1/model", clinician, context=context)
        assert (status, json.loads(body)["name"]) == (200, "ketamine-trd")
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert ask(service, "/v1/model", "x", context=context)[0] == 401
        plain = Service(service.url.replace("https", "http"), log, process)
        with pytest.raises(OSError, match=r"reset|closed|refused|aborted|Remote end"):
            ask(plain, "/v1/model", clinician)
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for_port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if any("Application startup complete" in line["event"] for line in lines):
            [port] = [line["port"] for line in lines if line["event"] == "serving"]
            return int(port)
        time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("environment_of", "said"),
    [
        ({}, "host must be a loopback address"),
        ({"API_KEYS": "missing.json"}, "keys and patients' values need HTTPS"),
        (
            {"API_KEYS": "missing.json", "PUBLIC_URL": "https://clinic.example"},
            "missing.json: there is no API key yet; make one: python -m serving keys add",
        ),
        (
            {
                "JWKS": "missing.json",
                "JWT_ISSUER": "i",
                "JWT_AUDIENCE": "a",
                "PUBLIC_URL": "https://clinic.example",
            },
            "jwks: missing.json cannot be read",
        ),
    ],
)
def test_unsafe_service_does_not_start(tmp_path: Path, environment_of: dict[str, str], said: str) -> None:
    environment = {f"TREATMENT_RESPONSE_{name}": value for name, value in environment_of.items()}
    run = subprocess.run(
        [sys.executable, "-m", "serving", "run", "--host", "0.0.0.0", "--port", "0", "--model", "nowhere"],
        cwd=tmp_path,
        env=serving_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert said in run.stderr
    assert list(tmp_path.iterdir()) == []

"""CDS Hooks 2.0, with calls that the health record signs and with an API key."""

import json
from pathlib import Path

import pytest

from tests.conformance.checks import WHOLE, run_check
from tests.conformance.conftest import ORIGIN, Deployment, SignedDeployment
from tests.serving.health_record import records
from tests.serving.health_record.test_clients import ISSUER

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

SERVICES = ("response-prediction", "order-response")


def check(deployment: Deployment, folder: Path, *arguments: str) -> None:
    sent = folder / "prefetch.json"
    sent.write_text(json.dumps(dict.fromkeys(SERVICES, records.prefetch())))
    code, said = run_check(
        "cds_hooks_check.py",
        deployment.url,
        *("--prefetch", str(sent), "--origin", ORIGIN, *arguments),
        needs=("httpx", "jsonschema", "jwt"),
    )
    lines = [line for line in said.splitlines() if line.startswith(("FAIL", "WARN"))]
    # How long an answer took says more of the machine than of the service while the whole suite runs.
    wrong = [line for line in lines if WHOLE or "answers within 500 ms" not in line]
    assert (code, wrong) == (0, []), said
    assert int(said.splitlines()[-1].partition(" pass")[0]) > 100, said


def test_cds_hooks_check_finds_nothing(signed: SignedDeployment, tmp_path: Path) -> None:
    check(signed.deployment, tmp_path, *signed.signing)
    # Nothing of the patient in the log, whatever the check has sent.
    log = signed.deployment.service.log.read_text(encoding="utf-8")
    secrets = (records.patient()["birthDate"], "44261-6", "Patient/p1", "free text", "LA6569-3", ISSUER)
    assert [secret for secret in secrets if secret in log] == []


def test_cds_hooks_check_finds_nothing_with_an_api_key(deployment: Deployment, tmp_path: Path) -> None:
    check(deployment, tmp_path, "--header", deployment.header)

"""The API against its own description, with a key and with records that are really written."""

import sqlite3
import sys
from pathlib import Path

import pytest

from tests.conformance.checks import EXAMPLES, WHOLE, do_without, run, run_check
from tests.conformance.conftest import Deployment

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

# The plain suite is quick, and says nothing of times: other work may share the machine.
QUICK = ("--phases", "fuzzing", "--max-response-time", "60", "--request-timeout", "60")


def count(home: Path, table: str) -> int:
    with sqlite3.connect(home / ".records" / "records.sqlite") as base:
        (number,) = base.execute(f"SELECT count(*) FROM {table}").fetchone()
    base.close()
    return int(number)


def test_api_keeps_to_its_description(deployment: Deployment, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    if not program.is_file():
        do_without("a check needs schemathesis")
    before = count(deployment.home, "predictions")
    code, said = run_check(
        "api_contract.sh",
        *(deployment.url, deployment.key, str(EXAMPLES or 20)),
        *(() if WHOLE else QUICK),
        cwd=tmp_path,
        SCHEMATHESIS=str(program),
    )
    assert code == 0, said
    assert "No issues found" in said
    # Predictions were stored, and in whole runs outcomes beside them, found by the id that was answered.
    assert count(deployment.home, "predictions") - before > (EXAMPLES or 20)
    assert not WHOLE or count(deployment.home, "attachments") > 0
    # What so many requests at two workers have written still holds together.
    stored = deployment.home / ".records"
    code, said = run(
        [sys.executable, "-m", "serving", "verify-audit"],
        TREATMENT_RESPONSE_RECORDS=f"sqlite:///{stored / 'records.sqlite'}",
        TREATMENT_RESPONSE_RECORDS_KEY=str(stored / "records.key"),
    )
    assert code == 0, said
    assert said.startswith(f"{count(deployment.home, 'audit')} lines, 0 problems"), said

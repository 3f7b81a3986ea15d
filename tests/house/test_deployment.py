"""What is shipped for operators names only what there is."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from serving.settings import PREFIX, Settings
from tests.house.repository import ROOT

UNIT = ROOT / "deploy" / "treatment-response.service"
CONTAINER = ROOT / "Containerfile"
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(
    "path", [UNIT, CONTAINER, ROOT / "docs" / "deployment.md"], ids=lambda path: path.name
)
def test_only_settings_that_exist_are_named(path: Path) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text(encoding="utf-8")))
    assert named - {PREFIX} <= SETTINGS


def test_unit_runs_the_service_as_nobody_in_particular() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's documentation does
    unit.read(UNIT, encoding="utf-8")
    service = unit["Service"]
    assert service["ExecStart"].endswith("/bin/python -m serving run")
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == (
        "treatment-response",
        "true",
        "strict",
    )
    # Longer than the service lets running requests finish, or systemd would kill it meanwhile.
    assert int(service["TimeoutStopSec"]) > 10
    assert service["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_knows_every_line_of_the_unit() -> None:
    run = subprocess.run(
        ["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False
    )
    lines = [line for line in run.stderr.splitlines() if UNIT.name in line]
    # The program is where an operator installs it, not here.
    assert [line for line in lines if "is not executable: No such file" not in line] == []


def test_image_holds_the_locked_service_and_runs_as_a_user_without_rights() -> None:
    text = CONTAINER.read_text(encoding="utf-8")
    allowed = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY ([^-]\S*) ", text, re.MULTILINE)
    assert copied == ["requirements/serving.txt", "dist/*.whl"]
    assert {line[1:] for line in allowed if line.startswith("!")} == set(copied)
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert f"{PREFIX}HOST=0.0.0.0" in text  # which the service refuses without keys and HTTPS

import re
import socket
import subprocess

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.house.repository import ROOT


def phony_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE) for name in line.split()}


def helped_targets() -> set[str]:
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^ +make ([a-z-]+) +\S", run.stdout, re.MULTILINE))


def test_make_help_lists_each_target() -> None:
    assert helped_targets() == phony_targets()
    assert {"install", "demo", "serve", "test", "lint", "types", "bench", "lock", "mlflow"} <= phony_targets()


def test_ci_calls_only_what_a_person_calls() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    calls = re.findall(r"^make (.+)$", script, re.MULTILINE)
    assert calls == ["lint types test"]


def test_package_named_models_is_not_ignored() -> None:
    # `models/` stands in many ignore lists; hatchling follows them, and the wheel would silently lack it.
    run = subprocess.run(
        ["git", "check-ignore", "models/storage.py"], cwd=ROOT, capture_output=True, check=False
    )
    assert run.returncode == 1


def test_tests_cannot_reach_beyond_loopback() -> None:
    # 192.0.2.1 is reserved for documentation; the connection is refused before it is tried.
    with (
        pytest.warns(UserWarning, match="tried to use socket"),
        pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"),
    ):
        socket.create_connection(("192.0.2.1", 9), timeout=1)

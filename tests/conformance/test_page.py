"""The page in each of its states: accessibility (WCAG 2.2 AA, good practice), errors, width."""

import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.conformance.checks import CHECKS, WHOLE, do_without, find_check, need, run
from tests.conformance.conftest import Deployment

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

STATES = {"error": "/examples/typical!", "danger sign": "/examples/danger_sign/answer"}
# The plain suite looks at these two: the tests of the page hold every state against the same rules.
MORE = {
    "empty form": "/",
    "answer": "/examples/typical/answer",
    "filled form": "/examples/typical",
    "answer during the course": "/examples/in_treatment/answer",
    "contraindication": "/examples/contraindication/answer",
    "about": "/about",
    "signing in": "/login",
    "description of the API": "/docs",
}
# The browser itself notes the status of the form that was sent back; nothing else may be noted.
NOTED = "console: Failed to load resource: the server responded with a status of 422 "

LOOKS = [("light", 1280), ("dark", 1280), ("light", 768), ("dark", 768)]


@pytest.mark.parametrize(("scheme", "width"), LOOKS if WHOLE else [("dark", 768)])
def test_page_check_finds_no_violation(
    deployment: Deployment, tmp_path: Path, scheme: str, width: int
) -> None:
    find_check("page_check.py")
    need("playwright", "axe_playwright_python")
    if not Path("/usr/bin/chromium").exists():
        do_without("a check needs Chromium in /usr/bin: install the system's package `chromium`")
    states = STATES | (MORE if WHOLE else {})
    _, said = run(
        [
            *(sys.executable, str(Path(__file__).with_name("page_states.py"))),
            *(str(CHECKS), scheme, deployment.url, *(f"{name}={path}" for name, path in states.items())),
            *("--", "--axe", str(files("axe_playwright_python") / "axe.min.js"), "--width", str(width)),
            *("--shot", str(tmp_path / "page.png"), "--header", deployment.header),
        ]
    )
    parts = dict(re.findall(r"^== (.+)\n((?:(?!== ).*\n)*)", said, re.MULTILINE))
    assert list(parts) == list(states), said
    for name, part in parts.items():
        *complaints, ended = part.splitlines()
        looked = [line for line in complaints if re.match(r"axe [\d.]+: 0 violation\(s\), [1-9]", line)]
        assert len(looked) == 1, f"{name}: {part}"
        assert "wider than the window: False" in looked[0], f"{name}: {part}"
        noted = [line for line in complaints if line.startswith(NOTED)]
        assert (len(noted), ended) == ((1, "exit 1") if name == "error" else (0, "exit 0")), f"{name}: {part}"
        assert set(complaints) == {*looked, *noted}, f"{name}: {part}"

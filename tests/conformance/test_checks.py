"""A check that is not there is left out of the plain suite, and an error where a service is vouched for."""

from pathlib import Path

import pytest

from tests.conformance import checks


@pytest.mark.parametrize(
    ("whole", "ending", "said"),
    [
        (False, pytest.skip.Exception, "^the check fhir_check.py is not beside"),
        (True, pytest.fail.Exception, "^nothing was checked: the check fhir_check.py is not beside"),
    ],
)
def test_absent_check_is_no_check_that_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: bool, ending: type[BaseException], said: str
) -> None:
    monkeypatch.setattr(checks, "CHECKS", tmp_path)
    monkeypatch.setattr(checks, "WHOLE", whole)
    with pytest.raises(ending, match=said):
        checks.run_check("fhir_check.py")


def test_whole_run_needs_what_its_checks_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "WHOLE", True)
    checks.need("pytest")
    with pytest.raises(pytest.fail.Exception, match=r"a check needs no_such_module$"):
        checks.need("pytest", "no_such_module")

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.house.repository import ROOT, declared_requirements, normalised, pyproject

LOCKS = ("requirements/dev.txt", "requirements/serving.txt")
TRAINING_ONLY = {"mlflow", "matplotlib", "optuna", "pandas", "pandera", "pyarrow", "shap"}


def locked(lock: str) -> list[Requirement]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if re.match(r"[A-Za-z0-9]", line)]


def locked_versions(lock: str) -> set[tuple[str, str]]:
    return {(normalised(pin.name), str(pin.specifier)) for pin in locked(lock)}


def entries_with_a_reason() -> list[str]:
    warnings: list[str] = pyproject()["tool"]["pytest"]["ini_options"]["filterwarnings"]
    return [entry for group in declared_requirements().values() for entry in group] + warnings


@pytest.mark.parametrize("entry", entries_with_a_reason())
def test_each_dependency_and_warning_filter_has_a_reason_beside_it(entry: str) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    # Either quote of TOML; the reason is a comment on the same line, of more than a word.
    pattern = rf"""^ *["']{re.escape(entry)}["'], *# +\S.{{10,}}$"""
    assert re.search(pattern, text, flags=re.MULTILINE), f"no reason beside {entry!r}"


@pytest.mark.parametrize("group", [*declared_requirements()])
def test_each_dependency_has_a_lower_and_an_upper_bound(group: str) -> None:
    for entry in declared_requirements()[group]:
        operators = {specifier.operator for specifier in Requirement(entry).specifier}
        assert operators in ({">=", "<"}, {"=="}), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_requirement_is_exact_and_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) == len(locked(lock)) > 20
    for block in blocks:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+-]+ ", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("group", [*declared_requirements()])
def test_lock_holds_each_dependency_within_its_bounds(group: str) -> None:
    lock = "requirements/serving.txt" if group in {"core", "serving"} else "requirements/dev.txt"
    versions: dict[str, list[str]] = {}
    for pin in locked(lock):
        versions.setdefault(normalised(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for wanted in map(Requirement, declared_requirements()[group]):
        pins = versions.get(normalised(wanted.name), [])
        assert pins, f"{wanted.name} is not in {lock}: run `make lock`"
        assert all(wanted.specifier.contains(pin) for pin in pins), (
            f"{wanted} against {pins}: run `make lock`"
        )


def test_serving_lock_is_part_of_the_development_lock() -> None:
    # The service must run what was tested.
    assert locked_versions("requirements/serving.txt") <= locked_versions("requirements/dev.txt")


def test_serving_lock_has_no_training_only_part() -> None:
    assert {name for name, _ in locked_versions("requirements/serving.txt")}.isdisjoint(TRAINING_ONLY)
    # The same names are found where they belong, so the check above can fail.
    trained = {name for name, _ in locked_versions("requirements/dev.txt")}
    assert trained >= TRAINING_ONLY - {"shap"}


def test_request_path_imports_with_only_the_serving_install(tmp_path: Path) -> None:
    """Hides every module that the serving lock does not bring, then imports what the service is made of."""
    in_service = {name for name, _ in locked_versions("requirements/serving.txt")} | {"treatment-response"}
    hidden = sorted(
        module
        for module, distributions in packages_distributions().items()
        if in_service.isdisjoint(map(normalised, distributions))
    )
    assert "pandas" in hidden
    code = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({hidden!r}))
for package in ("models", "serving"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
import features.cohort_file, features.encoding
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr

"""What was logged of a fitted version, its report, and the system's Chromium to open it in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.browser.conftest import chromium
from tests.training.conftest import FittedStore
from tests.training.report.validations import make_validation
from training.report.material import Material, gather
from training.report.run import make_files
from training.report.study import Study

__all__ = ["chromium"]


@pytest.fixture(scope="module")
def material(fitted_store: FittedStore) -> Material:
    """What was logged of a version never validated."""
    return gather(fitted_store.model)


@pytest.fixture(scope="module")
def files(material: Material) -> dict[str, str]:
    """Every file about the same version after an internal validation."""
    return make_files(replace(material, validation=make_validation()), Study())


@pytest.fixture(scope="module")
def internal(files: dict[str, str]) -> str:
    """Its report."""
    return files["report.html"]

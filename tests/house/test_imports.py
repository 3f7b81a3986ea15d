import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.repository import PACKAGES

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_writes_and_says_nothing(package: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []

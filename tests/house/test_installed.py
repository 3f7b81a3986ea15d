import base64
import hashlib
from importlib.metadata import Distribution
from pathlib import Path

from tests.house.installed import changed_files, differences


def make_package(folder: Path, version: str = "1.0") -> Distribution:
    info = folder / f"thing-{version}.dist-info"
    info.mkdir(parents=True)
    code = folder / "thing.py"
    code.write_text("VALUE = 1\n", encoding="utf-8")
    digest = base64.urlsafe_b64encode(hashlib.sha256(code.read_bytes()).digest()).rstrip(b"=").decode()
    (info / "METADATA").write_text(f"Name: thing\nVersion: {version}\n", encoding="utf-8")
    (info / "RECORD").write_text(f"thing.py,sha256={digest},10\nthing-{version}.dist-info/RECORD,,\n")
    return Distribution.at(info)


def test_changed_and_removed_files_of_a_package_are_found(tmp_path: Path) -> None:
    package = make_package(tmp_path)
    assert list(changed_files(package)) == []
    (tmp_path / "thing.py").write_text("VALUE = 2\n", encoding="utf-8")
    assert list(changed_files(package)) == ["thing: thing.py was changed"]
    (tmp_path / "thing.py").unlink()
    assert list(changed_files(package)) == ["thing: thing.py is gone"]


def test_other_missing_and_additional_packages_are_found(tmp_path: Path) -> None:
    installed = {"thing": make_package(tmp_path)}
    assert list(differences(installed, {"thing": "1.0"})) == []
    assert list(differences(installed, {"thing": "1.1"})) == ["thing 1.0 is installed; 1.1 is locked"]
    assert list(differences(installed, {})) == ["thing 1.0 is installed and not locked"]
    assert list(differences(installed, {"thing": "1.0", "other": "2"})) == [
        "other 2 is locked and not installed"
    ]

"""What the files of the repository may and may not say."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.repository import ROOT, project_files, text_of

# One letter of each in brackets, so that this file does not match itself.
REGISTRIES = re.compile(
    r"[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|[c]onda\.anaconda|[-]-(extra-)?index-url|[-]-find-links"
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/([w]ork|[r]oot|[h]ome|[U]sers)/\w")
SECTIONS = ["Context", "Decision", "Consequences"]

TEXTS = [(path, text) for path in project_files() if (text := text_of(path)) is not None]
TEST_MODULES = [
    (path, text) for path, text in TEXTS if path.is_relative_to(ROOT / "tests") and path.suffix == ".py"
]


def places(pattern: re.Pattern[str], texts: list[tuple[Path, str]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path, text in texts
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry() -> None:
    assert places(REGISTRIES, TEXTS) == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert places(MACHINE_PATHS, TEXTS) == []
    assert places(re.compile(re.escape(str(ROOT))), TEXTS) == []


def test_only_tests_know_of_data_beside_the_repository() -> None:
    outside = [(path, text) for path, text in TEXTS if not path.is_relative_to(ROOT / "tests")]
    assert places(re.compile(r"\.\./shared"), outside) == []


@pytest.mark.parametrize(
    "line", ["see https://pypi" + ".org/x", "pip install --" + "index-url x", "cd /ho" + "me/someone/project"]
)
def test_the_patterns_find_what_they_are_made_for(line: str) -> None:
    assert REGISTRIES.search(line) or MACHINE_PATHS.search(line)


def test_each_folder_of_tests_is_a_package() -> None:
    # Without it `tests/features` would shadow the package `features`.
    folders = {path.parent for path, _ in TEST_MODULES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_each_expected_error_is_matched_by_its_message() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, text in TEST_MODULES
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "pytest.raises"
        and "match" not in {keyword.arg for keyword in node.keywords}
    ]
    assert bare == []


def decision_records() -> list[Path]:
    return sorted((ROOT / "docs" / "adr").glob("*.md"))


def test_decision_records_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in decision_records()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3


@pytest.mark.parametrize("path", decision_records(), ids=lambda path: path.stem[:4])
def test_decision_record_has_its_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {int(path.name[:4])}\. \S", text), "the title starts with the number of the file"
    assert re.search(r"^Date: 20\d\d-\d\d-\d\d$", text, re.MULTILINE)
    assert re.search(r"^Status: (proposed|accepted|superseded by \d{4})$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS

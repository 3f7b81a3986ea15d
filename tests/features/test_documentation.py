import doctest
import importlib
import re
from pathlib import Path

import pytest

from features.cohort import load_cohort
from features.cohort_file import CohortFile, load_cohort_file
from features.errors import TableError
from features.scales import load_scales

PAGE = (Path(__file__).parents[2] / "docs" / "cohort-files.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def example(tmp_path: Path) -> CohortFile:
    path = tmp_path / "clinic.toml"
    path.write_text(block("toml"), encoding="utf-8")
    return load_cohort_file(path)


def test_the_worked_example_does_what_the_page_says(example: CohortFile, tmp_path: Path) -> None:
    path = tmp_path / "clinic.csv"
    path.write_text(block("csv"), encoding="utf-8")
    cohort = load_cohort(example, str(path))
    assert (cohort.flow.rows, cohort.flow.included, cohort.flow.with_endpoint) == (6, 5, 4)
    assert cohort.ids[cohort.response == 1].tolist() == ["A-01", "A-04"]


def test_the_messages_of_the_worked_example_are_those_of_the_page(
    example: CohortFile, tmp_path: Path
) -> None:
    table = (
        block("csv")
        .replace(";51;", ";51,5;")
        .replace("south;usual;29", "south;App;29")
        .replace("19;16", "19;61")
    )
    path = tmp_path / "clinic.csv"
    path.write_text(table, encoding="utf-8")
    with pytest.raises(TableError, match=r"clinic\.csv: 3 problems") as caught:
        load_cohort(example, str(path))
    assert str(caught.value).replace(str(path), "clinic.csv") in PAGE


def test_the_page_lists_every_scale_with_its_range_and_cut() -> None:
    for scale in load_scales().values():
        row = f"| `{scale.name}` | {scale.minimum:g} to {scale.maximum:g} | {scale.remission_at_most:g} "
        assert row in PAGE


@pytest.mark.parametrize("module", ["cohort_file", "errors", "outcomes", "scales", "toml_section"])
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"features.{module}"))
    assert result.attempted > 0
    assert result.failed == 0

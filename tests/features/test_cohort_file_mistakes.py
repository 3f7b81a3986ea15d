"""Whatever is wrong with a cohort file is named, with what is allowed."""

from pathlib import Path

import pytest

from features.cohort_file import load_cohort_file, parse_cohort_file
from features.errors import CohortFileError, UserError
from tests.features.files import COHORT, change, make_file


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "small"', "", "name: is missing"),
        ('name = "small"', 'name = "../small"', "name: '../small' may only hold"),
        ('name = "small"', "name = 3", "name: must be a text in quotes, got 3"),
        ('title = "A small cohort"', 'title = ""', "title: '' is empty"),
        (
            '"observational"',
            '"observed"',
            "provenance: 'observed' is not known; allowed: simulated, observational",
        ),
        ("row_id =", "row_ids =", "unknown key 'row_ids'; did you mean 'row_id'?"),
        ("row_id =", "zzz =", "unknown key 'zzz'; known keys: name, title"),
        ('group = "site"', 'group = " site"', "group: ' site' is empty, has spaces around it"),
        ("endpoint =", "endpiont =", "[outcome] unknown key 'endpiont'; did you mean 'endpoint'?"),
        ("endpoint =", "endpiont =", "[outcome] endpoint: is missing"),
        (
            '"madrs_end"',
            '"madrs_start"',
            "[outcome] endpoint: 'madrs_start' is the [outcome] baseline already",
        ),
        (
            'group = "site"',
            'group = "id"',
            "group: 'id' is the row_id already; each role needs its own column",
        ),
        ('"MADRS"', '"MADR"', "[outcome] scale: 'MADR' is not known; did you mean 'MADRS'?"),
        ('"MADRS"', '"XYZ"', "[outcome] scale: 'XYZ' is not known; known scales: MADRS, HAMD17"),
        ('"MADRS"', "7", "[outcome] scale: must be a table [outcome.scale], got 7"),
        ('"MADRS"', '{name = "X"}', "[outcome.scale] minimum: is missing"),
        (
            '"MADRS"',
            '{name = "X", minimum = 0, maximum = 9, remission_at_most = 9}',
            "[outcome.scale] remission_at_most: must be on the scale",
        ),
        (
            '"MADRS"',
            '{name = "PHQ9", minimum = 0, maximum = 9, remission_at_most = 3}',
            "[outcome.scale] name: 'PHQ9' is a known scale",
        ),
        (
            "minimum_baseline = 20",
            "minimum_baseline = true",
            "[outcome] minimum_baseline: must be a number, got true",
        ),
        (
            "minimum_baseline = 20",
            "minimum_baseline = 61",
            "[outcome] minimum_baseline: must be on the scale, 0 to 60",
        ),
        (
            "minimum_baseline = 20",
            "response_reduction = 50",
            "[outcome] response_reduction: must be above 0 and at most 1, got 50",
        ),
        (
            'reference = "pill"',
            'reference = "pil"',
            "[plan] reference: 'pil' is not a plan; did you mean 'pill'?",
        ),
        ('pill = "A pill"', "", "[plan] levels: at least two plans are needed"),
        ('pill = "A pill"', "pill = 1", "[plan.levels] pill: must be a text in quotes, got 1"),
        ('column = "plan"', 'column = "id"', "[plan] column: 'id' is the row_id already"),
        ('["baseline", "day_1"]', '["day_1", "baseline"]', "[landmarks] order: must start with 'baseline'"),
        ('["baseline", "day_1"]', '["baseline", "day_2"]', "landmark: 'day_1' is not in [landmarks] order"),
        (
            '["baseline", "day_1"]',
            '"baseline"',
            "[landmarks] order: must be a list of texts or whole numbers",
        ),
        (
            'kind = "binary"',
            'kind = "boolean"',
            "[predictors.pain] kind: 'boolean' is not known; allowed: number, bin",
        ),
        ('kind = "binary"', "", "[predictors.pain] kind: is missing"),
        ('unit = "years"', 'units = "years"', "[predictors.age] unknown key 'units'; did you mean 'unit'?"),
        ("subgroup = true", "subgroup = 1", "[predictors.age] subgroup: must be true or false, got 1"),
        (
            "subgroup = true",
            "cuts = [40]",
            "[predictors.age] cuts: says where subgroups are cut; write subgr",
        ),
        (
            "subgroup = true",
            "subgroup = true\ncuts = [65, 40]",
            "[predictors.age] cuts: each number must be hi",
        ),
        (
            "subgroup = true",
            "subgroup = true\ncuts = [18]",
            "[predictors.age] cuts: must lie within valid, ab",
        ),
        ("subgroup = true", "subgroup = true\ncuts = []", "[predictors.age] cuts: must be a list of numbers"),
        ('kind = "binary"', 'kind = "binary"\ncuts = [1]', "[predictors.pain] cuts: has no meaning for kind"),
        (
            "subgroup = true",
            'subgroup = true\nscale = "MADR"',
            "[predictors.age] scale: 'MADR' is not known; did you mean",
        ),
        (
            'kind = "binary"',
            'kind = "binary"\nscale = "MADRS"',
            "[predictors.pain] scale: has no meaning for kind",
        ),
        (
            "[18, 100]",
            "[100, 18]",
            "[predictors.age] valid: the lowest must be below the highest, got [100, 18]",
        ),
        ("[18, 100]", "[18, true]", "[predictors.age] valid: must be two numbers, [lowest, highest]"),
        ("[18, 100]", "[18, inf]", "[predictors.age] valid: must be two numbers, [lowest, highest]"),
        ("[18, 100]", "[18]", "[predictors.age] valid: must be two numbers, [lowest, highest]"),
        ('"male", "none"]', '"male", "male"]', "[predictors.sex] levels: 'male' is listed more than once"),
        ("levels = [0, 1, 2]", "levels = [0]", "[predictors.trauma] levels: at least two are needed"),
        ("levels = [0, 1, 2]", "", "[predictors.trauma] levels: is missing"),
        (
            "levels = [0, 1, 2]",
            "levels = [0, 1.5]",
            "[predictors.trauma] levels: must be a list of texts or whole",
        ),
        (
            "levels = [0, 1, 2]",
            "levels = [0, true]",
            "[predictors.trauma] levels: must be a list of texts or whole",
        ),
        (
            'label = "Chronic pain"',
            "valid = [0, 1]",
            "[predictors.pain] valid: has no meaning for kind = 'binary'",
        ),
        (
            'label = "Chronic pain"',
            'levels = ["a", "b"]',
            "[predictors.pain] levels: has no meaning for kind = 'bin",
        ),
        (
            "[predictors.crp]",
            "[predictors.id]",
            "[predictors.id]: this column is the row_id, which cannot be",
        ),
        (
            "[predictors.crp]",
            "[predictors.site]",
            "[predictors.site]: this column is the group, which cannot be",
        ),
        (
            "[predictors.crp]",
            "[predictors.start]",
            "[predictors.start]: this column is the date, which cannot be",
        ),
        (
            "[predictors.crp]",
            "[predictors.madrs_end]",
            "[predictors.madrs_end]: this column is the [outcome] endpoint, which cannot be a predictor",
        ),
        (
            "[predictors.crp]",
            "[predictors.plan]",
            "[predictors.plan]: this column is the [plan] column, which cannot",
        ),
        ("[predictors.crp]", "[predictors.weeks]", "this column is the [durability] weeks, which cannot be"),
        (
            "[predictors.crp]",
            "[predictors.relapsed]",
            "this column is the [durability] relapsed, which cannot be",
        ),
        (
            '[predictors.madrs_start]\nkind = "number"\nvalid = [0, 60]',
            '[predictors.madrs_start]\nkind = "binary"\nlandmark = "day_1"',
            "[predictors.madrs_start] kind: must be 'number', since this column is the [outcome] baseline",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(old: str, new: str, problem: str) -> None:
    with pytest.raises(CohortFileError, match=r"^small\.toml: ") as caught:
        make_file(old, new)
    assert any(problem in found for found in caught.value.problems), caught.value.problems


def test_every_problem_of_a_file_is_listed_at_once() -> None:
    text = (
        change('"MADRS"', '"MADR"')
        .replace("[18, 100]", "[100, 18]")
        .replace("[predictors.crp]", "[predictors.id]")
    )
    with pytest.raises(CohortFileError, match="3 problems") as caught:
        parse_cohort_file(text, "small.toml")
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == 3
    assert [line.removeprefix("  - ") for line in lines[1:]] == list(caught.value.problems)


@pytest.mark.parametrize("section", ["outcome", "predictors"])
def test_a_file_without_a_required_section_is_refused(section: str) -> None:
    text = 'name = "a"\ntitle = "b"\nprovenance = "simulated"\n'
    others = {
        "outcome": 'outcome = {scale = "PHQ9", baseline = "b", endpoint = "e"}',
        "predictors": 'predictors.a.kind = "binary"',
    }
    del others[section]
    with pytest.raises(CohortFileError, match=rf"a\.toml: \[{section}\]: is missing"):
        parse_cohort_file(text + "\n".join(others.values()), "a.toml")


def test_an_empty_file_names_all_that_is_missing() -> None:
    with pytest.raises(CohortFileError, match="5 problems"):
        parse_cohort_file("", "empty.toml")


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(CohortFileError, match=r"broken\.toml: is not TOML: .*line 1"):
        parse_cohort_file("name = \n", "broken.toml")


def test_a_file_that_does_not_exist_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_cohort_file(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('title = "Müller"'.encode("latin-1"))
    with pytest.raises(CohortFileError, match="is not UTF-8"):
        load_cohort_file(path)


LITERALS = ["true", "-1", "1e400", "nan", '""', "[]", "[[1, 2], 3]", "{}", "{a = 1}", "2026-11-23", "9" * 40]
KEYS = [line for line in COHORT.splitlines() if " = " in line]


def is_refused(text: str) -> bool:
    try:
        parse_cohort_file(text, "small.toml")
    except CohortFileError:
        return True
    return False


@pytest.mark.parametrize("literal", LITERALS)
def test_no_value_of_any_type_breaks_the_reading(literal: str) -> None:
    accepted = [
        line
        for line in KEYS
        if not is_refused(COHORT.replace(f"\n{line}\n", f"\n{line.split(' = ')[0]} = {literal}\n"))
    ]
    # Only here is one of these values what may be meant.
    assert accepted == (["subgroup = true"] if literal == "true" else [])


@pytest.mark.parametrize(
    "text",
    [
        "predictors = 3",
        "predictors = []",
        "[predictors]\nage = 3",
        "plan = 'x'",
        "outcome = [1]",
        "landmarks = {}",
    ],
)
def test_no_section_of_a_wrong_type_breaks_the_reading(text: str) -> None:
    with pytest.raises(CohortFileError, match="problems"):
        parse_cohort_file(text, "small.toml")

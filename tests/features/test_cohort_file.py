import pickle
import re
from pathlib import Path

import pytest

from features.cohort_file import load_cohort_file, parse_cohort_file
from features.errors import CohortFileError, UserError
from tests.features.files import COHORT, change, make_file

SHIPPED = sorted((Path(__file__).parents[2] / "features" / "cohorts").glob("*.toml"))


def test_everything_written_is_read() -> None:
    cohort_file = make_file()
    assert (cohort_file.name, cohort_file.provenance) == ("small", "observational")
    assert (cohort_file.row_id, cohort_file.group, cohort_file.date) == ("id", "site", "start")
    outcome = cohort_file.outcome
    assert (outcome.scale.name, outcome.baseline, outcome.endpoint) == ("MADRS", "madrs_start", "madrs_end")
    assert (outcome.response_reduction, outcome.minimum_baseline) == (0.5, 20)
    assert cohort_file.plan is not None
    assert cohort_file.plan.reference == "pill"
    assert cohort_file.plan_levels == ("spray", "pill")
    assert cohort_file.landmarks == ("baseline", "day_1")
    assert cohort_file.durability is not None
    age, pain, sex, trauma = cohort_file.predictors[:4]
    assert (age.label, age.unit, age.valid, age.subgroup) == ("Age", "years", (18.0, 100.0), True)
    assert pain.label == "Chronic pain"
    assert sex.levels == ("female", "male", "none")
    assert trauma.levels == ("0", "1", "2")
    assert cohort_file.text == COHORT


def test_baseline_predictors_are_those_of_the_first_landmark() -> None:
    names = [predictor.name for predictor in make_file().baseline_predictors]
    assert names == ["age", "pain", "sex", "trauma", "madrs_start", "crp"]


def test_optional_parts_may_be_left_out() -> None:
    cohort_file = parse_cohort_file(
        """
        name = "least"
        title = "The least"
        provenance = "randomised"
        outcome = {scale = "PHQ9", baseline = "before", endpoint = "after"}
        predictors."bdi.pre" = {kind = "binary"}
        """,
        "least.toml",
    )
    assert (cohort_file.plan, cohort_file.durability, cohort_file.row_id) == (None, None, None)
    assert (cohort_file.plan_levels, cohort_file.landmarks) == ((), ("baseline",))
    assert cohort_file.predictors[0].label == "Bdi pre"


def test_a_scale_can_be_written_out() -> None:
    inline = '{name = "X", minimum = 0, maximum = 80, remission_at_most = 10.5}'
    scale = make_file('scale = "MADRS"', f"scale = {inline}").outcome.scale
    assert (scale.name, scale.minimum, scale.maximum, scale.remission_at_most) == ("X", 0, 80, 10.5)


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
        ("subgroup = true", "cuts = [40]", "[predictors.age] cuts: says where subgroups are cut; write"),
        ("subgroup = true", "subgroup = true\ncuts = [65, 40]", "[predictors.age] cuts: each number must be"),
        ("subgroup = true", "subgroup = true\ncuts = [18]", "[predictors.age] cuts: must lie within valid,"),
        ("subgroup = true", "subgroup = true\ncuts = []", "[predictors.age] cuts: must be a list of numbers"),
        ('kind = "binary"', 'kind = "binary"\ncuts = [1]', "[predictors.pain] cuts: has no meaning for kind"),
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


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_text(COHORT, encoding="utf-8-sig")
    assert load_cohort_file(path) == make_file()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_shipped_file_is_valid_and_named_after_its_cohort(path: Path) -> None:
    assert load_cohort_file(path).name == path.stem.replace("_", "-")


def test_cohort_files_and_errors_can_be_sent_to_other_processes() -> None:
    cohort_file = make_file()
    assert pickle.loads(pickle.dumps(cohort_file)) == cohort_file
    error = CohortFileError("small.toml", ["a", "b"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


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


FUTILITY = """
[futility]
checks = ["madrs_day_1", "madrs_session_3", "madrs_session_4"]
improvement = 0.2
consecutive = 2
decisive = "madrs_session_4"
landmark = "day_1"
plans = ["spray"]
text = "The rule in words."
source = "A paper."
"""


def with_futility(old: str = "", new: str = "") -> str:
    assert not old or FUTILITY.count(old) == 1, old
    return COHORT + (FUTILITY.replace(old, new) if old else FUTILITY)


def test_a_futility_rule_is_read() -> None:
    rule = parse_cohort_file(with_futility(), "small.toml").futility
    assert rule is not None
    assert rule.checks == ("madrs_day_1", "madrs_session_3", "madrs_session_4")
    assert (rule.improvement, rule.consecutive, rule.decisive) == (0.2, 2, "madrs_session_4")
    assert (rule.landmark, rule.plans) == ("day_1", ("spray",))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("improvement = 0.2", "improvement = 20", "improvement: must be a share between 0 and 1, got 20"),
        ("consecutive = 2", "consecutive = 4", "consecutive: must be a whole number from 1 to the number"),
        ("consecutive = 2", "consecutive = 1.5", "consecutive: must be a whole number from 1 to the number"),
        (
            'decisive = "madrs_session_4"',
            'decisive = "madrs_session_9"',
            "decisive: 'madrs_session_9' is none of the checks; did you mean 'madrs_session_",
        ),
        (
            'landmark = "day_1"',
            'landmark = "baseline"',
            "landmark: 'baseline' is no later landmark; allowed: day_1",
        ),
        ('plans = ["spray"]', 'plans = ["nose"]', "plans: 'nose' is not a plan of [plan.levels]"),
        ('plans = ["spray"]', "", "plans: is missing: the plans that the rule was made for"),
        ('"madrs_session_3"', '"madrs_end"', "checks: 'madrs_end' is the [outcome] endpoint already"),
        ('"madrs_session_3"', '"crp"', "checks: the predictor 'crp' must be a number that is known after"),
        ('source = "A paper."', "", "source: is missing"),
        ("consecutive = 2", "consecutives = 2", "unknown key 'consecutives'; did you mean 'consecutive'?"),
    ],
)
def test_a_wrong_futility_rule_is_refused(old: str, new: str, problem: str) -> None:
    with pytest.raises(CohortFileError, match=re.escape(f"[futility] {problem}")):
        parse_cohort_file(with_futility(old, new), "small.toml")


def test_at_a_landmark_what_is_known_by_then_counts_as_baseline() -> None:
    text = COHORT.replace('["baseline", "day_1"]', '["baseline", "day_1", "week_2"]')
    text += '[predictors.madrs_week_2]\nkind = "number"\nlandmark = "week_2"\n'
    cohort_file = parse_cohort_file(text, "small.toml")
    before = [p.name for p in cohort_file.baseline_predictors]
    assert [p.name for p in cohort_file.later_predictors] == ["madrs_day_1", "madrs_week_2"]
    known = {
        landmark: [p.name for p in cohort_file.at(landmark).baseline_predictors]
        for landmark in cohort_file.landmarks
    }
    assert known == {
        "baseline": before,
        "day_1": [*before, "madrs_day_1"],
        "week_2": [*before, "madrs_day_1", "madrs_week_2"],
    }
    for landmark in cohort_file.landmarks:
        at = cohort_file.at(landmark)
        assert (at.later_predictors, at.text, at.plan) == ((), cohort_file.text, cohort_file.plan)
    with pytest.raises(ValueError, match="no landmark 'day_9'; there are: baseline, day_1, week_2"):
        cohort_file.at("day_9")

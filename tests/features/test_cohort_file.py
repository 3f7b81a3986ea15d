import pickle
from pathlib import Path

import pytest

from features.cohort_file import load_cohort_file, parse_cohort_file
from features.errors import CohortFileError
from tests.features.files import COHORT, make_file

COHORTS = Path(__file__).parents[2] / "features" / "cohorts"
# NAME.examples.toml and NAME.fhir.toml stand beside the cohort file NAME.toml.
SHIPPED = sorted(path for path in COHORTS.glob("*.toml") if "." not in path.stem)


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

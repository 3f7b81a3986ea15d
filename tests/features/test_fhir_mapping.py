"""FHIR mappings: read whole, checked against their cohort file, every problem at once."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from features.cohort_file import CohortFile, parse_cohort_file
from features.errors import CohortFileError
from features.fhir_mapping import find_mapping, parse_mapping

HEAD = """
cohort = "ketamine-trd"
outcome_days = 28
plan = "iv_ketamine"
[systems]
loinc = "http://loinc.org"
"""


@pytest.fixture(scope="module")
def shipped_file() -> CohortFile:
    text = files("features").joinpath("cohorts/ketamine_trd.toml").read_text(encoding="utf-8")
    return parse_cohort_file(text, "ketamine_trd.toml")


def test_shipped_mapping_fits_its_cohort(shipped_file: CohortFile) -> None:
    mapping = find_mapping(None, shipped_file)
    assert mapping is not None
    assert mapping.predictors["phq9_baseline"].look_back_days == 30
    assert mapping.orders.keys() <= set(shipped_file.plan_levels)
    # What is measured during treatment has no place in a prediction from before it.
    later = {predictor.name for predictor in shipped_file.later_predictors}
    assert not later & mapping.predictors.keys()


def test_every_observation_has_a_look_back_unless_it_counts_over_a_life(shipped_file: CohortFile) -> None:
    mapping = find_mapping(None, shipped_file)
    assert mapping is not None
    sources = {**mapping.predictors, **mapping.safety}
    unbounded = {n for n, s in sources.items() if s.read == "observation" and s.look_back_days is None}
    assert unbounded == {"failed_trials"}


def test_other_cohort_has_no_shipped_mapping(shipped_file: CohortFile) -> None:
    other = parse_cohort_file(shipped_file.text.replace('name = "ketamine-trd"', 'name = "other"'), "x")
    assert find_mapping(None, other) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            '[predictors.x]\nread = "observation"\ncodes = ["snomed|1"]',
            "must be system|code, with a system of: loinc",
        ),
        ('[predictors.x]\nread = "observation"\ncodes = ["44261-6"]', "must be system|code"),
        ('[predictors.x]\nread = "observation"', "codes: is missing"),
        ('[predictors.x]\nread = "gender"', "values: are needed"),
        ('[predictors.x]\nread = "birthdate"', "'birthdate' is not known"),
        ('[predictors.x]\nread = "gender"\nvalues = {male = "male"}\npast = true', "past: has no meaning"),
        ('[predictors.x]\nread = "birth_date"\nlookback = 3', "unknown key 'lookback'"),
        ('[predictors.x]\nread = "observation"\ncodes = ["loinc|1"]\nlook_back_days = 0.5', "whole number"),
        (
            '[predictors.x]\nread = "observation"\ncodes = ["loinc|1"]\nvalues = {"LA1-2" = 1}',
            "must be system|code",
        ),
        ('[predictor.x]\nread = "birth_date"', "did you mean 'predictors'"),
    ],
)
def test_faulty_mapping_is_refused(body: str, message: str) -> None:
    with pytest.raises(CohortFileError, match=re.escape(message.replace("\\|", "|"))):
        parse_mapping(HEAD + body, "x.fhir.toml")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[predictors.ages]\nread = "birth_date"', "[predictors] 'ages' is not known; did you mean 'age'?"),
        ('[predictors.madrs_day_1]\nread = "birth_date"', "'madrs_day_1' is not known"),
        ('[predictors.sex]\nread = "gender"\nvalues = {male = "man"}', "'man' is none of: female, male"),
        ('[predictors.age]\nread = "condition"\ncodes = ["loinc|1"]', "can only say yes or no"),
        ('[predictors.crp]\nread = "observation"\ncodes = ["loinc|1"]', "could be in any unit"),
        ('[safety.nothing]\nread = "birth_date"', "[safety] 'nothing' is not known"),
        ('[safety.phq9_item_9]\nread = "condition"\ncodes = ["loinc|1"]', "not a number"),
        ('[orders]\nketamine = ["loinc|1"]', "[orders] 'ketamine' is not known"),
    ],
)
def test_mapping_that_does_not_fit_is_refused(
    shipped_file: CohortFile, tmp_path: Path, body: str, message: str
) -> None:
    path = tmp_path / "own.fhir.toml"
    path.write_text(HEAD + body, encoding="utf-8")
    with pytest.raises(CohortFileError, match=re.escape(message)):
        find_mapping(path, shipped_file)


def test_mapping_of_another_cohort_is_refused(shipped_file: CohortFile, tmp_path: Path) -> None:
    path = tmp_path / "own.fhir.toml"
    path.write_text(
        HEAD.replace("ketamine-trd", "anxiety").replace('plan = "iv_ketamine"', ""), encoding="utf-8"
    )
    with pytest.raises(
        CohortFileError, match=r"(?s)is for 'anxiety', not for 'ketamine-trd'.*plan: must be one of"
    ):
        find_mapping(path, shipped_file)


def test_absent_file_is_said(shipped_file: CohortFile, tmp_path: Path) -> None:
    with pytest.raises(CohortFileError, match="cannot be read"):
        find_mapping(tmp_path / "absent.toml", shipped_file)

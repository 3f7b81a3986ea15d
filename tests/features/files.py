"""Small cohort files for tests."""

from features.cohort_file import CohortFile, parse_cohort_file

COHORT = """
name = "small"
title = "A small cohort"
provenance = "observational"
row_id = "id"
group = "site"
date = "start"

[outcome]
scale = "MADRS"
baseline = "madrs_start"
endpoint = "madrs_end"
minimum_baseline = 20

[plan]
column = "plan"
reference = "pill"
[plan.levels]
spray = "A spray"
pill = "A pill"

[landmarks]
order = ["baseline", "day_1"]

[durability]
weeks = "weeks"
relapsed = "relapsed"
maintenance = "maintenance"

[predictors.age]
kind = "number"
unit = "years"
valid = [18, 100]
subgroup = true
[predictors.pain]
kind = "binary"
label = "Chronic pain"
[predictors.sex]
kind = "category"
levels = ["female", "male", "none"]
[predictors.trauma]
kind = "ordinal"
levels = [0, 1, 2]
[predictors.madrs_start]
kind = "number"
valid = [0, 60]
[predictors.crp]
kind = "number"
[predictors.madrs_day_1]
kind = "number"
valid = [0, 60]
landmark = "day_1"
"""


def make_file(old: str = "", new: str = "") -> CohortFile:
    return parse_cohort_file(change(old, new), "small.toml")


def change(old: str, new: str) -> str:
    assert not old or COHORT.count(old) == 1, f"{old!r} stands {COHORT.count(old)} times in the file"
    return COHORT.replace(old, new) if old else COHORT

"""Small cohort files for tests."""

import pandas as pd

from features.cohort_file import CohortFile, parse_cohort_file
from features.cohort_file_model import MAINTENANCE

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


def make_table(rows: int = 8) -> dict[str, list[object]]:
    """Make a table for the small cohort file: as read from CSV, every cell a text, nothing wrong."""
    return {
        "id": [f"p{i}" for i in range(rows)],
        "site": ["north" if i < rows // 2 else "south" for i in range(rows)],
        "start": [f"2026-01-{i % 28 + 1:02d}" for i in range(rows)],
        "madrs_start": [str(30 + i % 5) for i in range(rows)],
        "madrs_end": ["8" if i % 2 else "28" for i in range(rows)],
        "plan": ["spray" if i % 3 else "pill" for i in range(rows)],
        "age": [str(40 + i % 20) for i in range(rows)],
        "pain": ["yes" if i % 2 else "no" for i in range(rows)],
        "sex": ["female" if i % 4 else "male" for i in range(rows)],
        "trauma": [str(i % 3) for i in range(rows)],
        "crp": [f"{i % 7}.5" for i in range(rows)],
        "madrs_day_1": [str(20 + i % 5) for i in range(rows)],
        "weeks": [f"{4 + i % 9}.5" if i % 2 else "" for i in range(rows)],
        "relapsed": [str(i % 4 // 3) if i % 2 else "" for i in range(rows)],
        "maintenance": [MAINTENANCE[i // 2 % 4] if i % 2 else "" for i in range(rows)],
    }


def make_frame(**cells: object) -> pd.DataFrame:
    """Make that table with the first row's cells of some columns replaced."""
    table = make_table()
    for column, cell in cells.items():
        table[column][0] = cell
    return pd.DataFrame({name: pd.Series(values) for name, values in table.items()})

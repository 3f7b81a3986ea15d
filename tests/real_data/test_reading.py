import csv
from pathlib import Path

import numpy as np
import pytest

import features
from features.cohort import Cohort, load_cohort, make_cohort
from features.cohort_file import load_cohort_file
from features.encoding import column_names
from features.trainable import check_trainable
from tests.real_data.data import HERE, find_table, load_beat_the_blues


def count_by_plan(cohort: Cohort) -> dict[str, tuple[int, int]]:
    """Responders and patients with an endpoint, by plan."""
    plans = cohort.rows[:, -1]
    return {
        level: (
            int((cohort.response[plans == i] == 1).sum()),
            int((~np.isnan(cohort.response[plans == i])).sum()),
        )
        for i, level in enumerate(cohort.file.plan_levels)
    }


@pytest.fixture(scope="module")
def thp() -> Cohort:
    return load_cohort(load_cohort_file(HERE / "thp.toml"), find_table("thp_perinatal_cbt.csv"))


def test_thp_has_the_published_counts(thp: Cohort) -> None:
    # Counted from the table without this code: 319 of 418 with therapy respond, 186 of 400 without.
    assert count_by_plan(thp) == {"0": (186, 400), "1": (319, 418)}
    assert (thp.flow.rows, thp.flow.included, thp.flow.with_endpoint) == (903, 903, 818)
    assert thp.groups is not None
    assert len(np.unique(thp.groups)) == 40
    check_trainable(thp)


def test_thp_predictors_are_the_columns_known_before_treatment(thp: Cohort) -> None:
    with Path(find_table("thp_perinatal_cbt.csv")).open(newline="") as file:
        header = next(csv.reader(file))
    before = header[header.index("treat") : header.index("enoughfoodmoney") + 1]
    assert column_names(thp.file) == (*before[1:], "treat")


def test_thp_values_are_those_of_the_table(thp: Cohort) -> None:
    with Path(find_table("thp_perinatal_cbt.csv")).open(newline="") as file:
        table = list(csv.DictReader(file))
    for j, name in enumerate(column_names(thp.file)):
        # All columns are numbers, and ordinal levels and plans count from 0: the codes are the values.
        expected = [float(row[name] or "nan") for row in table]
        np.testing.assert_array_equal(thp.rows[:, j], expected, err_msg=name)


def test_nimh_is_as_tiny_as_published() -> None:
    cohort = load_cohort(load_cohort_file(HERE / "nimh.toml"), find_table("nimh_ketamine_first_infusion.csv"))
    assert count_by_plan(cohort) == {"ketamine": (5, 15), "saline": (0, 13)}
    assert (cohort.flow.rows, cohort.flow.with_endpoint) == (31, 28)
    check_trainable(cohort)


def test_beat_the_blues_reads_on_every_machine() -> None:
    path = Path(features.__file__).parent / "cohorts" / "beat_the_blues.toml"
    cohort = make_cohort(load_cohort_file(path), load_beat_the_blues())
    assert (cohort.flow.rows, cohort.flow.with_endpoint) == (100, 97)
    # Half of BDI-II before treatment, or less, after two months.
    table = load_beat_the_blues()
    half = table["bdi.2m"] <= table["bdi.pre"] / 2
    assert np.nansum(cohort.response) == half.sum()
    check_trainable(cohort)

"""Follow-up of responders: what the columns of [durability] may hold, and who has it."""

import numpy as np
import pytest

from features.cohort import FollowUp, make_cohort
from features.cohort_file import parse_cohort_file
from features.cohort_file_model import MAINTENANCE
from features.errors import TableError
from features.schema import check_table
from tests.features.files import COHORT, make_file, make_frame

FILE = make_file()
SECTION = """[durability]
weeks = "weeks"
relapsed = "relapsed"
maintenance = "maintenance"

"""


def follow_up(**cells: str) -> FollowUp:
    """Follow-up of the small table, in which odd rows respond, with some cells of row 1 replaced."""
    frame = make_frame()
    for column, cell in cells.items():
        frame.loc[1, column] = cell
    found = make_cohort(FILE, frame).follow_up
    assert found is not None
    return found


def test_responders_have_weeks_relapse_and_maintenance() -> None:
    found = follow_up(weeks="0", relapsed="yes", maintenance="weekly")
    np.testing.assert_array_equal(found.followed, [False, True] * 4)
    assert (found.weeks[1], found.relapsed[1]) == (0, 1)
    assert found.levels == MAINTENANCE
    assert found.levels[int(found.maintenance[1])] == "weekly"


@pytest.mark.parametrize("column", ["weeks", "relapsed", "maintenance"])
def test_a_responder_who_lacks_one_of_the_three_has_no_follow_up(column: str) -> None:
    found = follow_up(**{column: ""})
    np.testing.assert_array_equal(np.flatnonzero(found.followed), [3, 5, 7])
    for values in (found.weeks, found.relapsed, found.maintenance):
        assert np.isnan(values[[0, 1, 2, 4, 6]]).all()


def test_what_stands_beside_others_than_responders_is_not_used() -> None:
    frame = make_frame(weeks="3", relapsed="1", maintenance="weekly")  # the first row does not respond
    ours, theirs = make_cohort(FILE, frame).follow_up, make_cohort(FILE, make_frame()).follow_up
    assert ours is not None
    assert theirs is not None
    np.testing.assert_array_equal(ours.weeks, theirs.weeks)
    # A responder whose endpoint is lost is no longer known to be one.
    assert not follow_up(madrs_end="").followed[1]


def test_rows_that_are_excluded_take_their_follow_up_with_them() -> None:
    found = follow_up(madrs_start="")
    np.testing.assert_array_equal(found.followed, [False, False, True, False, True, False, True])


@pytest.mark.parametrize(
    ("column", "cell", "allowed"),
    [
        ("weeks", "-0.5", "a number of at least 0, with a decimal point"),
        ("weeks", "soon", "a number of at least 0, with a decimal point"),
        ("relapsed", "2", "0 or 1, true or false, yes or no"),
        ("maintenance", "monthly", "none, every_4_weeks, every_2_weeks, weekly"),
    ],
)
def test_a_cell_that_is_not_allowed_is_refused(column: str, cell: str, allowed: str) -> None:
    with pytest.raises(TableError, match=rf"row 2 \(id p1\), column '{column}': .* allowed: {allowed}"):
        follow_up(**{column: cell})


@pytest.mark.parametrize("column", ["weeks", "relapsed", "maintenance"])
def test_the_columns_are_needed_to_fit_and_not_to_score(column: str) -> None:
    frame = make_frame().drop(columns=column)
    with pytest.raises(TableError, match=f"column '{column}' is missing"):
        make_cohort(FILE, frame)
    assert column not in check_table(FILE, frame, "score").columns


def test_none_is_a_maintenance_and_no_missing_value() -> None:
    found = follow_up(maintenance="none")
    assert found.maintenance[1] == 0


def test_without_the_section_there_is_no_follow_up() -> None:
    file = parse_cohort_file(COHORT.replace(SECTION, ""), "small.toml")
    assert file.durability is None
    assert make_cohort(file, make_frame()).follow_up is None

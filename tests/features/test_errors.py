import pytest

from features.errors import (
    AnswersError,
    ArtefactError,
    CohortFileError,
    GatesError,
    RecordError,
    RegistryError,
    ScheduleError,
    TableError,
    TrainingDataError,
    UserError,
)


@pytest.mark.parametrize(
    "kind",
    [
        AnswersError,
        ArtefactError,
        CohortFileError,
        GatesError,
        RecordError,
        RegistryError,
        ScheduleError,
        TableError,
        TrainingDataError,
    ],
)
def test_each_mistake_of_a_user_has_the_same_base(kind: type[Exception]) -> None:
    # The command line catches this one class to print a message instead of a traceback.
    assert issubclass(kind, UserError)


def test_a_single_problem_stands_on_one_line() -> None:
    assert str(TableError("a.csv", ["is empty"])) == "a.csv: is empty"


def test_a_long_list_is_cut_when_printed_but_kept_whole() -> None:
    error = TableError("a.csv", [f"problem {i}" for i in range(80)])
    lines = str(error).splitlines()
    assert lines[0] == "a.csv: 80 problems"
    assert (lines[1], lines[50], lines[51]) == ("  - problem 0", "  - problem 49", "  and 30 more")
    assert len(error.problems) == 80

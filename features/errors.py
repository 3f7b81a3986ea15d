"""The mistakes a user can make.

The command line prints them without a traceback; the service answers with a problem document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AnswersError",
    "ArtefactError",
    "CohortFileError",
    "GatesError",
    "ProblemsError",
    "RecordError",
    "RegistryError",
    "ScheduleError",
    "TableError",
    "TrainingDataError",
    "UserError",
]

_PRINTED_PROBLEMS = 50


class UserError(Exception):
    """Something the user gave is wrong; the message says what, where, and what is allowed."""


class ProblemsError(UserError):
    """Everything that is wrong with one thing, at once.

    Parameters
    ----------
    origin : str
        The file, table or query that was checked.
    problems : sequence of str
        One sentence each. All are kept; at most 50 are printed.

    Examples
    --------
    >>> print(TableError("patients.csv", ["column 'age' is missing", "column 'sex' is missing"]))
    patients.csv: 2 problems
      - column 'age' is missing
      - column 'sex' is missing
    """

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        # The arguments themselves go to Exception, so that worker processes can send the error back.
        super().__init__(origin, tuple(problems))
        self.origin = origin
        self.problems: tuple[str, ...] = tuple(problems)

    def __str__(self) -> str:
        """Give the origin, then one line a problem."""
        if len(self.problems) == 1:
            return f"{self.origin}: {self.problems[0]}"
        lines = [f"{self.origin}: {len(self.problems)} problems"]
        lines += [f"  - {problem}" for problem in self.problems[:_PRINTED_PROBLEMS]]
        if len(self.problems) > _PRINTED_PROBLEMS:
            lines.append(f"  and {len(self.problems) - _PRINTED_PROBLEMS} more")
        return "\n".join(lines)


class CohortFileError(ProblemsError):
    """A cohort file that cannot be read, or contradicts itself."""


class TableError(ProblemsError):
    """A table that cannot be read, or is not what its cohort file says."""


class AnswersError(ProblemsError):
    """Answers of the safety screen that their questions do not allow."""


class ScheduleError(UserError):
    """A schedule that cannot be made as asked for."""


class GatesError(ProblemsError):
    """A file of gates that cannot be read, or contradicts itself."""


class TrainingDataError(UserError):
    """A correct table from which nothing can be learned: too few events, an empty or constant column."""


class ArtefactError(UserError):
    """Files of a model that are missing, corrupt, or not ours."""


class RegistryError(UserError):
    """A tracking store that cannot be reached, or has no such model or alias."""


class RecordError(UserError):
    """A validation record that is missing, failed, forged or for other files; or a key that is none."""

"""What a service's records hold of the answers that its clients got; read without the service's own code."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load import numbers_of

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.load import Answers, Questions


@dataclass(frozen=True)
class Recorded:
    """How records and answers agree.

    Parameters
    ----------
    stored : int
        Predictions on record.
    repeated : int
        Of them, those whose id was there before.
    lost : int
        Answers that are not on record.
    different : int
        Records that do not say what was answered; where nobody got the answer, what no patient's would be.
    unacknowledged : int
        Records whose answer nobody got.
    """

    stored: int
    repeated: int
    lost: int
    different: int
    unacknowledged: int

    def problems(self, unanswered: int) -> int:
        """Count what must not be, given how many requests were sent and never answered."""
        unexplained = max(0, self.unacknowledged - unanswered)
        return self.repeated + self.lost + self.different + unexplained


def compare(file: Path, answers: Answers, questions: Questions) -> Recorded:
    """Hold the records against the answers.

    Parameters
    ----------
    file : Path
        SQLite.
    answers : dict
        All answers that any client ever got.
    questions : Questions

    Returns
    -------
    Recorded
    """
    seen: Counter[str] = Counter()
    different = unacknowledged = 0
    possible = {version: set(numbers) for version, numbers in questions.expected.items()}
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        for made, version, outputs in connection.execute("SELECT id, version, outputs FROM predictions"):
            seen[made] += 1
            answer = json.loads(outputs)
            told = answer["prediction_id"] == made and answer["model"]["version"] == version
            if made in answers:
                named, question = answers[made]
                right = version == named and questions.is_right(named, question, answer)
            else:
                unacknowledged += 1
                right = numbers_of(answer) in possible.get(version, ())
            different += not (told and right)
    return Recorded(
        seen.total(), seen.total() - len(seen), len(answers.keys() - seen.keys()), different, unacknowledged
    )

"""What the name of a column says about when it was recorded."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["says_afterwards", "time_in"]

_DAYS: Final = {"d": 1.0, "w": 7.0, "m": 30.4, "y": 365.0}
_UNIT: Final = r"(d(?:ays?)?|w(?:eeks?|ks?)?|m(?:onths?|o|ths?)?|y(?:ears?|rs?)?)"
_UNIT_FIRST: Final = re.compile(rf"(?<![a-z]){_UNIT}[ _.-]?(\d{{1,3}})(?![a-z0-9])")
_NUMBER_FIRST: Final = re.compile(rf"(?<![a-z0-9])(\d{{1,3}})[ _.-]?{_UNIT}(?![a-z])")
_AFTERWARDS: Final = re.compile(
    r"(?<![a-z])(end[ _.-]?point|follow[ _.-]?up|fu|post|posttreatment|after[ _.-]?treatment|final|exit|"
    r"discharge|outcome|responder|remitted|remission|improvement|change|delta)(?![a-z])"
)


def time_in(name: str) -> float | None:
    """Read a time of the course out of a column's name.

    Parameters
    ----------
    name : str

    Returns
    -------
    float or None
        Days; None if it names none.

    Examples
    --------
    >>> time_in("madrs_week_4"), time_in("phq9_day_28"), time_in("hamd_6m"), time_in("bdi.pre")
    (28.0, 28.0, 182.39999999999998, None)
    """
    text = name.lower()
    if found := _UNIT_FIRST.search(text):
        unit, number = found.groups()
    elif found := _NUMBER_FIRST.search(text):
        number, unit = found.groups()
    else:
        return None
    return _DAYS[unit[0]] * int(number)


def says_afterwards(name: str, landmark: str) -> bool:
    """Whether a name says that the column is from after its landmark.

    Parameters
    ----------
    name : str
        Of the column.
    landmark : str
        As the cohort file declares it; its own name may hold a time, such as `day_1`.

    Returns
    -------
    bool

    Examples
    --------
    >>> says_afterwards("madrs_week_4", "baseline"), says_afterwards("madrs_day_1", "day_1")
    (True, False)
    """
    declared = 0.0 if landmark == "baseline" else time_in(landmark)
    time = time_in(name)
    if time is not None and declared is not None and time > declared:
        return True
    return landmark == "baseline" and _AFTERWARDS.search(name.lower()) is not None

"""Reading `gates.toml`: every mistake is named at once, with what is allowed."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, cast

from features.errors import GatesError
from features.toml_section import Section, name_nearest
from models.response_model import OUTCOMES
from training.gates.gate import CHECKS, DATA, ENDS, POPULATIONS, Gate, Gates
from training.gates.senses import find_misuse
from training.metrics import METRICS
from training.validation.units import SUMMARISED

if TYPE_CHECKING:
    from pathlib import Path

    from training.gates.gate import Bound, Data, End, Population

__all__ = ["FORMAT", "load_gates", "metrics_for", "parse_gates"]

FORMAT: Final = 1
_GAIN: Final = "net_benefit_gain"
_BOUNDS: Final = ("at_least", "at_most")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def load_gates(path: Path | None = None) -> Gates:
    """Read a file of gates, or the defaults that the package ships.

    Parameters
    ----------
    path : Path, optional

    Returns
    -------
    Gates

    Raises
    ------
    GatesError
        With everything that is wrong.
    """
    if path is None:
        text = files("training.gates").joinpath("gates.toml").read_text(encoding="utf-8")
        return parse_gates(text, "the default gates")
    try:
        return parse_gates(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise GatesError(str(path), [f"cannot be read: {type(exc).__name__}"]) from exc


def parse_gates(text: str, origin: str = "gates.toml") -> Gates:
    r"""Read gates from TOML.

    Parameters
    ----------
    text : str
    origin : str
        Name for messages.

    Returns
    -------
    Gates

    Raises
    ------
    GatesError
        With everything that is wrong.

    Examples
    --------
    >>> lines = ['metric = "brier_skill"', "at_least = 0", 'judged_on = "lower"', 'for = "all"']
    >>> parse_gates("\n".join(["format = 1", "[gates.skill]", *lines])).gates[0].describe()
    'lower end at least 0'
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # of TOML; a number, or brackets, without end
        raise GatesError(origin, [f"is not TOML: {exc}"]) from exc
    problems: list[str] = []
    top = Section(table, "", problems)
    if top.number("format") != FORMAT and not problems:
        top.note("format", f"must be {FORMAT}")
    listed = top.section("gates")
    if listed is None or not listed.keys():
        problems.append("at least one [gates.NAME] is needed")
    found = []
    for name in () if listed is None else listed.keys():
        section = listed.section(name, f"[gates.{name}]")  # type: ignore[union-attr]  # no keys without it
        if not _NAME.fullmatch(name):  # it stands in tables, in XML and in the record
            problems.append(f"[gates.{name!r}]: a gate's name is of letters A to Z, digits, _ and -")
        if section is not None:
            found.append(_parse(name, section))
            section.close()
    top.close()
    if problems:
        raise GatesError(origin, problems)
    return Gates(origin, hashlib.sha256(text.encode()).hexdigest(), tuple(found))


def metrics_for(population: str) -> tuple[str, ...]:
    """Give the figures that can be judged for whom.

    Parameters
    ----------
    population : str

    Returns
    -------
    tuple of str
    """
    allowed = {
        "all": (*METRICS, _GAIN, "coverage"),
        "subgroups": (*METRICS, _GAIN),
        "new_unit": SUMMARISED,  # the others have no error within a unit, and so no prediction interval
        "check": CHECKS,
    }
    return allowed.get(population, tuple(METRICS))


def _parse(name: str, section: Section) -> Gate:
    population = section.choice("for", POPULATIONS)
    metric = section.text("metric")
    allowed = metrics_for(population)
    if metric and metric not in allowed:
        section.note("metric", _refuse(metric, population, allowed))
    data = section.choice("data", DATA) if section.has("data") else "any"
    common = {
        "data": cast("Data", data),
        "why": section.text("why", "not explained"),
        "absent_passes": _passes(section, "if_absent"),
    }
    if population == "check":
        return Gate(name, metric, "check", **common)  # type: ignore[arg-type]  # of a mixed dict
    bound, value = _bound(section, metric, population)
    return Gate(
        name,
        metric,
        cast("Population", population),
        bound,
        value,
        cast("End", section.choice("judged_on", ENDS)),
        _outcomes(section),
        _minimum(section),
        _passes(section, "too_little"),
        **common,  # type: ignore[arg-type]  # of a mixed dict
    )


def _refuse(metric: str, population: str, allowed: tuple[str, ...]) -> str:
    if metric in METRICS:  # known, but not measured for these
        return f'{metric!r} is not measured for = "{population}"; allowed: {", ".join(allowed)}'
    return f"{metric!r} is not known; {name_nearest(metric, allowed, 'allowed')}"


def _bound(section: Section, metric: str, population: str) -> tuple[Bound, float]:
    written = [key for key in _BOUNDS if section.has(key)]
    if len(written) != 1:
        section.note("at_least", "exactly one bound is needed, at_least or at_most")
        return "at_least", 0.0
    bound, value = cast("Literal['at_least', 'at_most']", written[0]), section.number(written[0])
    if problem := find_misuse(metric, population, bound, value):
        section.note(bound, problem)
    return bound, value


def _outcomes(section: Section) -> tuple[str, ...]:
    if not section.has("outcomes"):
        return OUTCOMES
    words = section.words("outcomes", fewest=1)
    unknown = [word for word in words if word not in OUTCOMES]
    if unknown:
        section.note("outcomes", f"{unknown[0]!r} is not known; allowed: {', '.join(OUTCOMES)}")
    return words


def _minimum(section: Section) -> int:
    number = section.number("minimum_events", 0.0)
    if number < 0 or number != int(number):
        section.note("minimum_events", "must be a whole number, 0 or more")
    return int(number)


def _passes(section: Section, key: str) -> bool:
    return section.has(key) and section.choice(key, ("fail", "pass")) == "pass"

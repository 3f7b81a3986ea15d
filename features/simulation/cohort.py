"""The simulated cohort: one table as a clinic would keep it, the same without gaps, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import UserError
from features.simulation.choice import compute_propensity, draw_plan, draw_site_effects, draw_sites
from features.simulation.course import draw_endpoint, draw_first_day, draw_path
from features.simulation.covariates import draw_covariates, draw_linked_scale
from features.simulation.missingness import draw_last_day, draw_missing_follow_up, draw_missing_predictors
from features.simulation.parameters import Population, load_parameters, load_population, load_setting
from features.simulation.randomness import Bools, Columns, make_stream
from features.simulation.relapse import draw_durability
from features.simulation.response import Outcomes, compute_truth, draw_outcomes

_LARGEST_COHORT = 10_000_000
_DURABILITY = ("weeks_to_relapse", "relapsed", "maintenance")
_FRACTIONAL = ("bmi", "crp", "benzodiazepine_dose", "weeks_to_relapse")


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated cohort.

    Attributes
    ----------
    table : DataFrame
        One row per patient, with the gaps of clinical data; a valid cohort when written with
        ``to_csv(index=False)``.
    truth : DataFrame
        ``patient_id``, then ``response__PLAN`` and ``remission__PLAN``: true probabilities given every
        recorded covariate, complete, and averaged over the hidden score and a new site.
    complete : DataFrame
        The same table before any predictor or endpoint was made missing.
    """

    table: pd.DataFrame
    truth: pd.DataFrame
    complete: pd.DataFrame


def simulate(
    patients: int,
    seed: int,
    *,
    population: str = "trd",
    setting: str = "clinic",
    signal: float = 1.5,
    sites: int = 12,
    drift: float = 0.0,
) -> Simulated:
    """Simulate a cohort from published figures.

    No result of it is evidence about patients. The figures and their sources are in ``parameters.toml`` and
    ``docs/evidence.md``.

    Parameters
    ----------
    patients : int
        Number of patients.
    seed : int
        The same seed gives the same cohort; another seed also means other sites.
    population : {"trd", "mdd", "single_infusion", "anxiety"}
        Whom to simulate.
    setting : {"clinic", "trial", "veterans"}
        Shifts the response and sets how many complete the induction.
    signal : float
        Scale of all predictors' effects; 1.0 is the published effects shrunk by half.
    sites : int
        Number of treatment sites.
    drift : float
        Change of every plan's response logit from the first to the last day of the calendar, linear and 0 in
        its middle, as if care or referral changed over the years; 0 is the evidence. The truth follows it.

    Returns
    -------
    Simulated

    Raises
    ------
    UserError
        If an argument is outside what is allowed.

    Examples
    --------
    >>> simulate(10, seed=1).table.shape[0]
    10
    """
    _check_arguments(patients, seed, signal, sites, drift)
    load_setting(setting)
    people = load_population(population)
    columns = draw_covariates(people, patients, seed)
    missing = draw_missing_predictors(patients, seed)
    site = draw_sites(patients, sites, seed)
    plan = draw_plan(people, compute_propensity(people, columns, missing), seed)
    day = _draw_days(patients, seed)
    drifted = drift * (day / (load_parameters()["calendar"]["days"] - 1) - 0.5)
    effect = draw_site_effects(sites, seed)[site] + drifted
    outcomes = draw_outcomes(people, setting, signal, columns, plan, effect, seed)
    identity = _make_identity(site, day, plan)
    complete = pd.DataFrame(identity | columns | _draw_course(people, columns, plan, outcomes, seed))
    table = _hide(people, complete, missing, draw_last_day(people, setting, patients, seed))
    follow_up = f"{people.follow_up}_day_{people.endpoint_day}"
    unreturned = draw_missing_follow_up(outcomes.response, site, sites, seed)
    table[follow_up] = table[follow_up].mask(unreturned)
    truth = pd.DataFrame(
        {"patient_id": identity["patient_id"], **compute_truth(people, setting, signal, columns, drifted)}
    )
    return Simulated(_tidy(table), truth, _tidy(complete))


def _check_arguments(patients: int, seed: int, signal: float, sites: int, drift: float) -> None:
    problems = []
    if not 1 <= patients <= _LARGEST_COHORT:
        problems.append(f"patients: got {patients}, allowed is 1 to {_LARGEST_COHORT}")
    if seed < 0:
        problems.append(f"seed: got {seed}, allowed is 0 or more")
    if not 0 <= signal <= 5:
        problems.append(f"signal: got {signal}, allowed is 0 to 5")
    if sites < 1:
        problems.append(f"sites: got {sites}, allowed is 1 or more")
    if not -5 <= drift <= 5:
        problems.append(f"drift: got {drift}, allowed is -5 to 5")
    if problems:
        raise UserError("\n".join(problems))


def _draw_days(patients: int, seed: int) -> NDArray[np.int64]:
    """Draw the day on which each patient starts, counted from the calendar's first."""
    return make_stream(seed, "calendar").integers(0, load_parameters()["calendar"]["days"], patients)


def _make_identity(site: NDArray[np.int64], day: NDArray[np.int64], plan: NDArray[Any]) -> Columns:
    first = np.datetime64(date.fromisoformat(load_parameters()["calendar"]["first"]))
    start = first + day.astype("timedelta64[D]")
    width = len(str(len(day)))
    return {
        "patient_id": np.array([f"P{number:0{width}d}" for number in range(1, len(day) + 1)], dtype=object),
        "site": np.array([f"site_{number + 1:02d}" for number in site], dtype=object),
        "start_date": np.datetime_as_string(start, unit="D").astype(object),
        "plan": plan,
    }


def _draw_course(
    people: Population, columns: Columns, plan: NDArray[Any], outcomes: Outcomes, seed: int
) -> Columns:
    """Draw everything after the start of treatment."""
    baseline = columns[people.baseline]
    endpoint = draw_endpoint(people, plan, outcomes, baseline, seed)
    day_1 = draw_first_day(people, plan, outcomes, baseline, seed)
    course: Columns = {f"{people.scale}_day_1": day_1}
    course |= draw_path(people, plan, baseline, day_1, endpoint, seed)
    course["suicidal_ideation_day_1"] = _draw_remaining_ideation(people, columns, plan, seed)
    course[people.endpoint] = endpoint
    follow_up = f"{people.follow_up}_day_{people.endpoint_day}"
    course[follow_up] = draw_linked_scale(people.follow_up, endpoint, make_stream(seed, follow_up))
    if people.durability:
        dosed = np.isin(plan, [entry.name for entry in people.plans if entry.session_days])
        course |= draw_durability(columns, endpoint, outcomes.response, outcomes.remission, dosed, seed)
    return course


def _draw_remaining_ideation(
    people: Population, columns: Columns, plan: NDArray[Any], seed: int
) -> NDArray[np.int64]:
    resolved = load_parameters()["suicidal_ideation_resolved_day_1"]
    chance = np.select(
        [plan == entry.name for entry in people.plans], [resolved[e.route] for e in people.plans]
    )
    remains = make_stream(seed, "ideation").random(len(plan)) >= chance
    ideation: NDArray[np.int64] = columns["suicidal_ideation"] * remains
    return ideation


def _hide(
    people: Population, complete: pd.DataFrame, missing: dict[str, Bools], last_day: NDArray[np.int64]
) -> pd.DataFrame:
    """Remove what was not recorded: predictors, and all after a patient's last day in the induction."""
    table = complete.copy()
    for name, rows in missing.items():
        table[name] = table[name].mask(rows)
    week_2 = f"{people.scale}_week_2"
    if week_2 in table:
        table[week_2] = table[week_2].mask(last_day < load_parameters()["path"]["week_2_day"])
    for session in range(max(len(entry.session_days) for entry in people.plans)):
        name = f"{people.scale}_session_{session + 1}"
        for entry in people.plans:
            if session < len(entry.session_days):
                gone = (table["plan"] == entry.name) & (last_day < entry.session_days[session])
                table[name] = table[name].mask(gone)
    left = last_day < people.endpoint_day
    for name in (people.endpoint, f"{people.follow_up}_day_{people.endpoint_day}", *_DURABILITY):
        if name in table:
            table[name] = table[name].mask(left)
    return table


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Give whole-number columns a whole-number type, so that a CSV says "1", never "1.0"."""
    tidy = {}
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column) and name not in _FRACTIONAL:
            column = column.astype("Int64" if column.isna().any() else "int64")
        elif column.dtype == object:
            column = column.astype("str")
        tidy[name] = column
    return pd.DataFrame(tidy)

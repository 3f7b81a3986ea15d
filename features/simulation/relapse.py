"""Durability: days from response to relapse, by a daily hazard.

    h(t) = base * frailty * exp(remitter + x beta) * exp(-protection * E(t))

E(t) is 1 on a dose day and decays by exp(-days / tau) after it. Day 0 is a dose day for everyone (the end of
the induction); maintenance adds a dose every 7, 14 or 28 days. The patient's own terms (x beta) are part of
the log-frailty's variance, not added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.parameters import load_parameters, load_terms
from features.simulation.randomness import Bools, Columns, Floats, make_stream
from features.simulation.terms import compute_score

NO_MAINTENANCE = "none"
_INTERVALS = ("every_4_weeks", "every_2_weeks", "weekly")


@dataclass(frozen=True, slots=True)
class Responders:
    """What the hazard of each responder depends on.

    Attributes
    ----------
    rate : ndarray of shape (n,)
        Hazard per day without protection.
    tau : ndarray of shape (n,)
        Days in which the protection of a dose falls to 1/e.
    threshold : ndarray of shape (n,)
        Cumulative hazard at which the patient relapses, Exp(1).
    """

    rate: Floats
    tau: Floats
    threshold: Floats


def draw_responders(columns: Columns, endpoint: NDArray[np.int64], remitter: Bools, seed: int) -> Responders:
    """Draw frailty, length of protection and relapse threshold for all patients given."""
    p = load_parameters()["relapse"]
    size = endpoint.size
    typical = np.where(remitter, p["typical_endpoint_remitter"], p["typical_endpoint_responder"])
    explained = compute_score(
        load_terms("relapse_terms"), {**columns, "residual": endpoint - typical}, "log_hazard"
    )
    variance = p["frailty_sd"] ** 2
    rest = np.sqrt(variance - p["explained_variance"]) * make_stream(seed, "frailty").standard_normal(size)
    frailty = explained + rest - variance / 2  # mean of exp(frailty) is one
    return Responders(
        rate=p["base"] * np.exp(frailty + p["remitter"] * remitter),
        tau=p["protection_days"]
        * np.exp(p["protection_days_log_sd"] * make_stream(seed, "protection").standard_normal(size)),
        threshold=make_stream(seed, "relapse").exponential(size=size),
    )


def compute_relapse_day(responders: Responders, interval: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    """Return the first day whose cumulative hazard passes the patient's threshold; `days` + 1 if none does.

    Parameters
    ----------
    responders : Responders
    interval : ndarray of int, shape (n,)
        Days between maintenance doses after day 0; 0 for no maintenance.
    days : int
        Length of follow-up.
    """
    protection = load_parameters()["relapse"]["protection"]
    relapse = np.full(interval.size, days + 1, dtype=np.int64)
    at_risk, cumulative = np.arange(interval.size), np.zeros(interval.size)
    rate, tau, threshold, every = responders.rate, responders.tau, responders.threshold, interval
    for day in range(1, days + 1):
        since_dose = np.where(every > 0, day % np.maximum(every, 1), day)
        cumulative = cumulative + rate * np.exp(-protection * np.exp(-since_dose / tau))
        relapsed = cumulative >= threshold
        if relapsed.any():
            relapse[at_risk[relapsed]] = day
            keep = ~relapsed
            at_risk, cumulative, every = at_risk[keep], cumulative[keep], every[keep]
            rate, tau, threshold = rate[keep], tau[keep], threshold[keep]
    return relapse


def draw_durability(
    columns: Columns,
    endpoint: NDArray[np.int64],
    response: Bools,
    remission: Bools,
    offered: Bools,
    seed: int,
) -> Columns:
    """Draw maintenance, weeks to relapse or last contact, and which of the two it was, for responders.

    Parameters
    ----------
    columns : dict
        Covariates.
    endpoint : ndarray
        Score at the endpoint.
    response, remission : ndarray of bool
    offered : ndarray of bool
        Whether the plan has maintenance doses at all.
    seed : int

    Returns
    -------
    dict
        ``weeks_to_relapse`` and ``relapsed`` (NaN for the others) and ``maintenance`` (None for the others).
    """
    size, rows = response.size, np.flatnonzero(response)
    follow_up, intervals = load_parameters()["relapse_follow_up"], load_parameters()["maintenance_interval"]
    own = {name: values[rows] for name, values in columns.items()}
    maintenance = _draw_maintenance(size, remission, offered, seed)[rows]
    interval = np.select(
        [maintenance == name for name in _INTERVALS], [intervals[name] for name in _INTERVALS], 0
    )
    end = follow_up["weeks"] * 7
    relapse = compute_relapse_day(draw_responders(own, endpoint[rows], remission[rows], seed), interval, end)
    lost = -np.log1p(-follow_up["lost_per_month"]) / follow_up["days_per_month"]
    last_contact = np.ceil(make_stream(seed, "lost").exponential(1 / lost, rows.size)).astype(np.int64)
    last_contact = np.minimum(last_contact, end)
    relapsed = relapse <= last_contact
    weeks, event, kind = np.full(size, np.nan), np.full(size, np.nan), np.full(size, None, dtype=object)
    weeks[rows] = np.round(np.where(relapsed, relapse, last_contact) / 7, 2)
    event[rows], kind[rows] = relapsed, maintenance
    return {"weeks_to_relapse": weeks, "relapsed": event, "maintenance": kind}


def _draw_maintenance(size: int, remission: Bools, offered: Bools, seed: int) -> NDArray[Any]:
    shares = load_parameters()["maintenance_share"]
    names = np.array([NO_MAINTENANCE, *_INTERVALS], dtype=object)
    uniform = make_stream(seed, "maintenance").random(size)
    index = np.zeros(size, dtype=np.int64)
    for group, members in (("remitter", remission), ("responder", ~remission)):
        cumulative = np.cumsum([shares[group][name] for name in names])[:-1]
        index[members] = np.searchsorted(cumulative, uniform[members], side="right")
    return np.where(offered, names[index], NO_MAINTENANCE)

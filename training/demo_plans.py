"""What the demo prints of all plans, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

__all__ = ["print_plans"]

_WEEK: Final = 26
_MAINTENANCE: Final = {
    "none": "none",
    "every_4_weeks": "4-weekly",
    "every_2_weeks": "2-weekly",
    "weekly": "weekly",
}
_SESSIONS: Final = 4  # first sessions printed


def print_plans(answer: Mapping[str, Any], console: Console) -> None:
    """Print what `POST /v1/plans` answers: safety first, then the plans, then what was not answered.

    Parameters
    ----------
    answer : mapping
    console : Console
    """
    safety = answer["safety"]
    if safety["stops"]:
        console.print(f"[bold red]{safety['urgent']}[/bold red]")
        return
    table = Table(
        title="Every plan, of 100 patients like this one (90 % intervals)",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("plan", "response", "remission", "difference", "comparable", "relapse-free"):
        table.add_column(column, justify="left" if column == "plan" else "right", no_wrap=True)
    table.caption = (
        "comparable: training patients like this one on the plan, and the share of such patients put on it; "
        f"relapse-free: at week {_WEEK} after response, under the maintenance named; * recommended"
    )
    for plan in answer["plans"]:
        table.add_row(*_row(plan))
    console.print(table)
    recommended = [plan["plan"] for plan in answer["plans"] if plan["recommended"]]
    if recommended:
        console.print(f"Recommended: [bold]{recommended[0]}[/bold].")
    console.print(answer["choice"]["sentence"] + _why_none(answer, recommended))
    console.print(f"[dim]{answer['assumption']}[/dim]")
    for finding in (*safety["contraindications"], *safety["cautions"], *safety["duties"]):
        console.print(f"[yellow]![/yellow] {finding['reason']} {finding['duty']}")
    count = len(safety["unanswered"])
    console.print(
        f"[yellow]![/yellow] {count} safety questions are not answered, which is not a no "
        "(listed in the answer and in docs/safety.md)."
    )
    _print_schedule(answer, recommended, console)


def _why_none(answer: Mapping[str, Any], recommended: list[str]) -> str:
    if recommended:
        return ""
    if not answer["choice"]["shown"]:
        return " So none is recommended."
    return " Here fewer than two plans are left to choose from: none is recommended."


def _row(plan: Mapping[str, Any]) -> tuple[str, ...]:
    name = plan["plan"] + (" *" if plan["recommended"] else "")
    if not plan["offered"]:
        return name, "not offered", "", "", "", ""
    support = plan["support"]
    comparable = f"{support['comparable_patients']}, {100 * support['propensity']:.0f} %"
    if not support["sufficient"]:
        return name, "too few", "", "", comparable, ""
    difference = plan["difference"]
    return (
        name,
        _share(plan["response"]["probability"], plan["response"]["interval"]),
        _share(plan["remission"]["probability"], plan["remission"]["interval"]),
        "reference" if plan["reference"] else "" if difference is None else _signed(difference),
        comparable,
        _relapse_free(plan),
    )


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.0f} ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"


def _signed(difference: Mapping[str, Any]) -> str:
    low, high = difference["interval"]
    return f"{100 * difference['value']:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"


def _relapse_free(plan: Mapping[str, Any]) -> str:
    """Under the maintenance that was chosen, or else the one that is likeliest to keep relief."""
    if plan["durability"] is None:
        return "not known"
    curves = [c for c in plan["durability"]["curves"] if c["relapse_free"][_WEEK] is not None]
    if not curves:
        return "not known"
    chosen = plan["schedule"] and plan["schedule"]["maintenance"]
    curve = next(
        (c for c in curves if c["maintenance"] == chosen),
        max(curves, key=lambda c: float(c["low"][_WEEK])),
    )
    ends = (curve["low"][_WEEK], curve["high"][_WEEK])
    return f"{_share(curve['relapse_free'][_WEEK], ends)}, {_MAINTENANCE[curve['maintenance']]}"


def _print_schedule(answer: Mapping[str, Any], recommended: list[str], console: Console) -> None:
    """First sessions of the recommended plan, or of the likeliest one with sessions."""
    with_sessions = [
        p for p in answer["plans"] if p["schedule"] and p["schedule"]["sessions"] and p["response"]
    ]
    if not with_sessions:
        return
    plan = next(
        (p for p in with_sessions if p["plan"] in recommended),
        max(with_sessions, key=lambda p: float(p["response"]["probability"])),
    )
    schedule = plan["schedule"]
    first = ", ".join(f"day {s['day']} ({s['dose']})" for s in schedule["sessions"][:_SESSIONS])
    console.print(f"Schedule of {plan['plan']}: {first}, …; {len(schedule['sessions'])} sessions.")
    console.print(f"Maintenance: {schedule['why']}")
    for duty in schedule["duties"]:
        console.print(f"  {duty['when']} each session: {duty['text']}")

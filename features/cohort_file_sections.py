"""Read the sections of a cohort file, each into its part of a `CohortFile`.

What is wrong is noted in the list of problems and a stand-in takes its place, so that one run shows all.
"""

from __future__ import annotations

import re
from typing import cast, get_args

from features.cohort_file_model import BASELINE, Durability, Futility, Kind, Outcome, Plan, Predictor
from features.scales import Scale, load_scales
from features.toml_section import Section, name_nearest

__all__ = [
    "read_durability",
    "read_futility",
    "read_landmarks",
    "read_outcome",
    "read_plan",
    "read_predictors",
]


def read_outcome(top: Section) -> Outcome:
    """Read [outcome] of a file."""
    section = top.section("outcome")
    if section is None:
        if not top.has("outcome"):
            top.note("[outcome]", "is missing")
        section = Section({}, "[outcome]", [])  # its own list of problems: the section's absence says it all
    scale = _read_scale(section)
    result = Outcome(
        scale=scale,
        baseline=section.text("baseline"),
        endpoint=section.text("endpoint"),
        response_reduction=section.number("response_reduction", 0.5),
        minimum_baseline=section.optional_number("minimum_baseline"),
    )
    section.close()
    if not 0 < result.response_reduction <= 1:
        section.note(
            "response_reduction", f"must be above 0 and at most 1, got {result.response_reduction:g}"
        )
    lowest = result.minimum_baseline
    if lowest is not None and not scale.minimum <= lowest <= scale.maximum:
        section.note(
            "minimum_baseline",
            f"must be on the scale, {scale.minimum:g} to {scale.maximum:g}, got {lowest:g}",
        )
    return result


def _read_scale(outcome: Section) -> Scale:
    known = load_scales()
    stand_in = Scale("", "", float("-inf"), float("inf"), float("inf"), (), "")
    value = outcome.raw("scale")
    if isinstance(value, str):
        if value not in known:
            outcome.note("scale", f"{value!r} is not known; {name_nearest(value, known, 'known scales')}")
        return known.get(value, stand_in)
    section = outcome.section("scale", "[outcome.scale]")
    if section is None:
        if value is None:
            outcome.note("scale", f"is missing; {', '.join(known)}, or an inline table")
        return stand_in
    name = section.text("name")
    scale = Scale(
        name=name,
        title=section.text("title", name or "-"),
        minimum=section.number("minimum"),
        maximum=section.number("maximum"),
        remission_at_most=section.number("remission_at_most"),
        bands=(),
        source="defined in the cohort file",
    )
    section.close()
    if name in known:
        section.note("name", f"{name!r} is a known scale; write scale = {name!r}, or give yours another name")
    numbers_given = all(section.has(key) for key in ("minimum", "maximum", "remission_at_most"))
    if numbers_given and not scale.minimum <= scale.remission_at_most < scale.maximum:
        section.note("remission_at_most", "must be on the scale: minimum <= remission_at_most < maximum")
    return scale


def read_plan(section: Section | None) -> Plan | None:
    """Read [plan], None where there is none."""
    if section is None:
        return None
    column, reference = section.text("column"), section.text("reference")
    levels = section.section("levels", "[plan.levels]")
    if levels is None and not section.has("levels"):
        section.note("levels", "is missing: a table [plan.levels] of at least two plans")
    titles = {key: levels.text(key) for key in levels.keys()} if levels else {}  # noqa: SIM118 - no mapping
    section.close()
    if levels and len(titles) < 2:
        section.note("levels", "at least two plans are needed; leave [plan] out if all patients had the same")
    if titles and reference and reference not in titles:
        section.note("reference", f"{reference!r} is not a plan; {name_nearest(reference, titles, 'levels')}")
    return Plan(column, reference, titles)


def read_landmarks(section: Section | None) -> tuple[str, ...]:
    """Read [landmarks]; the baseline alone where there is none."""
    if section is None:
        return (BASELINE,)
    order = section.words("order")
    section.close()
    if order and order[0] != BASELINE:
        section.note("order", f"must start with {BASELINE!r}, got {order[0]!r}")
    return order or (BASELINE,)


def read_durability(section: Section | None) -> Durability | None:
    """Read [durability], None where there is none."""
    if section is None:
        return None
    result = Durability(section.text("weeks"), section.text("relapsed"), section.text("maintenance"))
    section.close()
    return result


def read_futility(section: Section | None) -> Futility | None:
    """Read [futility], None where there is none."""
    if section is None:
        return None
    result = Futility(
        checks=section.words("checks"),
        improvement=section.number("improvement"),
        consecutive=round(section.number("consecutive")),
        decisive=section.optional_text("decisive"),
        landmark=section.text("landmark"),
        plans=section.words("plans", fewest=1) if section.has("plans") else (),
        text=section.text("text"),
        source=section.text("source"),
    )
    section.close()
    if not 0 < result.improvement < 1:
        section.note("improvement", f"must be a share between 0 and 1, got {result.improvement:g}")
    if section.raw("consecutive") != result.consecutive or not 1 <= result.consecutive <= len(result.checks):
        section.note("consecutive", "must be a whole number from 1 to the number of checks")
    if result.decisive is not None and result.decisive not in result.checks:
        nearest = name_nearest(result.decisive, result.checks, "checks")
        section.note("decisive", f"{result.decisive!r} is none of the checks; {nearest}")
    return result


def read_predictors(top: Section) -> tuple[Predictor, ...]:
    """Read [predictors.NAME] of a file."""
    section = top.section("predictors")
    if section is None:
        if not top.has("predictors"):
            top.note("[predictors]", "is missing: at least one [predictors.NAME] is needed")
        return ()
    names = section.keys()
    if not names:
        top.note("[predictors]", "is empty: at least one [predictors.NAME] is needed")
    return tuple(
        _read_predictor(name, part)
        for name in names
        if (part := section.section(name, f"[predictors.{name}]")) is not None
    )


def _read_predictor(name: str, section: Section) -> Predictor:
    kind = cast("Kind", section.choice("kind", get_args(Kind)))
    has_levels = kind in ("category", "ordinal")
    result = Predictor(
        name=name,
        kind=kind,
        label=section.text("label", _make_label(name)),
        unit=section.optional_text("unit"),
        valid=section.pair("valid"),
        levels=section.words("levels") if has_levels or section.has("levels") else (),
        landmark=section.text("landmark", BASELINE),
        subgroup=section.flag("subgroup"),
        cuts=section.ascending("cuts"),
        heading=section.optional_text("heading"),
        scale=section.optional_text("scale"),
    )
    section.close()
    number = kind == "number"
    meant_for = dict.fromkeys(("valid", "unit", "cuts", "scale"), number) | {"levels": has_levels}
    for key, allowed in meant_for.items():
        if section.has(key) and section.raw("kind") == kind and not allowed:
            section.note(key, f"has no meaning for kind = {kind!r}; leave it out")
    if result.scale is not None and result.scale not in load_scales():
        nearest = name_nearest(result.scale, load_scales(), "known scales")
        section.note("scale", f"{result.scale!r} is not known; {nearest}")
    if result.cuts and not result.subgroup:
        section.note("cuts", "says where subgroups are cut; write subgroup = true too, or leave it out")
    if result.cuts and result.valid:
        lowest, highest = result.valid
        if not lowest < result.cuts[0] <= result.cuts[-1] <= highest:
            section.note("cuts", f"must lie within valid, above {lowest:g} and up to {highest:g}")
    return result


def _make_label(name: str) -> str:
    words = re.sub(r"[\W_]+", " ", name).strip() or name
    return words[:1].upper() + words[1:]

"""What the sections of a cohort file may not say together; above all, that nothing leaks from the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.cohort_file_model import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.cohort_file_model import CohortFile, Futility, Predictor

__all__ = ["check_rules"]


def check_rules(cohort_file: CohortFile) -> Iterator[str]:
    """Find what contradicts itself.

    Parameters
    ----------
    cohort_file : CohortFile
        Possibly with empty stand-ins for what could not be read; they are passed over.

    Yields
    ------
    str
        One sentence a problem.
    """
    roles = _name_roles(cohort_file)
    yield from _check_roles(roles)
    for predictor in cohort_file.predictors:
        yield from _check_leak(predictor, cohort_file, roles)
        yield from _check_landmark(predictor, cohort_file)
    if cohort_file.predictors and not cohort_file.baseline_predictors:
        yield f"[predictors]: none is known at {BASELINE!r}; at least one is needed"
    for plan in cohort_file.regimens:
        if plan not in cohort_file.plan_levels:
            yield f"[regimens.{plan}]: {plan!r} is not a plan of [plan.levels]"
    if cohort_file.futility is not None:
        yield from _check_futility(cohort_file.futility, cohort_file, roles)


def _name_roles(cohort_file: CohortFile) -> list[tuple[str, str]]:
    """Every column that has a role, as (what the file calls the role, column)."""
    outcome, plan, durability = cohort_file.outcome, cohort_file.plan, cohort_file.durability
    roles = [
        ("row_id", cohort_file.row_id),
        ("group", cohort_file.group),
        ("date", cohort_file.date),
        ("[outcome] baseline", outcome.baseline),
        ("[outcome] endpoint", outcome.endpoint),
        ("[plan] column", plan.column if plan else None),
        ("[durability] weeks", durability.weeks if durability else None),
        ("[durability] relapsed", durability.relapsed if durability else None),
        ("[durability] maintenance", durability.maintenance if durability else None),
    ]
    return [(role, column) for role, column in roles if column]


def _check_roles(roles: list[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for role, column in roles:
        if column in first:
            yield f"{role}: {column!r} is the {first[column]} already; each role needs its own column"
        first.setdefault(column, role)


_WHY_NOT = {
    "row_id": "an id says nothing about a new patient",
    "group": "a new patient may come from another group",
    "date": "a new patient comes at another time",
    "[outcome] endpoint": "it is what is predicted",
    "[plan] column": "the plan is an input already",
    "[durability] weeks": "it is known only after treatment",
    "[durability] relapsed": "it is known only after treatment",
    "[durability] maintenance": "it is known only after treatment",
}


def _check_leak(predictor: Predictor, cohort_file: CohortFile, roles: list[tuple[str, str]]) -> Iterator[str]:
    where = f"[predictors.{predictor.name}]"
    for role, column in roles:
        if column == predictor.name and role in _WHY_NOT:
            yield f"{where}: this column is the {role}, which cannot be a predictor: {_WHY_NOT[role]}"
    if predictor.name == cohort_file.outcome.baseline:
        if predictor.kind != "number":
            yield f"{where} kind: must be 'number', since this column is the [outcome] baseline score"
        if predictor.landmark != BASELINE:
            yield f"{where} landmark: must be {BASELINE!r}, since this column is the [outcome] baseline score"


def _check_landmark(predictor: Predictor, cohort_file: CohortFile) -> Iterator[str]:
    if predictor.landmark not in cohort_file.landmarks:
        yield (
            f"[predictors.{predictor.name}] landmark: {predictor.landmark!r} is not in [landmarks] order; "
            f"allowed: {', '.join(cohort_file.landmarks)}"
        )


def _check_futility(rule: Futility, cohort_file: CohortFile, roles: list[tuple[str, str]]) -> Iterator[str]:
    later = cohort_file.landmarks[1:]
    if rule.landmark and rule.landmark not in later:
        allowed = ", ".join(later) or "none, since [landmarks] names no later one"
        yield f"[futility] landmark: {rule.landmark!r} is no later landmark; allowed: {allowed}"
    if cohort_file.plan_levels and not rule.plans:
        yield "[futility] plans: is missing: the plans that the rule was made for"
    for plan in rule.plans:
        if plan not in cohort_file.plan_levels:
            yield f"[futility] plans: {plan!r} is not a plan of [plan.levels]"
    predictors = {p.name: p for p in cohort_file.predictors}
    known = later[: later.index(rule.landmark) + 1] if rule.landmark in later else later
    for check in rule.checks:
        yield from (
            f"[futility] checks: {check!r} is the {role} already, which is no check during the course"
            for role, column in roles
            if column == check
        )
        predictor = predictors.get(check)
        if predictor is not None and (predictor.kind != "number" or predictor.landmark not in known):
            yield (
                f"[futility] checks: the predictor {check!r} must be a number that is known "
                f"after baseline and by {rule.landmark!r}"
            )

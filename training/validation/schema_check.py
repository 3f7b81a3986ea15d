"""Whether everything that could be asked of the champion can be asked of a version, and means the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.cohort_file import CohortFile
    from features.cohort_file_model import Predictor

__all__ = ["check_schema"]


def check_schema(file: CohortFile, champion: CohortFile | None) -> tuple[bool, str]:
    """Hold a version's cohort file against the champion's.

    Every request that the champion answers must be one that the version answers, with inputs and outcome of
    the same meaning: kind, unit and landmark of each predictor the same; its levels all there, in the same
    order if they are ordered; its valid range no narrower; the plans all there, with the same reference; the
    landmarks in the same order; scores from the same columns, and the lowest baseline no higher. New
    predictors, levels, plans and landmarks are welcome: requests need not give them.

    Parameters
    ----------
    file, champion : CohortFile
        The champion's is None if there is no champion.

    Returns
    -------
    bool
    str
        Everything that differs, or what was compared.
    """
    if champion is None:
        return True, "there is no champion to be compatible with"
    ours = {predictor.name: predictor for predictor in file.predictors}
    problems = [
        problem
        for theirs in champion.predictors
        for problem in _compare_predictors(ours.get(theirs.name), theirs)
    ]
    for compare in (_compare_plans, _compare_outcomes, _compare_landmarks):
        problems += compare(file, champion)
    if problems:
        return False, "; ".join(problems)
    return True, f"all {len(champion.predictors)} predictors of the champion are there and mean the same"


def _compare_predictors(ours: Predictor | None, theirs: Predictor) -> Iterator[str]:
    name = f"predictor {theirs.name!r}"
    if ours is None:
        yield f"{name} is gone"
        return
    for part in ("kind", "unit", "landmark"):
        new, old = getattr(ours, part), getattr(theirs, part)
        if new != old:
            yield f"{name}: {part} is {new}, the champion's is {old}"
    kept = [level for level in ours.levels if level in theirs.levels]
    if gone := [level for level in theirs.levels if level not in ours.levels]:
        yield f"{name}: level {', '.join(gone)} is gone"
    elif theirs.kind == "ordinal" and kept != list(theirs.levels):
        yield f"{name}: its levels are in another order"
    low, high = ours.valid or (float("-inf"), float("inf"))
    old_low, old_high = theirs.valid or (float("-inf"), float("inf"))
    if low > old_low or high < old_high:
        yield f"{name}: valid from {low:g} to {high:g}, the champion's from {old_low:g} to {old_high:g}"


def _compare_plans(file: CohortFile, champion: CohortFile) -> Iterator[str]:
    ours, theirs = file.plan, champion.plan
    if theirs is None:
        if ours is not None:
            yield f"plan {ours.column!r} is needed; the champion has none"
        return
    if ours is None:
        yield f"plan {theirs.column!r} is gone"
        return
    for part in ("column", "reference"):
        if getattr(ours, part) != getattr(theirs, part):
            yield f"plan: {part} is {getattr(ours, part)!r}, the champion's is {getattr(theirs, part)!r}"
    if gone := [level for level in theirs.levels if level not in ours.levels]:
        yield f"plan {', '.join(gone)} is gone"


def _compare_outcomes(file: CohortFile, champion: CohortFile) -> Iterator[str]:
    ours, theirs = file.outcome, champion.outcome
    if ours.scale != theirs.scale:
        yield f"the outcome is on {ours.scale.name}, the champion's on {theirs.scale.name}"
    if ours.response_reduction != theirs.response_reduction:
        new, old = ours.response_reduction, theirs.response_reduction
        yield f"response is a fall of {new:g}, the champion's of {old:g}"
    # Nothing but the columns' names says when the scores were taken.
    for part in ("baseline", "endpoint"):
        column, champions = getattr(ours, part), getattr(theirs, part)
        if column != champions:
            yield f"the outcome's {part} is column {column!r}, the champion's is {champions!r}"
    if (ours.minimum_baseline or 0.0) > (theirs.minimum_baseline or 0.0):
        told = "no minimum" if theirs.minimum_baseline is None else f"{theirs.minimum_baseline:g}"
        yield f"patients below a baseline of {ours.minimum_baseline:g} are not meant, the champion's: {told}"


def _compare_landmarks(file: CohortFile, champion: CohortFile) -> Iterator[str]:
    kept = [landmark for landmark in file.landmarks if landmark in champion.landmarks]
    if gone := [landmark for landmark in champion.landmarks if landmark not in file.landmarks]:
        yield f"landmark {', '.join(gone)} is gone"
    elif kept != list(champion.landmarks):
        yield "the landmarks stand in another order"

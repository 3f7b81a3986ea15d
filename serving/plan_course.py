"""The current plan from where the patient is, beside the comparison of all plans from baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from serving.course import CourseReport, describe_course
from serving.likelihood import ProbabilityWithInterval, describe_likelihood

if TYPE_CHECKING:
    from models.scorer import Answer
    from serving.course import Course

__all__ = ["PlansCourse", "describe_plans_course"]


class PlansCourse(CourseReport):
    """The current plan, predicted from the latest landmark of which something was observed."""

    plan: str
    response: ProbabilityWithInterval
    remission: ProbabilityWithInterval
    verdict: Literal["likely", "unlikely", "uncertain"]
    unused: list[str] = Field(description="Measurements that the prediction does not rest on.")


def describe_plans_course(
    course: Course, plan: str, baseline: str, now: Answer, before: Answer
) -> dict[str, Any]:
    """Write a course as `PlansCourse` describes it.

    Parameters
    ----------
    course : Course
    plan : str
        The current one.
    baseline : str
        Column of the score before treatment.
    now, before : Answer
        On that plan, from the course's landmark and from baseline.

    Returns
    -------
    dict
    """
    level = course.scorer.level
    return {
        **describe_course(course, baseline, now, before),
        "plan": plan,
        "response": describe_likelihood(now.response, level),
        "remission": describe_likelihood(now.remission, level),
        "verdict": now.verdict,
        "unused": course.unused,
    }

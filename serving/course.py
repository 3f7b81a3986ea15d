"""Where in the course a patient is, what the prediction from there says, and whether to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from features.encoding import encode_patient
from models.stopping import SHARE_LEVEL
from serving.likelihood import ProbabilityWithInterval, describe_likelihood
from serving.schemas import observed_predictors, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.scorer import Answer, Scorer
    from models.stopping import Share, StoppingRule
    from serving.loading import Served
    from serving.schemas import PatientRequest

__all__ = ["Course", "CourseReport", "describe_course", "find_course"]


class FromBaseline(BaseModel):
    """How the prediction has moved since before treatment."""

    response: ProbabilityWithInterval = Field(description="As it was predicted from baseline.")
    change: float = Field(description="Probability of response now, less that from baseline.")


class ErrorRate(BaseModel):
    """A share of training patients, with the counts behind it."""

    count: int
    of: int
    share: float | None = Field(description="null without patients.")
    interval: tuple[float, float] = Field(description="Wilson interval, at the stated level.")


class RuleReport(BaseModel):
    """A published futility rule, and how often it was wrong among the training patients."""

    fires: Literal["yes", "no", "not enough observed"]
    text: str = Field(description="The rule in words, with what the columns cannot tell of it.")
    source: str
    landmark: str = Field(description="The point of the course at which all its checks are known.")
    false_stops: ErrorRate = Field(description="Of those in whom it fires: who responded all the same.")
    caught: ErrorRate = Field(description="Of those who did not respond: in whom it fires.")
    model_false_stops: ErrorRate | None = Field(
        description="Responders among as many patients with the lowest predictions at that landmark."
    )
    mean_probability: float | None = Field(
        description="Mean predicted probability, at that landmark, of those in whom the rule fires."
    )
    level: float = Field(description="Of the intervals.")


class StoppingAid(BaseModel):
    """What speaks for going on with the series, or for stopping. It decides nothing."""

    response_if_continued: ProbabilityWithInterval = Field(
        description="Probability of response if the series goes on: the prediction from this landmark."
    )
    rule: RuleReport | None = Field(description="null where no published rule was made for the plan.")


class CourseReport(BaseModel):
    """What was measured during the course has changed; null in an answer from baseline alone."""

    landmark: str
    from_baseline: FromBaseline
    stopping: StoppingAid


@dataclass(frozen=True, slots=True)
class Course:
    """A patient in the course of treatment.

    Parameters
    ----------
    scorer : Scorer
        Of the latest landmark of which something was observed.
    row : list of float
        The patient, encoded as known by then.
    known : mapping of str to object
        All values that were sent, by name.
    unused : tuple of str
        Names of measurements that the answer does not rest on.
    rule : StoppingRule or None
        If it was made for the plan.
    """

    scorer: Scorer
    row: list[float]
    known: Mapping[str, object]
    unused: tuple[str, ...]
    rule: StoppingRule | None


def find_course(served: Served, request: PatientRequest) -> Course | None:
    """Find the landmark that answers.

    Parameters
    ----------
    served : Served
    request : PatientRequest

    Returns
    -------
    Course or None
        None if nothing was observed.
    """
    if request.observed is None:
        return None
    file = served.model.cohort_file
    observed = values_of(request.observed, observed_predictors(file))
    if not observed:
        return None
    at = {p.landmark for p in file.later_predictors if p.name in observed}
    scorer = next((s for s in reversed(list(served.later.values())) if s.landmark in at), served.scorer)
    known = values_of(request.patient, file.baseline_predictors) | observed
    stopping = served.model.stopping
    meant = stopping is not None and (not stopping.rule.plans or request.plan in stopping.rule.plans)
    rule = stopping if meant else None
    used = {p.name for p in scorer.cohort_file.baseline_predictors}
    used |= set(rule.rule.checks) if rule is not None else set()
    return Course(
        scorer,
        encode_patient(scorer.cohort_file, known, request.plan),
        known,
        tuple(name for name in observed if name not in used),
        rule,
    )


def describe_course(course: Course, baseline: str, now: Answer, before: Answer) -> dict[str, Any]:
    """Write a course as `CourseReport` describes it.

    Parameters
    ----------
    course : Course
    baseline : str
        Column of the score before treatment.
    now, before : Answer
        From the course's landmark, and from baseline.

    Returns
    -------
    dict
    """
    level = course.scorer.level
    return {
        "landmark": course.scorer.landmark,
        "from_baseline": {
            "response": describe_likelihood(before.response, level),
            "change": now.response.probability - before.response.probability,
        },
        "stopping": {
            "response_if_continued": describe_likelihood(now.response, level),
            "rule": None if course.rule is None else _describe_rule(course.rule, course.known, baseline),
        },
    }


def _describe_rule(stopping: StoppingRule, known: Mapping[str, object], baseline: str) -> dict[str, Any]:
    rule, model = stopping.rule, stopping.model_false_stops
    fires = stopping.fires(_score(known, baseline), [_score(known, check) for check in rule.checks])
    return {
        "fires": "not enough observed" if fires is None else "yes" if fires else "no",
        "text": rule.text,
        "source": rule.source,
        "landmark": rule.landmark,
        "false_stops": _error_rate(stopping.false_stops),
        "caught": _error_rate(stopping.caught),
        "model_false_stops": None if model is None else _error_rate(model),
        "mean_probability": stopping.mean_probability,
        "level": SHARE_LEVEL,
    }


def _score(known: Mapping[str, object], name: str) -> float:
    value = known.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _error_rate(share: Share) -> dict[str, Any]:
    return {"count": share.count, "of": share.of, "share": share.value, "interval": share.interval}

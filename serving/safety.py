"""The safety screen in requests and answers: its questions, what was found, and the urgent text.

Answers are in no log and no error: a problem names the question and what can be answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, create_model

from features.safety import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.safety import Finding, Rule, Screen

__all__ = [
    "SafetyQuestion",
    "SafetyReport",
    "answers_of",
    "describe_questions",
    "describe_screen",
    "not_offered",
    "safety_allowed",
    "safety_field",
    "urgent_text",
]

URGENT: Final = "Danger sign: no plan and no probability is given. {duty}"
_CLOSED = ConfigDict(extra="forbid", hide_input_in_errors=True, title="Safety")


class SafetyFinding(BaseModel):
    """A rule of the safety screen that fired."""

    name: str
    question: str
    origin: Literal["answer", "predictor", "both"] = Field(description="What made it fire.")
    plans: list[str] = Field(description="The plans that it concerns.")
    reason: str
    duty: str = Field(description="What must be done.")
    source: str


class UnansweredQuestion(BaseModel):
    """A question that nobody answered; that is not a no."""

    name: str
    question: str


class SafetyReport(BaseModel):
    """What the safety screen found. It outranks every probability."""

    stops: bool = Field(description="Whether a danger sign stops planning.")
    urgent: str | None = Field(description="What to do now; null without a danger sign.")
    danger_signs: list[SafetyFinding]
    contraindications: list[SafetyFinding] = Field(description="The plans concerned are not offered.")
    cautions: list[SafetyFinding] = Field(description="The plans are shown beside the reason and the duty.")
    duties: list[SafetyFinding] = Field(description="To be done beside any plan.")
    unanswered: list[UnansweredQuestion]


class SafetyQuestion(BaseModel):
    """A question that `safety` may answer."""

    name: str
    question: str
    kind: Literal["yes_no", "whole_number"]
    valid: tuple[int, int] | None = Field(description="Lowest and highest number; null for yes or no.")
    allowed: str
    effect: Literal["danger_sign", "contraindication", "caution", "duty"]


def safety_field() -> tuple[Any, Any]:
    """Build the member `safety` of a request from the rules.

    Returns
    -------
    type, default
        For pydantic: a model with one optional member a question, true or false, or a whole number in its
        range.
    """
    fields: dict[str, Any] = {
        rule.name: (_annotation(rule) | None, Field(None, title=rule.question)) for rule in load_rules()
    }
    doc = "Answers of the safety screen. A question that is left out, or null, is not answered."
    model = create_model("Safety", __config__=_CLOSED, __doc__=doc, **fields)
    return model | None, None


def _annotation(rule: Rule) -> Any:
    if rule.valid is None:
        return Annotated[bool, Strict()]
    low, high = rule.valid
    return Annotated[float, Strict(), Field(ge=low, le=high, multiple_of=1)]


def answers_of(safety: BaseModel | None) -> dict[str, bool | float | None]:
    """Give validated answers by question; nothing where `safety` was left out."""
    return {} if safety is None else dict(safety.__dict__)


def safety_allowed() -> Mapping[str, str]:
    """Say what each question allows, by its name."""
    return {rule.name: f"must be {rule.allowed}" for rule in load_rules()}


def describe_questions(questions: Iterable[Rule]) -> list[SafetyQuestion]:
    """Describe questions, so that a page can ask them.

    Parameters
    ----------
    questions : iterable of Rule

    Returns
    -------
    list of SafetyQuestion
    """
    return [
        SafetyQuestion(
            name=rule.name,
            question=rule.question,
            kind="yes_no" if rule.valid is None else "whole_number",
            valid=rule.valid,
            allowed=rule.allowed,
            effect=rule.effect,
        )
        for rule in questions
    ]


def describe_screen(screen: Screen) -> dict[str, Any]:
    """Write a screen as `SafetyReport` describes it.

    Parameters
    ----------
    screen : Screen

    Returns
    -------
    dict
    """
    questions = {rule.name: rule.question for rule in load_rules()}
    return {
        "stops": screen.stops,
        "urgent": urgent_text(screen),
        "danger_signs": _describe(screen.danger_signs),
        "contraindications": _describe(screen.contraindications),
        "cautions": _describe(screen.cautions),
        "duties": _describe(screen.duties),
        "unanswered": [{"name": name, "question": questions[name]} for name in screen.unanswered],
    }


def not_offered(screen: Screen, plan: str | None) -> list[str]:
    """Say why a plan gets no number: danger signs, or else its contraindications; empty if there are none."""
    if screen.stops:
        return [finding.rule.reason for finding in screen.danger_signs]
    return [f.rule.reason for f in screen.excluded.get(plan or "", ())]


def urgent_text(screen: Screen) -> str | None:
    """What to do now; None without a danger sign."""
    if not screen.stops:
        return None
    duties = dict.fromkeys(finding.rule.duty for finding in screen.danger_signs)
    return URGENT.format(duty=" ".join(duties))


def _describe(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": finding.rule.name,
            "question": finding.rule.question,
            "origin": finding.origin,
            "plans": finding.plans,
            "reason": finding.rule.reason,
            "duty": finding.rule.duty,
            "source": finding.rule.source,
        }
        for finding in findings
    ]

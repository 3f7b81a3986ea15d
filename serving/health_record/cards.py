"""Cards (CDS Hooks 2.0): one prediction as a clinician reads it inside the health record.

Safety comes first. Nothing in a card is text that a client has sent; labels are of the cohort file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from serving.health_record.risk_assessment import describe_risk, percent

if TYPE_CHECKING:
    from serving.health_record.extracting import Item
    from serving.health_record.predicting import Predicted

__all__ = ["OVERRIDE_REASONS", "make_card", "suggestion_id"]

_LONGEST: Final = 139
"""Letters of a summary: the standard says fewer than 140."""

_REASONS: Final = "urn:treatment-response:override-reasons"
OVERRIDE_REASONS: Final = tuple(
    {"code": code, "system": _REASONS, "display": display}
    for code, display in (
        ("clinical-judgement", "My clinical judgement differs"),
        ("patient-preference", "The patient prefers another way"),
        ("inputs-wrong", "What the record says is wrong or out of date"),
        ("not-comparable", "The patient is unlike those the model has learned from"),
        ("already-acted", "It was acted on already"),
    )
)
_VERDICTS: Final = {
    "likely": "response is likely",
    "unlikely": "response is unlikely",
    "uncertain": "uncertain: neither response nor its absence can be ruled out",
}


def suggestion_id(prediction_id: str) -> str:
    """Name the suggestion of a card; the card itself has the prediction's id, so that feedback finds it."""
    return str(uuid5(UUID(prediction_id), "risk-assessment"))


def make_card(predicted: Predicted, encounter: str | None, link: str | None) -> dict[str, Any]:
    """Write a prediction as a card.

    Parameters
    ----------
    predicted : Predicted
    encounter : str or None
        Reference.
    link : str or None
        Address of the model's description, if it is reached by HTTPS.

    Returns
    -------
    dict
        With indicator `critical` for a danger sign, `warning` for a contraindication, `info` for a number.
    """
    source = {"label": f"Treatment response: {predicted.served.name}, version {predicted.served.version}"}
    card: dict[str, Any] = {
        "uuid": predicted.answer["prediction_id"],
        "source": source | ({} if link is None else {"url": link}),
        "overrideReasons": [dict(reason) for reason in OVERRIDE_REASONS],
    }
    if predicted.answer["response"] is None:
        return card | _withheld(predicted)
    suggestion = {
        "label": "Store this prediction in the record",
        "uuid": suggestion_id(predicted.answer["prediction_id"]),
        "actions": [
            {
                "type": "create",
                "description": "Store the likelihood as a RiskAssessment",
                "resource": describe_risk(predicted, encounter),
            }
        ],
    }
    return card | {
        "summary": _summary(predicted),
        "indicator": "info",
        "detail": _detail(predicted),
        "suggestions": [suggestion],
        "selectionBehavior": "at-most-one",
    }


def _withheld(predicted: Predicted) -> dict[str, Any]:
    safety = predicted.answer["safety"]
    if safety["stops"]:
        summary = "DANGER SIGN: stop planning treatment and arrange an urgent evaluation now"
        findings = safety["danger_signs"]
    else:
        summary = _cut(f"CONTRAINDICATED: {predicted.plan_label}")
        findings = [f for f in safety["contraindications"] if predicted.plan in f["plans"]]
    lines = [f"**{_plain(safety['urgent'])}**", ""] if safety["urgent"] else []
    for finding in findings:
        lines += [
            f"- {_plain(finding['question'])} **Yes, by the record.** {_plain(finding['reason'])} "
            f"{_plain(finding['duty'])} (Source: {_plain(finding['source'])})"
        ]
    lines += ["", "No probability is given beside it."]
    lines += _read_items(predicted.extracted.items) + _sources(predicted)
    indicator = "critical" if safety["stops"] else "warning"
    return {"summary": summary, "indicator": indicator, "detail": "\n".join(lines)}


def _summary(predicted: Predicted) -> str:
    response = predicted.answer["response"]
    low, high = response["interval"]
    said = (
        f"Response {_whole(response['probability'])} % "
        f"({_whole(response['level'])} % interval {_whole(low)} to {_whole(high)} %)"
    )
    warned = "Simulated, not for clinical use: " if predicted.is_simulated else ""
    return _cut(f"{warned}{said}{', ' if predicted.plan_label else ''}{predicted.plan_label}")


def _detail(predicted: Predicted) -> str:
    answer, days = predicted.answer, predicted.mapping.outcome_days
    lines = [f"**{_plain(notice)}**" for notice in answer["notices"]]
    if predicted.plan_label:
        lines += ["", f"Plan: {_plain(predicted.plan_label)}"]
    lines += ["", f"| by day {days} | likelihood | interval | of 100 such patients |", "|---|---|---|---|"]
    lines += [_row("response", answer["response"]), _row("remission", answer["remission"])]
    lines += ["", f"Verdict: {_VERDICTS[answer['verdict']]} (level {_whole(answer['response']['level'])} %)."]
    lines += _safety(predicted) + _read_items(predicted.extracted.items) + _sources(predicted)
    return "\n".join(lines)


def _row(name: str, likelihood: dict[str, Any]) -> str:
    low, high = (f"{percent(bound):g}" for bound in likelihood["interval"])
    probability = likelihood["probability"]
    return f"| {name} | {percent(probability):g} % | {low} to {high} % | about {_whole(probability)} |"


def _safety(predicted: Predicted) -> list[str]:
    safety = predicted.answer["safety"]
    lines = [f"- **{_plain(f['reason'])}** {_plain(f['duty'])}" for f in safety["cautions"]]
    open_ = len(safety["unanswered"])
    lines += [f"- {open_} questions of the safety screen are not answered by the record: that is not a no."]
    return ["", "**Safety**", "", *lines]


def _read_items(items: tuple[Item, ...]) -> list[str]:
    if not items:
        return []
    rows = [f"| {_plain(i.label)} | {_value(i.value)} | {i.date or 'now'} |" for i in items]
    return ["", "**Read from the record**", "", "| | value | as of |", "|---|---|---|", *rows]


def _sources(predicted: Predicted) -> list[str]:
    """Say what was missing, unusual, not usable or not read, and which model it was."""
    served, extracted = predicted.served, predicted.extracted
    inputs = predicted.answer["inputs"]
    labels = {p.name: p.label for p in served.scorer.cohort_file.baseline_predictors}
    lines = []
    if inputs["missing"]:
        named = "; ".join(_plain(labels[name]) for name in inputs["missing"])
        lines.append(f"**Missing** ({len(inputs['missing'])} of {len(labels)}): {named}.")
    if inputs["unusual"]:
        named = "; ".join(_plain(labels[unusual["name"]]) for unusual in inputs["unusual"])
        lines.append(f"**Unlike nearly all training patients:** {named}.")
    if extracted.unused:
        lines.append(f"**Found, but not used:** {_plain('; '.join(extracted.unused))}.")
    if extracted.unread:
        lines.append(f"**Not sent by the record:** {', '.join(extracted.unread)}.")
    provenance = predicted.answer["model"]["provenance"]
    lines.append(f"Model {served.name}, version {served.version}, {provenance} patients.")
    return [part for line in lines for part in ("", line)]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else _plain(str(value))


def _whole(probability: float) -> str:
    return f"{100 * probability:.0f}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _plain(text: str) -> str:
    """Keep what Markdown or HTML would read as its own from being read so."""
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace(">", "&gt;")

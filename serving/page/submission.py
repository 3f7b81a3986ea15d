"""From the form's text to a request of the API: nothing is guessed, what is empty is unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from serving.page.form import Field, Form, item_name, pointer
from serving.problems import FieldProblem, ProblemError
from serving.records.recording import is_pseudonym

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.scale_items import ScaleItems

__all__ = ["PSEUDONYM", "Submission", "read_fields", "to_fields", "translate"]

FORM_TYPE: Final = "application/x-www-form-urlencoded"
PSEUDONYM: Final = "/pseudonym"
"""Field for what the patient is called in the records; no part of the API's requests."""
_MOST_FIELDS: Final = 1000
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_FLAGS: Final = {"true": True, "false": False}


@dataclass(slots=True)
class Submission:
    """What was sent, in the form of the API's requests.

    Parameters
    ----------
    predict, plans : dict
        Bodies of `POST /v1/predict` and `POST /v1/plans`.
    problems : list of FieldProblem
        What the API could not know: items that make no total.
    """

    predict: dict[str, Any]
    plans: dict[str, Any]
    problems: list[FieldProblem] = field(default_factory=list)


def read_fields(content_type: str | None, body: bytes) -> dict[str, str]:
    """Read the body that a browser sends for a form.

    Parameters
    ----------
    content_type : str or None
        Header of the request.
    body : bytes

    Returns
    -------
    dict of str to str
        Text by name, without white space at its ends; what is empty is left out.

    Raises
    ------
    ProblemError
        415 or 400.
    """
    if (content_type or "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise ProblemError(415, f"send the form as a browser does, as {FORM_TYPE}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        pairs = None
    if pairs is None:  # outside the `except` block: the error would carry what was sent
        raise ProblemError(400, "the form cannot be read; load the page anew and fill it in again")
    return {name: text.strip() for name, text in pairs if text.strip()}


def translate(form: Form, sent: Mapping[str, str]) -> Submission:
    """Write what was sent as the API's requests.

    Texts that are no number, flag or level are passed on as they are: the API's own check says what is
    allowed there.

    Parameters
    ----------
    form : Form
    sent : mapping of str to str
        From `read_fields`.

    Returns
    -------
    Submission

    Raises
    ------
    ProblemError
        409 if a field is none of this form's: what was typed into it would be lost without a word.
    """
    _check_names(form, sent)
    parts: dict[str, dict[str, Any]] = {"patient": {}, "safety": {}, "observed": {}}
    problems: list[FieldProblem] = []
    if PSEUDONYM in sent and not is_pseudonym(sent[PSEUDONYM]):
        detail = "must be 1 to 100 letters, digits or any of . _ : ~ -"
        problems.append(FieldProblem(field=PSEUDONYM, detail=detail))
    for name, asked in form.fields.items():
        part, key = name.split("/")[1:]
        value = _value(asked, sent.get(name))
        if asked.items is not None:
            value = _total(asked, asked.items, sent, value, parts["safety"], problems)
        if value is not None:
            # An item may have answered a safety question already: of two answers the graver one counts.
            before = parts[part].get(key)
            parts[part][key.replace("~1", "/").replace("~0", "~")] = _graver(before, value)
    shared = {"patient": parts["patient"], "safety": parts["safety"]}
    if parts["observed"]:
        shared["observed"] = parts["observed"]
    plan = {"plan": sent["/plan"]} if "/plan" in sent else {}
    start = {"start": sent["/start"]} if "/start" in sent else {}
    current = plan if parts["observed"] else {}
    return Submission({**shared, **plan}, {**shared, **current, **start}, problems)


def to_fields(form: Form, request: Mapping[str, Any]) -> dict[str, str]:
    """Write a request, such as an example's, as the form's text.

    Parameters
    ----------
    form : Form
    request : mapping
        With `patient`, and perhaps `observed`, `safety`, `plan` and `start`.

    Returns
    -------
    dict of str to str
    """
    texts = {pointer(name): str(request[name]) for name in ("plan", "start") if name in request}
    for part in ("patient", "observed", "safety"):
        for name, value in request.get(part, {}).items():
            texts[pointer(part, name)] = str(value).lower() if isinstance(value, bool) else str(value)
    return {name: text for name, text in texts.items() if name in form.fields or name in ("/plan", "/start")}


def _check_names(form: Form, sent: Mapping[str, str]) -> None:
    known = {"/plan", "/start", PSEUDONYM, *form.fields}
    for asked in form.fields.values():
        if asked.items is not None:
            known |= {item_name(asked.name, n) for n in range(1, len(asked.items.items) + 1)}
    if not known.issuperset(sent):
        raise ProblemError(
            409,
            "the form does not fit the model that answers now: it may have been replaced since the page was "
            "loaded. Load the page anew and fill it in again",
        )


def _value(asked: Field, text: str | None) -> Any:
    if text is None:
        return None
    if asked.kind == "yes_no":
        return _FLAGS.get(text, text)
    numeric = asked.kind == "number" or asked.name.startswith("/safety/")
    return float(text) if numeric and _NUMBER.fullmatch(text) else text


def _total(
    asked: Field,
    scale: ScaleItems,
    sent: Mapping[str, str],
    total: Any,
    safety: dict[str, Any],
    problems: list[FieldProblem],
) -> Any:
    """Sum the items, note where they make no total, and let them answer the safety questions they ask."""
    scores = [_score(sent.get(item_name(asked.name, n)), scale) for n in range(1, len(scale.items) + 1)]
    known = [score for score in scores if score is not None]
    for number, question in scale.asks.items():
        if (score := scores[number - 1]) is not None:
            safety[question] = _graver(safety.get(question), float(score))
    if not known:
        return total
    if len(known) < len(scores):
        if total is None:
            problems.append(FieldProblem(field=asked.name, detail=_incomplete(len(known), len(scores))))
        return total
    if total is not None and total != sum(known):
        detail = "is not the sum of its items: correct an item, or leave the total empty"
        problems.append(FieldProblem(field=asked.name, detail=detail))
    return float(sum(known)) if total is None else total


def _score(text: str | None, scale: ScaleItems) -> int | None:
    return int(text) if text is not None and text in _scores(scale.highest) else None


def _scores(highest: int) -> Iterable[str]:
    return [str(score) for score in range(highest + 1)]


def _incomplete(known: int, of: int) -> str:
    return f"{known} of {of} items are scored: score all of them, or type the total"


def _graver(before: Any, value: Any) -> Any:
    """Of two scores the higher one; what is no score is left to the API's check."""
    if isinstance(before, float) and isinstance(value, float):
        return max(before, value)
    return value

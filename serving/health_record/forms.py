"""Filled forms (QuestionnaireResponse): each answered item as if it had been observed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["form_items"]

_FINISHED: Final = frozenset({"completed", "amended"})
_LOINC: Final = "http://loinc.org"
_CODE: Final = re.compile(r"(?:^|[/#])(\d{1,7}-\d)$")
"""A LOINC code at the end: of a link such as `/44250-9`, or of an item's definition."""


def form_items(form: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Give the answered items of a finished form.

    Parameters
    ----------
    form : mapping
        QuestionnaireResponse. Its items carry no code of their own: one that names a LOINC code neither by
        its `definition` nor by its `linkId` is not known.

    Returns
    -------
    dict of str to mapping
        By ``system|code``, the answer as a `value[x]` of an Observation; the first of an item that is there
        twice.
    """
    if form.get("status") not in _FINISHED:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for item in _walk(form):
        code, value = _code_of(item), _value_of(item)
        if code is not None and value is not None:
            found.setdefault(f"{_LOINC}|{code}", value)
    return found


def _walk(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting: list[object] = [form]
    while waiting:
        part = waiting.pop(0)
        items = part.get("item") if isinstance(part, dict) else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield item
                waiting.append(item)


def _code_of(item: Mapping[str, Any]) -> str | None:
    for key in ("definition", "linkId"):
        text = item.get(key)
        if isinstance(text, str) and (found := _CODE.search(text)):
            return found.group(1)
    return None


def _value_of(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    answers = item.get("answer")
    if not isinstance(answers, list) or len(answers) != 1 or not isinstance(answers[0], dict):
        return None  # of two answers none is the answer
    answer = answers[0]
    if isinstance(answer.get("valueCoding"), dict):
        return {"valueCodeableConcept": {"coding": [answer["valueCoding"]]}}
    if "valueDecimal" in answer:
        return {"valueInteger": answer["valueDecimal"]}
    known = {key: answer[key] for key in ("valueInteger", "valueBoolean") if key in answer}
    return known or None

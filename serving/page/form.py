"""What the form asks: made from the cohort file and the safety rules, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from features.scale_items import load_scale_items
from serving.schemas import observed_predictors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from features.cohort_file import CohortFile
    from features.cohort_file_model import Predictor
    from features.safety import Rule
    from features.scale_items import ScaleItems
    from features.screening import CohortScreen

__all__ = ["Field", "Form", "Group", "item_name", "make_form", "pointer"]

_MOST_CHOICES: Final = 11
"""Whole numbers of a question up to so many are offered one by one; more are typed."""
_OTHER: Final = "Patient"
"""Heading of predictors for which the cohort file has none."""
_EFFECTS: Final = (
    ("contraindication", "Contraindications", "A yes takes the plans concerned away."),
    ("caution", "Cautions", "Plans stay, with what must be heeded."),
    ("duty", "To be looked after", "Physical health and symptoms that go with any plan."),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One question of the form.

    Parameters
    ----------
    name : str
        JSON Pointer of the member of a request that it fills: an error of the API points at the field.
    id : str
        Of the element in the page.
    kind : {"number", "yes_no", "choice"}
    label : str
    unit : str
        Empty without one.
    low, high : float or None
        Range of a number.
    choices : tuple of (str, str)
        Value and text of each choice.
    items : ScaleItems or None
        If the number can be scored item by item.
    note : str
        What else there is to say beside it; may be empty.
    """

    name: str
    id: str
    kind: Literal["number", "yes_no", "choice"]
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    items: ScaleItems | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Questions under one heading.

    Parameters
    ----------
    id : str
    title : str
    text : str
        Said below the title; may be empty.
    fields : tuple of Field
    shut : bool
        Whether it is folded away at first: what other questions answer already.
    """

    id: str
    title: str
    text: str
    fields: tuple[Field, ...]
    shut: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """All questions of one cohort.

    Parameters
    ----------
    danger : Group
        Asked first.
    patient, observed, safety : tuple of Group
    plans : mapping of str to str
        Text of each plan; empty without plans.
    """

    danger: Group
    patient: tuple[Group, ...]
    observed: tuple[Group, ...]
    safety: tuple[Group, ...]
    plans: Mapping[str, str]

    @property
    def groups(self) -> tuple[Group, ...]:
        """All groups, in the order of the page."""
        return (self.danger, *self.patient, *self.safety, *self.observed)

    @property
    def fields(self) -> Mapping[str, Field]:
        """All questions by name."""
        return {field.name: field for group in self.groups for field in group.fields}


def make_form(cohort_file: CohortFile, screen: CohortScreen) -> Form:
    """Make the form of a cohort.

    Parameters
    ----------
    cohort_file : CohortFile
    screen : CohortScreen
        Of the same cohort.

    Returns
    -------
    Form
    """
    baseline = cohort_file.baseline_predictors
    labels = {p.name: p.label for p in baseline}
    headings = dict.fromkeys(p.heading or _OTHER for p in baseline)
    danger = tuple(_question(r, labels) for r in screen.questions if r.effect == "danger_sign")
    return Form(
        danger=Group(
            "danger",
            "Danger signs",
            "Asked first: a danger sign stops planning, and then no probability is shown.",
            danger,
        ),
        patient=tuple(
            Group(
                f"patient-{i}",
                heading,
                "",
                _typed_first(_field("patient", p) for p in baseline if (p.heading or _OTHER) == heading),
            )
            for i, heading in enumerate(headings)
        ),
        observed=tuple(_observed(cohort_file)),
        safety=tuple(_safety(screen, labels)),
        plans=dict(cohort_file.plan.levels) if cohort_file.plan is not None else {},
    )


def _typed_first(fields: Iterable[Field]) -> tuple[Field, ...]:
    """What is typed or chosen before what is answered by yes or no; each in the order of the file."""
    return tuple(sorted(fields, key=lambda field: field.kind == "yes_no"))


def pointer(*names: str) -> str:
    """JSON Pointer (RFC 6901) to a member of a request.

    Examples
    --------
    >>> pointer("patient", "copy/json")
    '/patient/copy~1json'
    """
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def item_name(field: str, number: int) -> str:
    """Name of the form's field for one item of a scale.

    Parameters
    ----------
    field : str
        Name of the total's field.
    number : int
        Of the item, from 1.

    Returns
    -------
    str
    """
    return f"{field}#{number}"


def _id(name: str) -> str:
    """Turn a pointer into an id: letters, digits and hyphens only, no two alike."""
    return "f" + "".join(c if c.isascii() and (c.isalnum() or c == "_") else f"-{ord(c):x}-" for c in name)


def _field(part: str, predictor: Predictor) -> Field:
    name = pointer(part, predictor.name)
    if predictor.kind == "binary":
        return Field(name, _id(name), "yes_no", predictor.label)
    if predictor.levels:
        choices = tuple((level, level.replace("_", " ")) for level in predictor.levels)
        return Field(name, _id(name), "choice", predictor.label, choices=choices)
    low, high = predictor.valid or (None, None)
    items = load_scale_items().get(predictor.scale or "")
    return Field(name, _id(name), "number", predictor.label, predictor.unit or "", low, high, (), items)


def _question(rule: Rule, labels: Mapping[str, str]) -> Field:
    name = pointer("safety", rule.name)
    answering = labels.get(rule.predictor or "")
    note = "" if answering is None else f"Also answered by “{answering}”."
    if rule.valid is None:
        return Field(name, _id(name), "yes_no", rule.question, note=note)
    low, high = rule.valid
    if high - low < _MOST_CHOICES:
        choices = tuple((str(n), str(n)) for n in range(low, high + 1))
        return Field(name, _id(name), "choice", rule.question, choices=choices, note=note)
    return Field(name, _id(name), "number", rule.question, low=low, high=high, note=note)


def _safety(screen: CohortScreen, labels: Mapping[str, str]) -> Iterator[Group]:
    """Questions that nothing else answers, by effect; then those that the patient's details answer too."""
    again: list[Field] = []
    for effect, title, text in _EFFECTS:
        rules = [rule for rule in screen.questions if rule.effect == effect]
        again += [_question(r, labels) for r in rules if r.predictor in labels]
        asked = tuple(_question(r, labels) for r in rules if r.predictor not in labels)
        if asked:
            yield Group(f"safety-{effect}", title, text, asked)
    if again:
        text = (
            "The details above answer these. Answer here only to add what they do not say; "
            "a yes counts from either."
        )
        yield Group(
            "safety-again", "Safety questions that the details above answer", text, tuple(again), shut=True
        )


def _observed(file: CohortFile) -> Iterator[Group]:
    later = observed_predictors(file)
    if later:
        text = (
            "Scores taken since treatment began, on the plan chosen above. With one of them the prediction "
            "is made from where the patient is now."
        )
        fields = tuple(_field("observed", p) for p in later)
        yield Group("observed", "During treatment", text, fields, shut=True)

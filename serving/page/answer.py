"""What the page shows of an answer: the API's own answer, worded and drawn, safety before any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.page.pictures import Curve, DriverBar, Frequency, draw_curves, draw_drivers, draw_frequency
from serving.page.planner import Planner, make_planner
from serving.page.words import VERDICTS, level_of_100, of_100, signed_points, tidy
from serving.schemas import observed_predictors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.cohort_file import CohortFile
    from features.cohort_file_model import Predictor
    from serving.loading import Served
    from serving.page.form import Form

__all__ = ["AnswerView", "PlanRow", "view_answer"]


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan beside the others.

    Parameters
    ----------
    name, label : str
    chosen, reference, recommended : bool
    why_not : tuple of str
        Why it has no number; empty if it has.
    response, remission : Frequency or None
    difference : str
        In points, with its interval; empty where there is none.
    comparable, propensity : str
        Support, in words; empty if not offered.
    curves : tuple of Curve
    curves_level : str
    """

    name: str
    label: str
    chosen: bool
    reference: bool
    recommended: bool
    why_not: tuple[str, ...]
    response: Frequency | None
    remission: Frequency | None
    difference: str
    comparable: str
    propensity: str
    curves: tuple[Curve, ...]
    curves_level: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """Everything that the answer's template places.

    Parameters
    ----------
    safety : mapping
        As `SafetyReport` describes it.
    withheld : bool
        Whether safety outranks the probability of the chosen plan.
    reasons : tuple of str
        Why, where it is no danger sign.
    plan : str
        Text of the chosen plan; empty without plans.
    response, remission : Frequency or None
    verdict : (str, str) or None
        In short, and what it says.
    missing : tuple of str
    predictors : int
        How many can be missing.
    unusual : tuple of str
    drivers : tuple of DriverBar
    others : DriverBar or None
    course : mapping or None
        As `CourseReport` describes it.
    plans : tuple of PlanRow
    choice : mapping or None
        As `ChoiceReport` describes it.
    best_single : str
        Text of the best plan for all; may be empty.
    assumption : str or None
    planner : Planner or None
        Of the chosen plan.
    schedule : mapping or None
        As `ScheduleReport` describes it.
    notices : tuple of str
    model : mapping
        As `PredictionModel` describes it.
    digest : str
    ids : tuple of (str, str)
        What was predicted, and under which id.
    entered : tuple of (str, str)
        Label and value of what was given.
    """

    safety: Mapping[str, Any]
    withheld: bool
    reasons: tuple[str, ...]
    plan: str
    response: Frequency | None
    remission: Frequency | None
    verdict: tuple[str, str] | None
    missing: tuple[str, ...]
    predictors: int
    unusual: tuple[str, ...]
    drivers: tuple[DriverBar, ...]
    others: DriverBar | None
    course: Mapping[str, Any] | None
    plans: tuple[PlanRow, ...]
    choice: Mapping[str, Any] | None
    best_single: str
    assumption: str | None
    planner: Planner | None
    schedule: Mapping[str, Any] | None
    notices: tuple[str, ...]
    model: Mapping[str, Any]
    digest: str
    ids: tuple[tuple[str, str], ...]
    entered: tuple[tuple[str, str], ...]


def view_answer(
    served: Served,
    form: Form,
    sent: Mapping[str, str],
    prediction: Mapping[str, Any],
    plans: Mapping[str, Any] | None,
) -> AnswerView:
    """Word and draw an answer.

    Parameters
    ----------
    served : Served
    form : Form
        Of its cohort.
    sent : mapping of str to str
        The form as it was filled in.
    prediction : mapping
        As `Prediction` describes it.
    plans : mapping or None
        As `Plans` describes it; None where the model has none to compare.

    Returns
    -------
    AnswerView
    """
    file = served.model.cohort_file
    every = {p.name: p for p in (*file.predictors, *observed_predictors(file))}
    rows = () if plans is None else tuple(_plan(p, prediction["plan"]) for p in plans["plans"])
    chosen = None if plans is None else _chosen(plans["plans"], prediction["plan"])
    schedule = None if chosen is None else chosen["schedule"]
    laid_out = schedule is not None and (schedule["sessions"] or schedule["reviews"])
    drivers, others = draw_drivers(
        prediction["drivers"], {name: p.unit or "" for name, p in every.items()}, form.plans
    )
    safety = prediction["safety"] or {}
    withheld = prediction["response"] is None
    return AnswerView(
        safety=safety,
        withheld=withheld,
        reasons=() if not withheld or safety["stops"] else _against(safety, prediction["plan"]),
        plan=form.plans.get(prediction["plan"], ""),
        response=None if withheld else draw_frequency(prediction["response"]),
        remission=None if withheld else draw_frequency(prediction["remission"]),
        verdict=_verdict(prediction),
        missing=tuple(every[name].label for name in prediction["inputs"]["missing"]),
        predictors=_asked_at(served, prediction["model"]["landmark"]),
        unusual=tuple(_unusual(entry, every) for entry in prediction["inputs"]["unusual"]),
        drivers=drivers,
        others=others,
        course=prediction["course"],
        plans=rows,
        choice=None if plans is None else plans["choice"],
        best_single="" if plans is None else _best(plans["choice"], form.plans),
        assumption=None if plans is None else plans["assumption"],
        planner=make_planner(schedule) if schedule is not None and laid_out else None,
        schedule=schedule,
        notices=_notices(prediction, plans),
        model=prediction["model"],
        digest=served.digest,
        ids=_ids(prediction, plans),
        entered=_entered(form, sent, file),
    )


def _against(safety: Mapping[str, Any], plan: str | None) -> tuple[str, ...]:
    return tuple(f"{f['reason']} {f['duty']}" for f in safety["contraindications"] if plan in f["plans"])


def _verdict(prediction: Mapping[str, Any]) -> tuple[str, str] | None:
    if prediction["verdict"] is None:
        return None
    short, meaning = VERDICTS[prediction["verdict"]]
    return short, f"{meaning} at the {level_of_100(prediction['response']['level'])} level."


def _asked_at(served: Served, landmark: str) -> int:
    scorer = served.later.get(landmark, served.scorer)
    return len(scorer.cohort_file.baseline_predictors)


def _unusual(entry: Mapping[str, Any], every: Mapping[str, Predictor]) -> str:
    predictor = every[entry["name"]]
    low, high = entry["seen"]
    unit = f" {predictor.unit}" if predictor.unit else ""
    return (
        f"{predictor.label}: {tidy(entry['value'])}{unit}. Nearly all training patients had "
        f"{low:.4g} to {high:.4g}{unit}; beyond, the prediction is an extrapolation."
    )


def _chosen(plans: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any] | None:
    return next((plan for plan in plans if plan["plan"] == name), None)


def _best(choice: Mapping[str, Any] | None, titles: Mapping[str, str]) -> str:
    return "" if choice is None else titles.get(choice["best_single"] or "", "")


def _plan(plan: Mapping[str, Any], chosen: str | None) -> PlanRow:
    support, difference, durability = plan["support"], plan["difference"], plan["durability"]
    few = support is not None and not support["sufficient"]
    return PlanRow(
        name=plan["plan"],
        label=plan["label"],
        chosen=plan["plan"] == chosen,
        reference=plan["reference"],
        recommended=plan["recommended"],
        why_not=tuple(plan["reasons"]) or (("Not enough comparable patients for a number.",) if few else ()),
        response=None if plan["response"] is None else draw_frequency(plan["response"]),
        remission=None if plan["remission"] is None else draw_frequency(plan["remission"]),
        difference="" if difference is None or plan["reference"] else _difference(difference),
        comparable="" if support is None else _comparable(support["comparable_patients"]),
        propensity="" if support is None else f"{of_100(support['propensity'])} of 100",
        curves=() if durability is None else tuple(draw_curves(durability)),
        curves_level="" if durability is None else level_of_100(durability["level"]),
    )


def _comparable(count: float) -> str:
    return f"{count:.0f} comparable patient" + ("" if round(count) == 1 else "s")


def _difference(difference: Mapping[str, Any]) -> str:
    low, high = (signed_points(end) for end in difference["interval"])
    return f"{signed_points(difference['value'])} points ({low} to {high})"


def _notices(prediction: Mapping[str, Any], plans: Mapping[str, Any] | None) -> tuple[str, ...]:
    every = [*prediction["notices"], *(() if plans is None else plans["notices"])]
    urgent = (prediction["safety"] or {}).get("urgent")
    return tuple(dict.fromkeys(text for text in every if text != urgent))


def _ids(prediction: Mapping[str, Any], plans: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    first = ("Prediction", prediction["prediction_id"])
    return (first,) if plans is None else (first, ("Comparison of plans", plans["prediction_id"]))


def _entered(form: Form, sent: Mapping[str, str], file: CohortFile) -> tuple[tuple[str, str], ...]:
    """What was given, in the order of the form."""
    levels = {"true": "yes", "false": "no"}
    given = [
        (field.label, f"{levels.get(sent[name], tidy(sent[name]))} {field.unit}".strip())
        for name, field in form.fields.items()
        if name in sent
    ]
    plan = [("Plan", form.plans.get(sent["/plan"], ""))] if file.plan is not None and "/plan" in sent else []
    return (*plan, *given)

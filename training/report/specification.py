"""The model in full: what TRIPOD+AI's item 22 asks for, with a prediction worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit
from scipy.special import logit as logit_of

from features.encoding import column_names
from features.tree_columns import tree_column_sources
from models.response_model import OUTCOMES
from models.scores import AverageScore, LinearScore, TreeScore
from training.report.linear import LinearTerm, ReferencePatient, list_terms, make_reference_patient

if TYPE_CHECKING:
    from features.cohort_file import CohortFile
    from models.care_model import CareModel
    from models.response_model import OutcomeModel, ResponseModel
    from models.scores import Score

__all__ = ["LinearPart", "Specified", "TreePart", "specify", "specify_all", "to_plain"]

_SHOWN: Final = 120_000  # letters of a dump that the page itself holds; the whole is a file beside it


@dataclass(frozen=True)
class LinearPart:
    """A logistic regression with all coefficients.

    Parameters
    ----------
    name : str
    terms : tuple of LinearTerm
    plans : tuple of str
        The plans whose coefficients the terms hold; () without plans.
    logit : float
        Of the reference patient.
    """

    name: str
    terms: tuple[LinearTerm, ...]
    plans: tuple[str, ...]
    logit: float

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of the coefficients: one for each plan, or a single one."""
        return tuple(plan.replace("_", " ") for plan in self.plans) or ("Coefficient",)


@dataclass(frozen=True)
class TreePart:
    """Trees with all splits and leaves.

    Parameters
    ----------
    name : str
    forest : bool
        Whether leaves add up to a probability (a forest) or to a logit (boosting).
    base : float
        What the leaves of all trees are added to: a probability for a forest, a logit for boosting.
    trees : int
    dump : str
        All trees as XGBoost writes them.
    shown : str
        The first trees, as many as fit into the page.
    logit : float
        Of the reference patient.
    """

    name: str
    forest: bool
    base: float
    trees: int
    dump: str
    shown: str
    logit: float


@dataclass(frozen=True)
class Specified:
    """The model of one outcome at one landmark.

    Parameters
    ----------
    landmark, outcome, candidate : str
    params : mapping of str to mapping
        Hyperparameters by candidate.
    parts : tuple of LinearPart or TreePart
        Several for the average of candidates.
    intercept, slope : float
        Of the recalibration.
    patient : mapping of str to str
        The reference patient, by label.
    logit, calibrated, probability : float
        Worked out for the reference patient: mean of the parts, recalibrated, as a probability.
    served : float
        What the model itself answers.
    """

    landmark: str
    outcome: str
    candidate: str
    params: Mapping[str, Mapping[str, float]]
    parts: tuple[LinearPart | TreePart, ...]
    intercept: float
    slope: float
    patient: Mapping[str, str]
    logit: float
    calibrated: float
    probability: float
    served: float


def specify_all(model: CareModel) -> tuple[Specified, ...]:
    """Specify the models of every landmark and outcome.

    Parameters
    ----------
    model : CareModel

    Returns
    -------
    tuple of Specified
    """
    return tuple(
        specify(part, landmark, outcome) for landmark, part in model.landmarks.items() for outcome in OUTCOMES
    )


def specify(model: ResponseModel, landmark: str, outcome: str) -> Specified:
    """Specify the model of one outcome and work out the reference patient's prediction.

    Parameters
    ----------
    model : ResponseModel
    landmark, outcome : str

    Returns
    -------
    Specified
    """
    part = model.outcomes[outcome]
    patient = make_reference_patient(model)
    parts = tuple(_make_part(name, score, model, patient) for name, score in _members(part))
    logit = float(np.mean([p.logit for p in parts]))
    line = part.choice.recalibration
    calibrated = line.intercept + line.slope * logit
    return Specified(
        landmark=landmark,
        outcome=outcome,
        candidate=part.choice.candidate,
        params=part.choice.params,
        parts=parts,
        intercept=line.intercept,
        slope=line.slope,
        patient=_by_label(model.cohort_file, patient),
        logit=logit,
        calibrated=calibrated,
        probability=float(expit(calibrated)),
        served=float(part.probability(model.inputs(patient.row))[0]),
    )


def to_plain(found: Specified) -> dict[str, Any]:
    """Give what a program needs to predict by hand: every number in full."""
    return {
        "landmark": found.landmark,
        "outcome": found.outcome,
        "candidate": found.candidate,
        "recalibration": {"intercept": found.intercept, "slope": found.slope},
        "reference_patient": dict(found.patient),
        "probability": found.probability,
        "linear": [
            {
                "name": part.name,
                "plans": list(part.plans),
                "terms": [
                    {"label": t.label, "rule": t.rule, "weights": list(t.weights), "value": t.value}
                    for t in part.terms
                ],
            }
            for part in found.parts
            if isinstance(part, LinearPart)
        ],
    }


def _members(part: OutcomeModel) -> list[tuple[str, Score]]:
    """Scores whose mean is the model's, by candidate."""
    score = part.score
    if isinstance(score, AverageScore):
        return list(zip(part.choice.params, score.members, strict=True))
    return [(part.choice.candidate, score)]


def _make_part(
    name: str, score: Score, model: ResponseModel, patient: ReferencePatient
) -> LinearPart | TreePart:
    match score:
        case LinearScore():
            terms = list_terms(score, model, patient)
            logit = sum(term.product for term in terms)
            return LinearPart(name, terms, model.cohort_file.plan_levels, logit)
        case TreeScore():
            booster = score.booster.copy()  # names are put on a copy: the served booster stays as it is
            booster.feature_names = _tree_names(model.cohort_file)
            trees = booster.get_dump(with_stats=False)
            dump = "\n".join(f"tree {i}\n{text}" for i, text in enumerate(trees))
            shown = dump if len(dump) <= _SHOWN else dump[: dump.rindex("\ntree ", 0, _SHOWN) + 1]
            logit = float(score.logit(model.inputs(patient.row))[0])
            return TreePart(name, score.forest, _base(score), len(trees), dump, shown, logit)
    raise TypeError(f"no way to write down a {type(score).__name__}")


def _base(score: TreeScore) -> float:
    """Margin that all trees add to; XGBoost keeps it as a probability for boosting on log loss."""
    config = json.loads(score.booster.save_config())
    base = float(str(config["learner"]["learner_model_param"]["base_score"]).strip("[]"))
    return base if score.forest else float(logit_of(base))


def _tree_names(file: CohortFile) -> list[str]:
    """Names of the columns that trees split on; XGBoost allows no spaces and brackets in them."""
    names, levels = column_names(file), [p.levels for p in file.baseline_predictors]
    kinds = [p.kind for p in file.baseline_predictors]
    if file.plan is not None:
        levels.append(file.plan_levels)
        kinds.append("category")
    seen: dict[int, int] = {}
    found = []
    for source in map(int, tree_column_sources(file)):
        place = seen.get(source, 0)
        seen[source] = place + 1
        level = f"={levels[source][place]}" if kinds[source] == "category" else ""
        text = f"{names[source]}{level}"
        found.append("".join("_" if letter in " []<>,\t\n" else letter for letter in text))
    return found


def _by_label(file: CohortFile, patient: ReferencePatient) -> dict[str, str]:
    labels = {p.name: p.label for p in file.baseline_predictors}
    return {labels.get(name, "Plan"): said for name, said in patient.given.items()}

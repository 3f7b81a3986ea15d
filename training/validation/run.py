"""The whole validation of a version: designs side by side, and everything that gates and report need."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights, repeats_of
from training.cross_validation import REPEATS
from training.diagnostics.run import diagnose
from training.fit import data_digest
from training.patients import Patients, make_outer_splits
from training.validation.champion import plan_champion, subtract_champion
from training.validation.checks import check_finite, plan_reproduction, run_checks
from training.validation.declared import (
    check_same_description,
    find_unmeasured,
    with_declared_subgroups,
)
from training.validation.designs import measure_design, plan_design
from training.validation.external import (
    check_same_inputs,
    predict_externally,
    take_externally,
    validate_externally,
)
from training.validation.first_design import FirstDesign, measure_first
from training.validation.held_out import hold_out_folds, hold_out_groups, hold_out_periods
from training.validation.instability import plan_instability
from training.validation.landmarks import measure_landmark, plan_landmarks, predict_landmarks
from training.validation.learning import plan_learning
from training.validation.optimism import correct_optimism, plan_subsamples
from training.validation.pool import Pool, Progress
from training.validation.refits import Work, candidates_of
from training.validation.results import OutcomeValidation, Validation
from training.validation.same_patients import check_strangers, has_met, is_same_data
from training.validation.version import Version, read_champion, read_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.validation.champion import Answers
    from training.validation.held_out import HeldOut
    from training.validation.results import Comparison, Design, Instability, LearningPoint

__all__ = ["THRESHOLDS", "validate_version"]

THRESHOLDS: Final[Mapping[str, tuple[float, float]]] = {"response": (0.2, 0.5), "remission": (0.1, 0.3)}
"""Clinical range of the probability from which one would treat. Below the lower end a further change of
tablets does as well (STAR*D, third and fourth step: 17 and 16 % responded, 14 and 13 % remitted; Rush et
al., Am J Psychiatry 2006;163:1905-1917); above the upper end electroconvulsive therapy does not (ELEKT-D:
41 % responded, 22 % remitted; Anand et al., N Engl J Med 2023;388:2315-2325)."""


@dataclass(frozen=True)
class _Task:
    """What is validated on what.

    Parameters
    ----------
    version : Version
    champion : Version or None
    cohort : Cohort
    patients : Patients
    weights : ndarray of shape (samples, n_known)
    seed : int
    """

    version: Version
    champion: Version | None
    cohort: Cohort
    patients: Patients
    weights: NDArray[np.float64]
    seed: int


@dataclass(frozen=True)
class _Found:
    """What the fits and predictions gave, by outcome."""

    designs: Mapping[str, tuple[Design, ...]]
    first: Mapping[str, FirstDesign]
    champion: Mapping[str, Comparison]
    instability: Mapping[str, Instability]
    learning: Mapping[str, tuple[LearningPoint, ...]]
    landmarks: Mapping[str, tuple[Design, ...]]
    reproduced: tuple[bool, str] | None


def validate_version(
    uri: str, cohort: Cohort, progress: Progress | None = None, *, seed: int | None = None
) -> Validation:
    """Validate a registered version on a cohort.

    On the data that it was fitted on, the procedure that made it is validated: first by nested
    cross-validation with everything learned anew, the search over candidates too, then by leaving out groups
    and periods and by the bootstrap, with the version's own candidate. On other data the version itself is
    validated, as it is and recalibrated.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
    cohort : Cohort
    progress : callable, optional
        Called with the number of steps done and of all.
    seed : int, optional
        Of folds and bootstrap; that of the fit if left out.

    Returns
    -------
    Validation

    Raises
    ------
    UserError
        If the version cannot be read, the cohort file does not fit it, or the version has learned from some
        of the patients, but not from these very data.
    """
    version = read_version(uri)
    champion = read_champion(version)
    check_same_inputs(cohort.file, version.model.cohort_file)
    if np.isnan(cohort.response).all():
        raise TrainingDataError("no patient of this cohort has an endpoint, so that nothing can be measured")
    same = is_same_data(version, cohort)
    if same:
        check_same_description(cohort.file, version.model.cohort_file)
    else:
        check_strangers(version.model, cohort)
        cohort = with_declared_subgroups(cohort, version.model.cohort_file)
    check_finite(version.model, cohort)
    findings = diagnose(cohort)  # first: whatever goes wrong there costs no work that was done
    patients = Patients.from_cohort(cohort) if same else take_externally(cohort)
    seed = version.seed if seed is None else seed
    known = patients.known
    weights = draw_weights(len(known), None if patients.groups is None else patients.groups[known], seed)
    task = _Task(version, champion, cohort, patients, weights, seed)
    found = (_validate_procedure if same else _validate_artefact)(task, Pool(progress))
    against = None if champion is None else champion.model
    return Validation(
        model={
            "name": version.located.name,
            "version": version.located.version,
            "artefact_digest": version.located.digest,
            "champion": "" if champion is None else champion.located.version,
            "champion_digest": "" if champion is None else champion.located.digest,
        },
        cohort={
            "name": cohort.file.name,
            "title": cohort.file.title,
            "provenance": cohort.file.provenance,
            "flow": asdict(cohort.flow),
        },
        data_digest=data_digest(cohort),
        same_data=same,
        checks=run_checks(version.located, version.model, cohort, against, found.reproduced),
        outcomes={name: _assemble(name, version, found) for name in OUTCOMES},
        findings=findings,
        seed=seed,
        unmeasured={} if same else find_unmeasured(cohort, patients, version.model.cohort_file),
    )


def _validate_procedure(task: _Task, pool: Pool) -> _Found:
    """Everything about the data that the version was fitted on."""
    version, patients, seed = task.version, task.patients, task.seed
    model, fixed = version.model.baseline, version.candidate_fixed
    candidates = candidates_of(model)
    nested, chosen = _plan_nested(task)
    possible = (hold_out_groups(task.cohort, patients), hold_out_periods(task.cohort, patients))
    others = {held.key: held for held in possible if held is not None}
    fits: dict[str, Work[Any]] = {
        "reproduced": plan_reproduction(version.model, task.cohort, version.seed, fixed),
        nested.key: plan_design(patients, nested, seed, chosen),
        **{key: plan_design(patients, held, seed, candidates) for key, held in others.items()},
        "learning": plan_learning(patients, candidates, seed),
        "instability": plan_instability(patients, model, seed),
        "subsamples": plan_subsamples(patients, candidates, seed),
    }
    later = plan_landmarks(task.cohort, version.model, nested, seed)
    fits |= {f"landmark {name}": work for name, work in later.items()}
    if task.champion is not None:
        fits["champion"] = plan_champion(task.cohort, task.champion.model, nested.splits[:1], seed)
    rest = len(others) + 2 + len(later) + len(OUTCOMES) + (task.champion is not None)
    done = pool.do(fits, later=rest)
    if isinstance(done[nested.key], str):
        raise TrainingDataError(done[nested.key])
    designs: dict[str, HeldOut] = {nested.key: nested} | others
    measures = {key: _one(measure_design, held, patients, done[key], seed) for key, held in designs.items()}
    measures["optimism"] = _one(correct_optimism, patients, model, done["subsamples"], seed)
    predicted = {name: done[f"landmark {name}"] for name in later}
    works = _plan_rest(task, done[nested.key], done.get("champion")) | _plan_landmarks(
        task, predicted, nested
    )
    measured = pool.do(works | measures)
    return _Found(
        designs={name: tuple(measured[key][name] for key in measures) for name in OUTCOMES},
        first={name: measured[name] for name in OUTCOMES},
        champion=measured.get("champion", {}),
        instability=done["instability"],
        learning=done["learning"],
        landmarks=_landmarks_of(measured),
        reproduced=done["reproduced"],
    )


def _validate_artefact(task: _Task, pool: Pool) -> _Found:
    """Everything about patients whom the version has not learned from."""
    model = task.version.model
    tables = predict_externally(task.patients, model.baseline, task.seed)
    works = {"designs": _one(validate_externally, task.cohort, task.patients, tables, task.seed)}
    works |= _plan_landmarks(task, predict_landmarks(task.cohort, model, task.seed), None)
    answers = None
    if task.champion is not None:
        # A champion that learned from these very patients would answer from memory: its procedure does then.
        learned = is_same_data(task.champion, task.cohort) or has_met(task.champion.model, task.cohort)
        splits = [make_outer_splits(task.patients, task.seed)] if learned else None
        rival = plan_champion(task.cohort, task.champion.model, splits, task.seed)
        answers = pool.do({"champion": rival}, later=1 + len(works) + len(OUTCOMES))["champion"]
    measured = pool.do(works | _plan_rest(task, tables["external"], answers))
    first = {name: measured[name] for name in OUTCOMES}
    landmarks = _landmarks_of(measured)
    return _Found(measured["designs"], first, measured.get("champion", {}), {}, {}, landmarks, None)


def _plan_rest(
    task: _Task, table: pd.DataFrame, champion: Mapping[str, list[Answers]] | str | None
) -> dict[str, Work[Any]]:
    """Comparison with the champion, and what is told of the first design's predictions of each outcome."""
    tables = {name: table[table["outcome"] == name] for name in OUTCOMES}
    works: dict[str, Work[Any]] = {}
    if champion is not None:
        # One repeat of both: the comparison is paired, and a second would take as long again.
        repeats = {name: repeats_of(part[part["repeat"] == 0]) for name, part in tables.items()}
        works["champion"] = _one(subtract_champion, task.cohort, repeats, champion, task.weights)
    for name, part in tables.items():
        works[name] = _one(measure_first, task.cohort, name, part, task.weights, THRESHOLDS[name])
    return works


def _plan_landmarks(
    task: _Task, predicted: Mapping[str, pd.DataFrame | str], folds: HeldOut | None
) -> dict[str, Work[Any]]:
    return {
        f"landmark {name}": _one(measure_landmark, name, task.patients, table, folds, task.seed)
        for name, table in predicted.items()
    }


def _landmarks_of(measured: Mapping[str, Any]) -> dict[str, tuple[Design, ...]]:
    found = [designs for key, designs in measured.items() if key.startswith("landmark ")]
    return {name: tuple(designs[name] for designs in found) for name in OUTCOMES}


def _assemble(name: str, version: Version, found: _Found) -> OutcomeValidation:
    first = found.first[name]
    return OutcomeValidation(
        designs=found.designs[name],
        candidate=version.model.baseline.outcomes[name].choice.candidate,
        calibration=first.calibration,
        histogram=first.histogram,
        net_benefit=first.net_benefit,
        thresholds=THRESHOLDS[name],
        coverage=first.coverage,
        subgroups=first.subgroups,
        missing_endpoints=first.missing_endpoints,
        instability=found.instability.get(name),
        learning=found.learning.get(name, ()),
        champion=found.champion.get(name),
        landmarks=found.landmarks[name],
    )


def _plan_nested(task: _Task) -> tuple[HeldOut, str | Sequence[Mapping[str, str]] | None]:
    """Give the folds of nested cross-validation, and the candidates to use in them."""
    version, fixed = task.version, task.version.candidate_fixed
    held = hold_out_folds(task.patients, task.seed, REPEATS)
    if fixed is not None:
        return replace(held, how=f"{held.how}, candidate {fixed}, as the fit was told"), fixed
    if task.seed == version.seed and len(version.winners) == sum(map(len, held.splits)):
        # What the search chose in these very folds was learned from their training patients alone. The same
        # search would take seven times as long to say the same.
        how = f"{held.how}; candidates are what the search of the fit chose in these very folds"
        return replace(held, how=how), version.winners
    once = hold_out_folds(task.patients, task.seed, 1)
    return replace(once, how=f"{once.how}, the search over all candidates too"), None


def _one(function: Any, *arguments: Any) -> Work[Any]:
    return Work([delayed(function)(*arguments)], lambda found: found[0])

"""The whole validation of a version: designs side by side, and everything that gates and report need."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import delayed

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights, repeats_of
from training.cross_validation import REPEATS
from training.diagnostics.run import diagnose
from training.fit import data_digest
from training.net_benefit import THRESHOLDS
from training.patients import Patients, make_outer_splits
from training.validation.bootstrap_optimism import correct_by_bootstrap
from training.validation.candidates import choose_apart, tell_own
from training.validation.champion import make_champion_jobs, subtract_champion
from training.validation.checks import check_finite, make_reproduction_jobs, run_checks
from training.validation.declared import (
    check_same_description,
    find_unmeasured,
    with_declared_subgroups,
)
from training.validation.designs import make_design_jobs, measure_design
from training.validation.external import (
    check_same_inputs,
    predict_externally,
    take_externally,
    validate_externally,
)
from training.validation.first_design import FirstDesign, measure_first
from training.validation.held_out import (
    hold_out_folds,
    hold_out_groups,
    hold_out_periods,
    tell_candidate,
)
from training.validation.instability import make_bootstrap_jobs, predict_everybody, summarise_instability
from training.validation.landmarks import make_landmark_jobs, measure_landmark, predict_landmarks
from training.validation.learning import make_learning_jobs
from training.validation.optimism import correct_optimism, make_subsample_jobs
from training.validation.pool import Pool, Work
from training.validation.refits import candidates_of
from training.validation.results import OutcomeValidation, Validation
from training.validation.same_patients import check_strangers, has_met, is_same_data
from training.validation.version import Version, read_champion, read_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from features.cohort import Cohort
    from training.folds import Split
    from training.progress import Progress
    from training.validation.champion import Answers
    from training.validation.held_out import HeldOut
    from training.validation.results import Comparison, Design, Instability, LearningPoint

__all__ = ["validate_version"]


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
    cross-validation with everything learned anew, the search over candidates too, then by leaving out groups,
    with candidates chosen without them, then by leaving out periods and by subsamples, with the version's own
    candidate. On other data the version itself is validated, as it is and recalibrated.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
    cohort : Cohort
    progress : callable, optional
        Called with the number of steps done and of all.
    seed : int, optional
        Of folds, samples and bootstrap; that of the fit if left out.

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
    nested, chosen = _hold_out_nested(task)
    winners = () if chosen is None or isinstance(chosen, str) else chosen[: len(nested.splits[0])]
    others = _hold_out_others(task, nested.splits[0], winners)
    fits: dict[str, Work[Any]] = {
        "reproduced": make_reproduction_jobs(version.model, task.cohort, version.seed, fixed),
        nested.key: make_design_jobs(patients, nested, seed, chosen),
        **{key: make_design_jobs(patients, held, seed, used) for key, (held, used) in others.items()},
        "learning": make_learning_jobs(patients, candidates, seed),
        "bootstrap": make_bootstrap_jobs(patients, model, seed),
        "subsamples": make_subsample_jobs(patients, candidates, seed),
    }
    later, at_landmarks = make_landmark_jobs(
        task.cohort, version.model, nested, seed, fixed=fixed, winners=winners
    )
    fits |= {f"landmark {name}": work for name, work in later.items()}
    if task.champion is not None:
        fits["champion"] = make_champion_jobs(task.cohort, task.champion.model, nested.splits[:1], seed)
    rest = len(others) + 3 + len(later) + len(OUTCOMES) + (task.champion is not None)
    done = pool.do(fits, later=rest)
    if isinstance(done[nested.key], str):
        raise TrainingDataError(done[nested.key])
    designs: dict[str, HeldOut] = {nested.key: nested} | {key: held for key, (held, _) in others.items()}
    measures = {key: _one(measure_design, held, patients, done[key], seed) for key, held in designs.items()}
    own = tell_own(fixed)
    measures["optimism"] = _one(correct_optimism, patients, model, done["subsamples"], seed, own)
    measures["bootstrap_optimism"] = _one(correct_by_bootstrap, patients, model, done["bootstrap"], seed)
    predicted = {name: done[f"landmark {name}"] for name in later}
    works = _make_remaining_jobs(task, done[nested.key], done.get("champion")) | _make_landmark_measurements(
        task, predicted, at_landmarks
    )
    measured = pool.do(works | measures)
    return _Found(
        designs={name: tuple(measured[key][name] for key in measures) for name in OUTCOMES},
        first={name: measured[name] for name in OUTCOMES},
        champion=measured.get("champion", {}),
        instability=summarise_instability(predict_everybody(patients, model), done["bootstrap"]),
        learning=done["learning"],
        landmarks=_landmarks_of(measured),
        reproduced=done["reproduced"],
    )


def _validate_artefact(task: _Task, pool: Pool) -> _Found:
    """Everything about patients whom the version has not learned from."""
    model = task.version.model
    tables = predict_externally(task.patients, model.baseline, task.seed)
    as_it_is = tables["external"]
    if isinstance(as_it_is, str):
        raise TrainingDataError(as_it_is)
    works = {"designs": _one(validate_externally, task.cohort, task.patients, tables, task.seed)}
    works |= _make_landmark_measurements(task, predict_landmarks(task.cohort, model, task.seed), None)
    answers = None
    if task.champion is not None:
        rival = _make_rival_jobs(task, task.champion)
        answers = pool.do({"champion": rival}, later=1 + len(works) + len(OUTCOMES))["champion"]
    measured = pool.do(works | _make_remaining_jobs(task, as_it_is, answers))
    first = {name: measured[name] for name in OUTCOMES}
    landmarks = _landmarks_of(measured)
    return _Found(
        designs=measured["designs"],
        first=first,
        champion=measured.get("champion", {}),
        instability={},
        learning={},
        landmarks=landmarks,
        reproduced=None,
    )


def _make_rival_jobs(task: _Task, champion: Version) -> Work[Mapping[str, list[Answers]] | str]:
    """Let the champion answer; if it learned from these very patients, from memory, its procedure does."""
    if not (is_same_data(champion, task.cohort) or has_met(champion.model, task.cohort)):
        return make_champion_jobs(task.cohort, champion.model, None, task.seed)
    try:
        splits = [make_outer_splits(task.patients, task.seed)]
    except TrainingDataError as exc:
        why = f"the champion learned from these patients, and for its procedure there are no folds: {exc}"
        return Work([], lambda _: why)
    return make_champion_jobs(task.cohort, champion.model, splits, task.seed)


def _make_remaining_jobs(
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


def _make_landmark_measurements(
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


def _hold_out_nested(task: _Task) -> tuple[HeldOut, str | Sequence[Mapping[str, str]] | None]:
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


def _hold_out_others(
    task: _Task, folds: Sequence[Split], winners: Sequence[Mapping[str, str]]
) -> dict[str, tuple[HeldOut, Mapping[str, str] | Sequence[Mapping[str, str]]]]:
    """Give the groups and periods that are held out, and the candidates of each fit."""
    own, fixed = candidates_of(task.version.model.baseline), task.version.candidate_fixed
    found: dict[str, tuple[HeldOut, Mapping[str, str] | Sequence[Mapping[str, str]]]] = {}
    if (groups := hold_out_groups(task.cohort, task.patients, folds)) is not None:
        used, words = choose_apart(groups, own, fixed, folds, winners)
        found[groups.key] = tell_candidate(groups, words), used
    if (periods := hold_out_periods(task.cohort, task.patients)) is not None:
        # A period is part of every fold: nothing was chosen without it.
        found[periods.key] = tell_candidate(periods, tell_own(fixed)), own
    return found


def _one(function: Any, *arguments: Any) -> Work[Any]:
    return Work([delayed(function)(*arguments)], lambda found: found[0])

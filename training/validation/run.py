"""The whole validation of a version: designs side by side, and everything that gates and report need."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from features.errors import TrainingDataError
from models.response_model import OUTCOMES
from training.bootstrap import draw_weights
from training.diagnostics.run import diagnose
from training.fit import data_digest
from training.net_benefit import THRESHOLDS
from training.patients import Patients
from training.validation.artefact import validate_artefact
from training.validation.checks import check_finite, run_checks
from training.validation.declared import (
    check_same_description,
    find_unmeasured,
    with_declared_subgroups,
)
from training.validation.external import check_same_inputs, take_externally
from training.validation.pool import Pool
from training.validation.procedure import validate_procedure
from training.validation.results import OutcomeValidation, Validation
from training.validation.same_patients import check_strangers, is_same_data
from training.validation.task import Task
from training.validation.version import read_champion, read_version

if TYPE_CHECKING:
    from features.cohort import Cohort
    from training.progress import Progress
    from training.validation.task import Found
    from training.validation.version import Version

__all__ = ["validate_version"]


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
    weights = draw_weights(len(known), patients.known_groups, seed)
    task = Task(version, champion, cohort, patients, weights, seed)
    found = (validate_procedure if same else validate_artefact)(task, Pool(progress))
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


def _assemble(name: str, version: Version, found: Found) -> OutcomeValidation:
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

"""Whose choice the candidate of each fit was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.cohort import make_cohort
from features.cohort_file import parse_cohort_file
from tests.features.files import COHORT
from tests.models.small import small_cohort
from tests.training.conftest import FittedStore
from training.cross_validation import reuse_candidates
from training.patients import Patients, make_outer_splits
from training.validation import procedure, run
from training.validation.candidates import choose_apart
from training.validation.held_out import hold_out_groups
from training.validation.pool import Work
from training.validation.run import validate_version
from training.validation.version import Version, read_version

OWN = {"response": "random_forest", "remission": "random_forest"}
WINNERS = [{"response": f"of fold {i}", "remission": "prevalence"} for i in range(5)]


@pytest.mark.parametrize("size", [40, 4])
def test_a_group_held_out_had_no_part_in_choosing_its_candidate(size: int) -> None:
    cohort = small_cohort()
    groups = np.arange(400, dtype=np.intp) // size
    cohort = replace(cohort, groups=groups, group_names=tuple(map(str, range(groups.max() + 1))))
    people = Patients.from_cohort(cohort)
    folds = make_outer_splits(people, 3)
    held = hold_out_groups(cohort, people, folds)
    assert held is not None
    used, words = choose_apart(held, OWN, None, folds, WINNERS)
    assert words.startswith("candidate chosen without those held out")
    assert isinstance(used, list)
    for (_, test), candidates in zip(held.splits[0], used, strict=True):
        # The search in that fold learned from its training patients, none of whom is of these groups.
        learned = folds[int(candidates["response"][-1])][0]
        assert set(groups[test]).isdisjoint(groups[learned])


def test_where_nothing_is_known_of_the_folds_the_versions_candidate_is_used_and_said_so() -> None:
    cohort = small_cohort()
    people = Patients.from_cohort(cohort)
    folds = make_outer_splits(people, 3)
    held = hold_out_groups(cohort, people, folds)
    assert held is not None
    assert choose_apart(held, OWN, None, folds, ()) == (
        OWN,
        "the version's candidate (chosen on all patients)",
    )
    # Other folds part what is held out: nothing was chosen without it.
    crossed = [(np.arange(0), np.flatnonzero(np.arange(400) % 5 == i)) for i in range(5)]
    assert choose_apart(held, OWN, None, crossed, WINNERS).used == OWN
    # A candidate that the fit was told is nobody's choice.
    assert choose_apart(held, OWN, "ridge", folds, WINNERS) == (OWN, "candidate ridge, as the fit was told")


def test_at_a_landmark_the_simplest_model_stands_in_for_prevalence() -> None:
    assert reuse_candidates(WINNERS[0], None) == {"response": "of fold 0", "remission": "ridge"}
    assert reuse_candidates(WINNERS[0], "elastic_net")["remission"] == "elastic_net"


@pytest.mark.slow
def test_a_validation_uses_what_was_chosen_in_each_fold_and_says_where_it_does(
    store: FittedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(uri: str) -> Version:
        version = read_version(uri)
        won = tuple({"response": "prevalence", "remission": "ridge"} for _ in version.winners)
        return replace(version, candidate_fixed=None, winners=won)

    # As if nothing had been fixed, and the search had chosen prevalence wherever patients were held out.
    monkeypatch.setattr(run, "read_version", read)
    monkeypatch.setattr(procedure, "make_reproduction_jobs", lambda *_: Work([], lambda _: (True, "")))
    table = pd.read_csv(store.folder / "cohort.csv", dtype="str", keep_default_na=False)
    cohort = make_cohort(parse_cohort_file(COHORT, "cohort.toml"), table)
    found = validate_version(store.model, cohort).outcomes["response"]
    nested, groups, _, optimism, _ = found.designs
    assert groups.metrics["brier_skill"].value == pytest.approx(0.0, abs=1e-12)
    assert nested.metrics["brier_skill"].value == pytest.approx(0.0, abs=1e-12)
    assert "candidate chosen without those held out" in groups.how
    assert "the version's candidate (chosen on all patients)" in optimism.how
    (day,) = found.landmarks
    assert day.metrics["brier_skill"].value > 0.01  # ridge stands in
    assert "candidate chosen without those held out" in day.how

"""Validation on "other" patients is refused where the version has learned from them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.cohort import Cohort
from features.errors import UserError
from models.care_model import CareModel
from models.learned_from import LearnedFrom
from tests.models.small import FILE, small_cohort, small_model
from training.validation.same_patients import check_strangers, has_met

PARTS = ("rows", "response", "remission", "groups", "ids", "baseline", "endpoint", "later", "checks")


def fitted_on(cohort: Cohort) -> CareModel:
    """Any model, of which it is noted that it learned from the cohort."""
    known = ~np.isnan(cohort.response)
    noted = LearnedFrom.of(cohort.rows[known], cohort.baseline[known])
    return CareModel({"baseline": small_model("ridge")}, learned_from=noted)


def take(cohort: Cohort, index: NDArray[np.intp]) -> Cohort:
    changes = {part: getattr(cohort, part)[index] for part in PARTS}
    return replace(cohort, **changes)


OWN = small_cohort(500, 21)


@pytest.mark.parametrize(
    "index",
    [np.arange(500)[::-1], np.arange(1, 500), np.arange(0, 500, 3), np.repeat(np.arange(250), 2)],
    ids=["another order", "less one", "a third of them", "half, twice each"],
)
def test_the_patients_of_the_fit_are_refused_whatever_became_of_the_table(index: NDArray[np.intp]) -> None:
    with pytest.raises(UserError, match="has learned from about 100% of these patients"):
        check_strangers(fitted_on(OWN), take(OWN, index))


def test_they_are_refused_with_other_outcomes_and_with_another_file_or_group() -> None:
    shuffled = replace(OWN, response=np.where(np.isnan(OWN.response), np.nan, 1 - OWN.response))
    edited = replace(OWN, file=replace(FILE, group=None, text="# edited\n" + FILE.text), groups=None)
    for cohort in (shuffled, edited):
        with pytest.raises(UserError, match="its rows in the same order and the same cohort file"):
            check_strangers(fitted_on(OWN), cohort)


def test_a_version_whose_note_of_them_was_emptied_is_refused() -> None:
    model = fitted_on(OWN)
    assert model.learned_from is not None
    emptied = replace(model.learned_from, taken=np.zeros_like(model.learned_from.taken))
    with pytest.raises(UserError, match="whom it has learned from cannot be so; fit it again"):
        check_strangers(replace(model, learned_from=emptied), OWN)


def mixed(shared: int, strangers: int) -> Cohort:
    """Some of the fit's patients among others."""
    new = small_cohort(strangers, 22)
    both = {part: np.concatenate([getattr(OWN, part)[:shared], getattr(new, part)]) for part in PARTS}
    return replace(new, **both)  # type: ignore[arg-type]


def test_a_fifth_of_the_same_patients_is_enough_and_their_share_is_told() -> None:
    with pytest.raises(UserError, match=r"from about (1[5-9]|2[0-9])% of these patients"):
        check_strangers(fitted_on(OWN), mixed(100, 400))


def test_strangers_are_welcome() -> None:
    # One cohort in ten thousand is refused by chance.
    model = fitted_on(OWN)
    assert not [seed for seed in range(100, 160) if has_met(model, small_cohort(150, seed))]


def test_a_champion_with_another_cohort_file_is_asked_in_its_own_terms() -> None:
    at = [p.name for p in FILE.baseline_predictors].index("sex")
    sex = FILE.baseline_predictors[at]
    turned = tuple(replace(p, levels=p.levels[::-1]) if p.name == "sex" else p for p in FILE.predictors)
    other = replace(FILE, predictors=turned)
    rows = OWN.rows.copy()
    rows[:, at] = len(sex.levels) - 1 - rows[:, at]
    assert not np.array_equal(rows, OWN.rows, equal_nan=True)
    assert has_met(fitted_on(OWN), replace(OWN, file=other, rows=rows))


def test_a_version_that_does_not_say_whom_it_learned_from_is_refused() -> None:
    unknown = CareModel({"baseline": small_model("ridge")})
    assert not has_met(unknown, OWN)
    with pytest.raises(UserError, match="does not say which patients it has learned from; fit it again"):
        check_strangers(unknown, OWN)

"""Policies: only plans with support are chosen; a shallow tree finds a plain rule and can be read."""

import numpy as np

from tests.features.files import make_file
from training.plans.policy import PolicyTree, choose_plans

FILE = make_file()
NAN = float("nan")


def test_the_best_plan_with_support_is_chosen() -> None:
    expected = np.array([[0.3, 0.5], [0.3, 0.5], [0.6, 0.5], [0.3, 0.5]])
    sufficient = np.array([[True, True], [True, False], [True, True], [False, False]])
    # Where no plan has support the policy still has to be valued: it then takes the highest.
    assert choose_plans(expected, sufficient).tolist() == [1, 0, 0, 1]


def rows(n: int = 400) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(1)
    pain = rng.integers(0, 2, n).astype(float)
    pain[rng.random(n) < 0.1] = NAN
    return np.column_stack(
        [
            rng.uniform(20, 80, n),
            pain,
            rng.integers(0, 3, n),
            rng.integers(0, 3, n),
            rng.normal(35, 5, n),
            rng.lognormal(0, 1, n),
            rng.integers(0, 2, n),
        ]
    )


def test_a_rule_on_one_predictor_is_found_and_told() -> None:
    people = rows()
    pain = people[:, 1] == 1
    expected = np.column_stack([np.where(pain, 0.3, 0.6), np.full(len(people), 0.45)])
    tree = PolicyTree.fit(people, expected)
    assert tree.choose(people).tolist() == np.where(pain, 1, 0).tolist()
    first, second = FILE.plan_levels
    lines = tree.describe(FILE).split("\n")
    assert [line.strip() for line in lines] == [
        "if pain is no or not known:",
        first,
        "if pain is yes:",
        second,
    ]


def test_one_plan_for_all_is_told_as_that_plan() -> None:
    people = rows()
    expected = np.column_stack([np.full(len(people), 0.6), people[:, 0] / 400])
    tree = PolicyTree.fit(people, expected)
    assert tree.describe(FILE) == FILE.plan_levels[0]


def test_levels_and_numbers_are_told_in_the_words_of_the_cohort_file() -> None:
    people = rows()
    female = people[:, 2] == 0
    expected = np.column_stack([np.where(female, 0.7, 0.2), np.where(people[:, 0] > 50, 0.5, 0.4)])
    text = PolicyTree.fit(people, expected).describe(FILE)
    assert "if sex is female:" in text
    assert "if sex is male or none" in text

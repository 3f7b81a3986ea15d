"""The model in full: whoever follows what is written gets what is served."""

import re

import numpy as np
import pytest
from scipy.special import expit, logit

from models.response_model import OUTCOMES
from tests.models.small import NAMES, care_model, small_model
from training.report.specification import LinearPart, TreePart, specify, specify_all
from training.report.view import tabulate_terms


@pytest.mark.parametrize("candidate", NAMES)
def test_worked_example_gives_what_is_served(candidate: str) -> None:
    for found in specify_all(care_model(candidate)):
        assert found.probability == pytest.approx(found.served, abs=1e-9), found.outcome


def test_table_as_printed_gives_what_is_served() -> None:
    """Follows the rules with the digits of the page alone, as a reader with a calculator would."""
    found = specify(small_model("ridge"), "baseline", "response")
    part = found.parts[0]
    assert isinstance(part, LinearPart)
    table = tabulate_terms(found, part)
    assert table is not None
    reference = 2 + part.plans.index("pill")  # the cohort file's reference plan
    total = 0.0
    for row in table.rows[:-1]:
        assert float(row[-2]) * float(row[reference]) == pytest.approx(float(row[-1]), abs=2e-5), row[0]
        total += float(row[-1])
    calibrated = found.intercept + found.slope * total
    assert float(expit(calibrated)) == pytest.approx(found.served, abs=1e-4)


def test_rules_of_the_columns_give_their_values() -> None:
    """Evaluates the printed rule of each column for the reference patient, and gets the printed value."""
    found = specify(small_model("ridge"), "baseline", "response")
    part = found.parts[0]
    assert isinstance(part, LinearPart)
    scaled: dict[str, float] = {}
    followed = 0
    for term in part.terms[1:]:
        rule = term.rule.split(";")[0]
        if "z" in rule:
            expression = re.sub(r"max\(z - ([^,]+), 0\)³", r"max(z - \1, 0)**3", rule).replace("·", "*")
            value = eval(expression, {"z": scaled[term.label.removesuffix(": curve")], "max": max})
        else:
            x = _given(term.rule, term.given)
            value = eval(rule, {"x": x})
            scaled[term.label] = value
        assert value == pytest.approx(term.value, abs=1e-4), term.label
        followed += 1
    assert followed == len(part.terms) - 1 > 8


def _given(rule: str, given: str) -> float:
    """What x stands for, from what the table says that the reference patient has."""
    if (level := re.search(r"x = 1 if (.+), else 0", rule)) and "not recorded" not in rule:
        return float(given == level[1])
    if "not recorded" in rule or given in ("yes", "no"):
        return float(given == "yes")
    return float(given.split(maxsplit=1)[0])


def test_dump_of_trees_gives_the_logit() -> None:
    """Walks the printed trees by hand, with an own reader."""
    model = small_model("xgboost")
    for outcome in OUTCOMES:
        found = specify(model, "baseline", outcome)
        part = found.parts[0]
        assert isinstance(part, TreePart)
        assert part.shown == part.dump  # small enough for the page
        total = part.base + sum(_walk(tree, found.patient) for tree in part.dump.split("tree ")[1:])
        assert total == pytest.approx(part.logit, abs=1e-4)


def test_dump_of_a_forest_gives_the_probability() -> None:
    found = specify(small_model("random_forest"), "baseline", "response")
    part = found.parts[0]
    assert isinstance(part, TreePart)
    assert part.forest
    total = part.base + sum(_walk(tree, found.patient) for tree in part.dump.split("tree ")[1:])
    assert float(logit(np.clip(total, 1e-6, 1 - 1e-6))) == pytest.approx(part.logit, abs=1e-3)


def _walk(tree: str, patient: object) -> float:
    """Leaf that the reference patient reaches, by the names of the columns."""
    values = _columns(dict(patient))  # type: ignore[call-overload]
    nodes = dict(re.findall(r"^\s*(\d+):(.+)$", tree, re.MULTILINE))
    at = "0"
    while "leaf" not in nodes[at]:
        split = re.match(r"\[(.+)<(.+)\] yes=(\d+),no=(\d+),missing=(\d+)", nodes[at])
        assert split is not None, nodes[at]
        name, below, yes, no, _ = split.groups()
        at = yes if np.float32(values[name]) < np.float32(below) else no
    return float(nodes[at].split("=")[1])


def _columns(patient: dict[str, str]) -> dict[str, float]:
    return {
        "age": float(patient["Age"].split()[0]),
        "pain": float(patient["Chronic pain"] == "yes"),
        "trauma": float(patient["Trauma"]),
        "madrs_start": float(patient["Madrs start"]),
        "crp": float(patient["Crp"]),
        **{f"sex={level}": float(patient["Sex"] == level) for level in ("female", "male", "none")},
        **{f"plan={level}": float(patient["Plan"] == level) for level in ("spray", "pill")},
    }

import numpy as np
import pandas as pd
import pytest

from features.cohort_file import parse_cohort_file
from features.encoding import column_names, encode_frame, encode_patient
from features.schema import check_table
from tests.features.files import COHORT, change, make_file, make_frame

FILE = make_file()
NAN = float("nan")


def test_columns_are_the_baseline_predictors_then_the_plan() -> None:
    assert column_names(FILE) == ("age", "pain", "sex", "trauma", "madrs_start", "crp", "plan")


def test_without_plans_there_is_no_plan_column() -> None:
    text = COHORT[: COHORT.index("[plan]")] + COHORT[COHORT.index("[landmarks]") :]
    cohort_file = parse_cohort_file(text, "no_plan.toml")
    checked = check_table(cohort_file, make_frame(), "fit")
    assert column_names(cohort_file)[-1] == "crp"
    assert encode_frame(cohort_file, checked).shape == (8, 6)
    assert len(encode_patient(cohort_file, {}, None)) == 6


def test_a_table_is_encoded_as_documented() -> None:
    frame = make_frame(age="44.5", pain="yes", sex="none", trauma="2", madrs_start="31", crp="", plan="pill")
    rows = encode_frame(FILE, check_table(FILE, frame, "fit"))
    np.testing.assert_equal(rows[0], [44.5, 1, 2, 2, 31, NAN, 1])
    assert rows.dtype == np.float64


PATIENTS: list[tuple[dict[str, object], str]] = [
    ({"age": 44.5, "pain": True, "sex": "none", "trauma": "2", "madrs_start": 31, "crp": 0.5}, "pill"),
    ({"age": 18, "pain": False, "sex": "female", "trauma": "0", "madrs_start": 60.0, "crp": 1e9}, "spray"),
    ({"age": None, "sex": None, "madrs_start": 20}, "spray"),
]


@pytest.mark.parametrize(("patient", "plan"), PATIENTS)
def test_a_request_and_a_table_row_give_the_same_numbers(patient: dict[str, object], plan: str) -> None:
    # Served and batch answers can only be the same if both read the same numbers.
    names = [predictor.name for predictor in FILE.baseline_predictors]
    cells = {name: "" if patient.get(name) is None else str(patient[name]) for name in names}
    frame = make_frame(**cells, plan=plan)
    row = encode_frame(FILE, check_table(FILE, frame, "score"))[0]
    np.testing.assert_array_equal(encode_patient(FILE, patient, plan), row)


def test_a_level_may_come_as_a_number() -> None:
    assert encode_patient(FILE, {"trauma": 2}, "pill")[3] == 2


@pytest.mark.parametrize(
    ("patient", "plan", "problem"),
    [({"sex": "other"}, "pill", "not in tuple"), ({}, "drip", "not in tuple"), ({}, None, "not in tuple")],
)
def test_a_level_that_was_not_validated_is_never_encoded(
    patient: dict[str, object], plan: str | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        encode_patient(FILE, patient, plan)


def test_the_order_of_columns_in_the_table_is_of_no_account() -> None:
    frame = make_frame()
    shuffled = frame[sorted(frame.columns)]
    np.testing.assert_array_equal(
        encode_frame(FILE, check_table(FILE, shuffled, "fit")),
        encode_frame(FILE, check_table(FILE, frame, "fit")),
    )


def test_plan_levels_may_be_numbers_in_the_table() -> None:
    text = change('spray = "A spray"\npill = "A pill"', '0 = "A spray"\n1 = "A pill"').replace(
        '"pill"', '"1"'
    )
    cohort_file = parse_cohort_file(text, "numbers.toml")
    frame = make_frame()
    frame["plan"] = pd.Series([0.0, 1.0] * 4)
    assert encode_frame(cohort_file, check_table(cohort_file, frame, "score"))[:2, -1].tolist() == [0, 1]

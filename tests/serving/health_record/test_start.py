"""What an operator named for the health record is read at start, with any number of workers."""

from pathlib import Path

import pytest

from tests.serving.conftest import keys_of
from tests.serving.test_service import run_to_its_end

MAPPING = """
cohort = "ketamine-trd"
outcome_days = 28
plan = "iv_ketamine"
[predictors.ages]
read = "birth_date"
"""


@pytest.mark.parametrize(
    ("setting", "text", "message"),
    [
        ("FHIR_MAPPING", MAPPING, "[predictors] 'ages' is not known; did you mean 'age'?"),
        ("CDS_CLIENTS", "", "no client is listed"),
    ],
)
def test_faulty_file_ends_the_start_with_its_reason(
    folder: Path, tmp_path: Path, setting: str, text: str, message: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    named = {
        f"TREATMENT_RESPONSE_{setting}": str(path),
        "TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys_of(folder)),
    }
    code, said = run_to_its_end(tmp_path, "--model", str(folder), "--workers", "2", **named)
    assert code == 2
    assert message in said
    assert "Traceback" not in said


def test_origin_must_be_one(folder: Path, tmp_path: Path) -> None:
    wrong = {"TREATMENT_RESPONSE_CORS_ORIGINS": "https://ehr.example.org/app"}
    code, said = run_to_its_end(tmp_path, "--model", str(folder), **wrong)
    assert code == 2
    assert "cors_origins (TREATMENT_RESPONSE_CORS_ORIGINS): must be origins such as" in said

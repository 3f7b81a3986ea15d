"""What several tests of the simulation need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def get_columns(table: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Columns of a complete table as arrays, as the simulation's own parts take them."""
    return {str(name): column.to_numpy() for name, column in table.items()}


def get_response(table: pd.DataFrame) -> NDArray[np.float64]:
    """1 where the endpoint is at most half of the baseline score, else 0, from a complete table."""
    halved = 2 * table["madrs_day_28"] <= table["madrs_baseline"]
    return halved.to_numpy().astype(np.float64)


def compute_expected_auroc(probability: NDArray[np.float64]) -> float:
    """AUROC that the true probabilities themselves reach, in expectation over the outcomes.

    Each patient is a responder with weight p and a non-responder with weight 1 - p; the AUROC is the weighted
    share of pairs in which the responder has the larger p.
    """
    p = np.sort(probability)
    below = np.cumsum(1 - p) - (1 - p) / 2
    return float((p * below).sum() / (p.sum() * (1 - p).sum()))

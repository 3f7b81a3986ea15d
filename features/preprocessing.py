"""The encoder as a part of scikit-learn's pipelines; a service reads it without them (`features.encoder`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from features.encoder import Encoder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EncodePredictors"]


class EncodePredictors(Encoder, TransformerMixin, BaseEstimator):
    """Scale, impute and expand encoded rows for linear models: `Encoder` as a transformer."""

    def transform(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Give the base columns.

        Parameters
        ----------
        rows : array of shape (n, m)

        Returns
        -------
        ndarray of shape (n, n_base)
            As `Encoder.base_columns`.
        """
        return self.base_columns(np.asarray(rows, dtype=np.float64))

"""How many patients a model of this size needs: the criteria of Riley and colleagues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOST_PARAMETERS", "SampleSize", "decisive_size", "required_sample_size", "size_outcomes"]

MOST_PARAMETERS: Final = 30
"""Parameters up to which criterion 4 was derived; with more it is extrapolated (van Smeden et al. 2019; Riley
et al., BMJ 2020;368:m441, figure 4)."""

_SHRINKAGE, _OPTIMISM, _MARGIN, _ERROR = 0.9, 0.05, 0.05, 0.05


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Patients needed by each criterion.

    Parameters
    ----------
    shrinkage : int
        Criterion 1: expected uniform shrinkage of at least 0.9.
    optimism : int
        Criterion 2: optimism in Nagelkerke's R-squared of at most 0.05.
    prevalence : int
        Criterion 3: prevalence known to within 0.05.
    error : int
        Criterion 4: mean absolute error of the probabilities of at most 0.05; an extrapolation with more
        than 30 parameters.
    """

    shrinkage: int
    optimism: int
    prevalence: int
    error: int

    @property
    def needed(self) -> int:
        """The largest of the four."""
        return max(self.shrinkage, self.optimism, self.prevalence, self.error)


def size_outcomes(parameters: int, shares: Mapping[str, float]) -> dict[str, SampleSize]:
    """Give the patients needed for each outcome: a rarer one needs more.

    Parameters
    ----------
    parameters : int
    shares : mapping of str to float
        Share with each outcome.

    Returns
    -------
    dict of str to SampleSize
        Without outcomes that nobody or everybody has, for which no model can be learned.
    """
    return {name: required_sample_size(parameters, share) for name, share in shares.items() if 0 < share < 1}


def decisive_size(sizes: Mapping[str, SampleSize]) -> tuple[str, SampleSize]:
    """Give the outcome that needs the most patients, and what it needs.

    Parameters
    ----------
    sizes : mapping of str to SampleSize
        By outcome; at least one.

    Returns
    -------
    (str, SampleSize)
    """
    return max(sizes.items(), key=lambda item: item[1].needed)


def required_sample_size(parameters: int, prevalence: float, nagelkerke: float = 0.15) -> SampleSize:
    """Minimum number of patients for developing a model of a binary outcome.

    Parameters
    ----------
    parameters : int
        Candidate predictor parameters (columns, not predictors).
    prevalence : float
        Share with the outcome, above 0 and below 1.
    nagelkerke : float
        Share of the largest possible Cox-Snell R-squared that the model is expected to reach.

    Returns
    -------
    SampleSize

    References
    ----------
    Riley et al., BMJ 2020;368:m441, and Stat Med 2019;38:1276-1296 (criteria 1 to 3; 0.15 is their
    advice where nothing is known). Van Smeden et al., Stat Methods Med Res 2019;28:2455-2474
    (criterion 4).
    """
    null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)
    most = 1 - np.exp(2 * null)
    cox_snell = nagelkerke * most

    def for_shrinkage(shrinkage: float) -> int:
        return int(np.ceil(parameters / ((shrinkage - 1) * np.log(1 - cox_snell / shrinkage))))

    rarer = min(prevalence, 1 - prevalence)
    log_n = (-0.508 + 0.259 * np.log(rarer) + 0.504 * np.log(parameters) - np.log(_ERROR)) / 0.544
    return SampleSize(
        shrinkage=for_shrinkage(_SHRINKAGE),
        optimism=for_shrinkage(cox_snell / (cox_snell + _OPTIMISM * most)),
        prevalence=int(np.ceil((1.96 / _MARGIN) ** 2 * prevalence * (1 - prevalence))),
        error=int(np.ceil(np.exp(log_n))),
    )

"""A fit that is too good to be true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from training.diagnostics.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from training.bootstrap import Estimate

__all__ = ["CHECK", "find_implausible"]

CHECK: Final = "implausible_result"

_NOTABLE: Final = 0.80
_SEVERE: Final = 0.90


def find_implausible(auroc: Mapping[str, Estimate]) -> Iterator[Finding]:
    """Judge the out-of-fold AUROC of the baseline model.

    A leak may be spread over many columns, none of which stands out. It then shows in the result: models of
    treatment response in depression reach 0.60 to 0.70 (Chekroud et al., Lancet Psychiatry 2016;3:243-250).

    Parameters
    ----------
    auroc : mapping of str to Estimate
        By outcome; of the prediction from baseline.

    Yields
    ------
    Finding
        Severe if the lower end of the interval is above 0.90, a notice above 0.80.
    """
    for outcome, figure in auroc.items():
        if figure.low > _NOTABLE:
            yield Finding(
                CHECK,
                figure.low > _SEVERE,
                outcome,
                f"From baseline the model ranks patients with an AUROC of {figure} out of fold; 0.60 to 0.70 "
                "is what has been published.",
                "Look for columns that are recorded after, or because of, the outcome, before believing it.",
            )

"""Which candidate each fit of a design uses, and whether those it predicts had a part in the choice.

The version's candidate was chosen on all patients, those whom a design holds out too: figures of models that
use it are a little too good. The fit's outer folds know better: what was chosen in each of them was chosen
without its patients (Varma and Simon, BMC Bioinformatics 2006;7:91), and is there without a further search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.folds import Split
    from training.validation.held_out import HeldOut

__all__ = ["ON_ALL", "Candidates", "choose_apart", "tell_own"]

ON_ALL: Final = "chosen on all patients"
"""What `how` says of the version's candidate; a report looks for it."""


class Candidates(NamedTuple):
    """Candidates of the fits of a design.

    Parameters
    ----------
    used : mapping of str to str, or sequence of such mappings
        By outcome: of every fit, or of each.
    words : str
        Whose choice that was, as `how` says it.
    """

    used: Mapping[str, str] | Sequence[Mapping[str, str]]
    words: str


def tell_own(fixed: str | None) -> str:
    """Say whose choice the version's candidate was.

    Parameters
    ----------
    fixed : str or None
        Candidate that the fit was told to use.

    Returns
    -------
    str
    """
    if fixed is None:
        return f"the version's candidate ({ON_ALL})"
    return f"candidate {fixed}, as the fit was told"


def choose_apart(
    held: HeldOut,
    own: Mapping[str, str],
    fixed: str | None,
    folds: Sequence[Split],
    winners: Sequence[Mapping[str, str]],
) -> Candidates:
    """Use in each fit what was chosen without those whom it predicts, if that is known.

    Parameters
    ----------
    held : HeldOut
        One repeat.
    own : mapping of str to str
        The version's candidates, by outcome.
    fixed : str or None
        Candidate that the fit was told to use.
    folds : sequence of Split
        Outer folds of the fit's first repeat.
    winners : sequence of mapping of str to str
        What was chosen in them, by outcome; empty if that is not known.

    Returns
    -------
    Candidates
        Each of the fold in which all those held out were predicted; the version's where a fit predicts
        patients of several folds, or nothing is known of them.
    """
    homes = [_home(test, folds) for splits in held.splits for _, test in splits]
    if fixed is not None or not winners or None in homes:
        return Candidates(own, tell_own(fixed))
    apart = "candidate chosen without those held out, by the search of the fit in the fold that they are in"
    return Candidates([winners[home] for home in homes if home is not None], apart)


def _home(test: NDArray[np.intp], folds: Sequence[Split]) -> int | None:
    inside = [number for number, (_, members) in enumerate(folds) if np.isin(test, members).all()]
    return inside[0] if inside else None

"""What a request finds of the running service: one version for its whole life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

    from serving.loading import Served

__all__ = ["Following", "Refused", "following_of", "served_by"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A version that the alias names and that is not served.

    Parameters
    ----------
    version : str
    reason : str
    """

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Following:
    """How the service stands to the registry.

    Parameters
    ----------
    refused : Refused or None
        The version that the alias names, if it is not the one that is served.
    problem : str or None
        Why the registry cannot be asked.
    """

    refused: Refused | None = None
    problem: str | None = None


def following_of(request: Request) -> Following:
    """How the service stood to the registry when the request arrived."""
    following: Following = request.state.following
    return following


def served_by(request: Request) -> Served:
    """Model that answers a request.

    Parameters
    ----------
    request : Request

    Returns
    -------
    Served

    Raises
    ------
    ProblemError
        503 while the service starts or stops.
    """
    served: Served | None = getattr(request.state, "served", None)
    if served is None:
        raise ProblemError(
            503, "the service is not ready; try again in a moment", headers={"Retry-After": "1"}
        )
    return served

"""What the running service holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from serving.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

    from serving.loading import Served

__all__ = ["State", "served_by"]


class State(TypedDict):
    """Lifespan state, there from start to stop."""

    served: Served


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

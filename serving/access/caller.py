"""Callers: who asks, in which role, and what the role may do."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

__all__ = ["ANONYMOUS", "ROLES", "SCOPES", "Caller", "caller_of", "scopes_of"]

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "clinician": frozenset({"read", "predict", "outcomes"}),
        "data-scientist": frozenset({"read", "predict", "outcomes", "metrics"}),
        "ci": frozenset({"read", "predict", "metrics"}),
    }
)
"""What each role may do. `read`: descriptions of the model. `predict`: every route that answers with a
prediction. `outcomes`: say what happened to a patient. `metrics`: figures of the running service."""

SCOPES: Final = frozenset().union(*ROLES.values())
"""Everything that can be allowed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Parameters
    ----------
    id : str
        Of the key or token, such as `key:3f9a1c20` or `token:dr-lee`; never a secret. Records hold it.
    roles : frozenset of str
        Of `ROLES`.
    scopes : frozenset of str
        What this caller may do: what the roles allow, or less.
    """

    id: str
    roles: frozenset[str]
    scopes: frozenset[str] = SCOPES


ANONYMOUS: Final = Caller("anonymous", frozenset(ROLES))
"""Whoever asks a service on loopback that has no authentication."""


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """Give what roles may do together.

    Parameters
    ----------
    roles : iterable of str
        Of `ROLES`.

    Returns
    -------
    frozenset of str

    Examples
    --------
    >>> sorted(scopes_of(["ci"]))
    ['metrics', 'predict', 'read']
    """
    return frozenset().union(*(ROLES[role] for role in roles))


def caller_of(request: Request) -> Caller:
    """Who asks; for a version's routes, which `Access` surrounds.

    Parameters
    ----------
    request : Request

    Returns
    -------
    Caller
    """
    caller: Caller = getattr(request.state, "caller", ANONYMOUS)
    return caller

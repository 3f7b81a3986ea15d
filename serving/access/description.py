"""What the API's description says of who may ask."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from serving.access.rules import is_public, scope_for
from serving.problems import MEDIA_TYPE

__all__ = ["describe_access"]

_BEARER: Final = "bearer"
_API_KEY: Final = "apiKey"
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


def describe_access(document: dict[str, Any]) -> None:
    """Add to a description that callers must say who they are, and what they are told otherwise.

    Parameters
    ----------
    document : dict
        OpenAPI 3.1; changed in place.
    """
    document["components"]["securitySchemes"] = {
        _BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`trk_…`) or a JSON Web Token of the identity provider.",
        },
        _API_KEY: {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not is_public(path):
                scope = scope_for(method.upper(), path)
                needed = [] if scope is None else [scope]
                operation["security"] = [{_BEARER: needed}, {_API_KEY: needed}]
                operation["responses"] |= {str(status): _refusal(status) for status in (401, 403, 429)}


def _refusal(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}

"""From the OpenAPI document to what the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Field", "Operation", "Shape", "list_operations", "list_shapes"]

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand somewhere.

    Parameters
    ----------
    text : str
        Its kind and limits in words.
    refers : tuple of str
        Names of the schemas that it is made of.
    """

    text: str
    refers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object, or a parameter.

    Parameters
    ----------
    name : str
    shape : Shape
    required : bool
    description : str
    """

    name: str
    shape: Shape
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked.

    Parameters
    ----------
    method, path, summary, description : str
    parameters : tuple of Field
    body : Shape or None
    answers : tuple of (str, str, Shape)
        Status, description and what comes back.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: Shape | None
    answers: tuple[tuple[str, str, Shape], ...]


def list_operations(document: Document) -> list[Operation]:
    """List what can be asked, in the order of the document.

    Parameters
    ----------
    document : dict
        OpenAPI 3.1.

    Returns
    -------
    list of Operation
    """
    return [
        _operation(method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def list_shapes(document: Document) -> dict[str, list[Field]]:
    """List the schemas that operations name.

    Parameters
    ----------
    document : dict

    Returns
    -------
    dict of str to list of Field
        By name; a schema that is no object has no fields.
    """
    schemas = document.get("components", {}).get("schemas", {})
    return {name: list(_fields(schema)) for name, schema in schemas.items()}


def _operation(method: str, path: str, operation: Document) -> Operation:
    summary = operation.get("summary", "")
    parameters = (
        Field(
            f"{parameter['name']} ({parameter['in']})",
            _shape(parameter.get("schema", {})),
            parameter.get("required", False),
            parameter.get("description", ""),
        )
        for parameter in operation.get("parameters", ())
    )
    body = operation.get("requestBody")
    return Operation(
        method.upper(),
        path,
        summary,
        operation.get("description", ""),
        tuple(parameters),
        None if body is None else _content(body),
        tuple(
            (status, answer.get("description", ""), _content(answer))
            for status, answer in operation.get("responses", {}).items()
        ),
    )


def _content(part: Document) -> Shape:
    shapes = [_shape(media.get("schema", {})) for media in part.get("content", {}).values()]
    return Shape(", ".join(part.get("content", {})), tuple(name for shape in shapes for name in shape.refers))


def _fields(schema: Document) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        title = member.get("title", "")
        told = member.get("description") or ("" if title.lower() == name.replace("_", " ") else title)
        yield Field(name, _shape(member), name in required, told)


def _shape(schema: Mapping[str, Any]) -> Shape:
    """A schema in words; what it refers to is named beside."""
    if "$ref" in schema:
        return Shape("", (schema["$ref"].rpartition("/")[2],))
    parts = [_shape(part) for kind in ("anyOf", "oneOf", "allOf") for part in schema.get(kind, ())]
    words = [*dict.fromkeys(part.text for part in parts if part.text)]
    refers = tuple(name for part in parts for name in part.refers)
    text = " or ".join(words) or _simple(schema)
    if "items" in schema:
        inner = _shape(schema["items"])
        text, refers = f"list of {inner.text}".strip(), refers + inner.refers
    unit = schema.get("x-unit")
    return Shape(f"{text}, in {unit}" if unit else text, refers)


def _simple(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return _json(schema["const"])
    if "enum" in schema:
        return " | ".join(_json(value) for value in schema["enum"])
    kind = schema.get("type", "")
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{text} from {low:.15g} to {high:.15g}"
    return f"{text} of at least {low:.15g}" if low is not None else text


def _json(value: object) -> str:
    return to_json(value).decode()

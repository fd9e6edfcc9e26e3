"""Examples in the OpenAPI document. If a body or an answer has none, this builds one from its fields' examples."""

from typing import Any

_BY_FORMAT = {
    "uuid": "019c2291-b3a0-7768-a5f9-23774462ebfc",
    "date": "2026-02-03",
    "date-time": "2026-02-03T08:15:00Z",
    "binary": "(a file)",
}
_BY_TYPE: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}
_DEPTH = 16


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return an example of ``schema``: its own, else its default, else one built from its parts.

    Args:
        schema: JSON Schema 2020-12, as in OpenAPI 3.1.
        schemas: the schemas under ``#/components/schemas``.
        depth: levels above this one; it ends the recursion of a schema that refers to itself.
    """
    if depth > _DEPTH:
        return None
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, depth + 1)
    for word in ("example", "const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            return example_of(schema[word][0], schemas, depth + 1)
    return _built(schema, schemas, depth)


def _built(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> Any:  # noqa: ANN401 - any JSON
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return _object(schema, schemas, depth)
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return [example_of(item, schemas, depth + 1) for item in items]
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    if kind in {"integer", "number"}:
        return schema.get("minimum", _BY_TYPE[kind])
    return _BY_TYPE.get(str(kind))


def _object(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> dict[str, Any]:
    values = {name: example_of(part, schemas, depth + 1) for name, part in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties")
    if not values and isinstance(more, dict) and more:
        return {"name": example_of(more, schemas, depth + 1)}
    return values


def complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add an example to the JSON body and to each JSON answer of an operation that has none."""
    parts = [operation["requestBody"]] if "requestBody" in operation else []
    parts += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for part in parts:
        content = part.get("content", {}).get("application/json")
        if content is not None and content.get("schema") and not {"example", "examples"} & content.keys():
            content["example"] = example_of(content["schema"], schemas)

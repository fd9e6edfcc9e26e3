"""Examples for the description: every body and answer has one, made of its fields' own examples where it has none."""

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
    """An example of ``schema``: its own, else its default, else made of its parts.

    Args:
        schema: JSON Schema 2020-12, as in OpenAPI 3.1.
        schemas: what ``#/components/schemas`` holds.
        depth: how far down we are; schemas may refer to themselves.
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
    return _made(schema, schemas, depth)


def _made(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> Any:  # noqa: ANN401 - any JSON
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
    found = {name: example_of(part, schemas, depth + 1) for name, part in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties")
    if not found and isinstance(more, dict) and more:
        return {"name": example_of(more, schemas, depth + 1)}
    return found


def complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give the operation's JSON body and answers an example where they have none."""
    parts = [operation["requestBody"]] if "requestBody" in operation else []
    parts += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for part in parts:
        content = part.get("content", {}).get("application/json")
        if content is not None and content.get("schema") and not {"example", "examples"} & content.keys():
            content["example"] = example_of(content["schema"], schemas)

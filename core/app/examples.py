"""Examples in the OpenAPI document. If a body or an answer has none, this module builds one from its fields' examples.

The examples agree with each other. An identifier always stands for the same thing, times are in order, and the answer
to a write repeats its body. If fields of a model depend on each other, the model has an example of its own
(``json_schema_extra``). If an answer shows another state of the thing, its route has one.
"""

import re
from hashlib import blake2b
from typing import Any

_BY_FORMAT = {
    "uuid": "019c2291-b3a0-7768-a5f9-23774462ebfc",
    "date": "2026-02-03",
    "date-time": "2026-02-03T08:15:00Z",
    "binary": "(a file)",
}
_MOMENTS = {
    "started_at": "2026-02-03T08:15:02Z",
    "updated_at": "2026-02-03T08:15:02Z",
    "finished_at": "2026-02-03T08:15:44Z",
    "last_seen_at": "2026-02-03T14:30:00Z",
    "last_used_at": "2026-02-03T14:30:00Z",
    "expires_at": "2027-01-31T00:00:00Z",
}
"""Name of a field -> its example, for times that must be later than those of other fields."""

_THINGS = {"canonical_id": "patient"}
"""Name of a field -> the thing that it identifies, where the name itself does not say it."""

_FIRST_WORD = re.compile(r"[A-Z][a-z]*")
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
            return _with_nulls(schema[word], schema, schemas)
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
    thing = _FIRST_WORD.match(schema.get("title", ""))
    values = {
        name: _named(name, thing.group().lower() if thing else "", part, example_of(part, schemas, depth + 1))
        for name, part in schema.get("properties", {}).items()
    }
    more = schema.get("additionalProperties")
    if not values and isinstance(more, dict) and more:
        return {"name": example_of(more, schemas, depth + 1)}
    return values


def _named(name: str, thing: str, schema: dict[str, Any], example: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return an example that suits the field's name, if the field's own example only follows from its format."""
    if schema.get("examples") or schema.get("default") is not None:
        return example
    if example == _BY_FORMAT["date-time"]:
        return _MOMENTS.get(name, example)
    if example == _BY_FORMAT["uuid"]:
        return identifier(thing if name == "id" else _THINGS.get(name, name.removesuffix("_id")))
    return example


def identifier(thing: str) -> str:
    """Return the identifier that stands for a thing, such as ``patient``, in every example."""
    digits = blake2b(thing.encode(), digest_size=9).hexdigest()
    return f"019c2291-{digits[:4]}-7{digits[4:7]}-a{digits[7:10]}-{digits[6:18]}"


def complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add an example to the JSON body and to each JSON answer of an operation that has none."""
    parts = [operation["requestBody"]] if "requestBody" in operation else []
    parts += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    sent: Any = None
    for part in parts:
        content = part.get("content", {}).get("application/json")
        if content is None:
            continue
        if content.get("schema") and not {"example", "examples"} & content.keys():
            content["example"] = _repeating(example_of(content["schema"], schemas), sent)
        elif "example" in content and content.get("schema"):
            content["example"] = _with_nulls(content["example"], content["schema"], schemas)
        if part is operation.get("requestBody"):
            sent = content.get("example")


def complete_schemas(schemas: dict[str, Any]) -> None:
    """Complete the example of each schema that has one: FastAPI drops nulls."""
    for schema in schemas.values():
        if "example" in schema:
            schema["example"] = _with_nulls(schema["example"], schema, schemas)


def _with_nulls(example: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return an example with null for each required field that it lacks, because FastAPI drops nulls from examples."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(example, list):
        return [_with_nulls(item, schema.get("items", {}), schemas) for item in example]
    if not isinstance(example, dict):
        return example
    properties, required = schema.get("properties", {}), schema.get("required", ())
    values = {name: _with_nulls(value, properties.get(name, {}), schemas) for name, value in example.items()}
    missing = [name for name in required if name not in example and _is_nullable(properties[name])]
    return values | dict.fromkeys(missing)


def _is_nullable(schema: dict[str, Any]) -> bool:
    return any(part.get("type") == "null" for part in schema.get("anyOf", ()))


def _repeating(answer: Any, sent: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer, with each field that the body has too set to the body's value."""
    if not isinstance(answer, dict) or not isinstance(sent, dict):
        return answer
    return answer | {name: value for name, value in sent.items() if name in answer and value is not None}

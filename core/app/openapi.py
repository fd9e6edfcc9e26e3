"""The OpenAPI document: problems, permissions and examples are in it, and the page's own view of it."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from core.access.require import api_routes, permissions_of
from core.app import examples
from core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RequestTimeout,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from core.errors.family import AppError, Invalid
from core.errors.problem import SCHEMA, SCHEMA_NAME, responses

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NAMING = frozenset({"facility", "facilities", "patient", "patients"})
_FASTAPI_OWN = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI) -> dict[str, Any]:
    """The document (OpenAPI 3.1), made once per application."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        schemas[SCHEMA_NAME] = SCHEMA
        for name in _FASTAPI_OWN:
            schemas.pop(name, None)
        for route in api_routes(app):
            for method in route.methods or ():
                operation = found["paths"][route.path_format].get(method.lower())
                if operation is not None:
                    _complete(operation, str(route.path_format), method, sorted(permissions_of(route)), schemas)
        for methods in found["paths"].values():
            for operation in methods.values():
                examples.complete(operation, schemas)
        _refuse_twins(found)
        app.openapi_schema = found
    return app.openapi_schema


def _complete(
    operation: dict[str, Any], path: str, method: str, permissions: list[str], schemas: dict[str, Any]
) -> None:
    """Say which permission the operation needs and which problems any operation may answer with."""
    operation["x-permissions"] = permissions
    if permissions:
        needed = "Needs the permission " + ", ".join(f"`{name}`" for name in permissions) + "."
        operation["description"] = f"{operation.get('description', '').rstrip()}\n\n{needed}".lstrip()
    kinds: list[type[AppError]] = [Unauthenticated, Forbidden, TooManyRequests, AppError, Unavailable, StorageFull]
    if _names_something(operation, path, schemas):
        kinds.append(NotFound)
    if method in _WRITING:
        kinds.append(Conflict)
    if any(parameter["name"].lower() == "if-match" for parameter in operation.get("parameters", ())):
        kinds += [PreconditionFailed, PreconditionRequired]
    if operation.get("parameters") or "requestBody" in operation:
        operation["responses"].pop("422", None)
        kinds.append(Invalid)
    if "requestBody" in operation:
        kinds += [BadRequest, RequestTimeout, TooLarge]
    for status, answer in responses(*kinds).items():
        operation["responses"].setdefault(str(status), answer)


def _names_something(operation: dict[str, Any], path: str, schemas: dict[str, Any]) -> bool:
    """Whether the request names what may not be there: in the path, the query or the body."""
    names = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        names += schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema).get("properties", {})
    return "{" in path or any(name in _NAMING or name.endswith("_uuid") for name in names)


def _refuse_twins(found: dict[str, Any]) -> None:
    seen: set[str] = set()
    for path, methods in found["paths"].items():
        for operation in methods.values():
            if operation["operationId"] in seen:
                message = f"two operations are named {operation['operationId']!r}, one at {path}: rename its function"
                raise LookupError(message)
            seen.add(operation["operationId"])


def as_openapi_30(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """The same document in OpenAPI 3.0, which is what the packaged Swagger UI reads.

    JSON Schema 2020-12 has no ``nullable``, writes examples as a list and exclusive bounds as numbers; 3.0 the reverse.
    """
    if isinstance(value, list):
        return [as_openapi_30(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: as_openapi_30(item) for key, item in value.items()}
    if isinstance(found.get("openapi"), str):
        found["openapi"] = "3.0.3"
        found.get("info", {}).pop("summary", None)
    if "$ref" not in found and "responses" not in found and _SCHEMA_WORDS & found.keys():
        for rewrite in (_options, _types, _examples, _bounds, _rest):
            rewrite(found)
    return found


_SCHEMA_WORDS = frozenset({"type", "anyOf", "oneOf", "allOf", "const", "enum", "examples", "properties", "items"})
_NULL = {"type": "null"}


def _options(found: dict[str, Any]) -> None:
    for word in ("anyOf", "oneOf"):
        given = found.get(word)
        if not isinstance(given, list) or _NULL not in given:
            continue
        options = [option for option in given if option != _NULL]
        del found[word]
        found["nullable"] = True
        if len(options) > 1:
            found[word] = options
        elif options and "$ref" in options[0]:
            found["allOf"] = options
        elif options:
            found.update({key: item for key, item in options[0].items() if key not in found})


def _types(found: dict[str, Any]) -> None:
    if isinstance(found.get("type"), list):
        kinds = [kind for kind in found["type"] if kind != "null"]
        found |= {"type": kinds[0] if kinds else "object", "nullable": True}


def _examples(found: dict[str, Any]) -> None:
    if isinstance(found.get("examples"), list):
        examples = found.pop("examples")
        if examples:
            found.setdefault("example", examples[0])


def _bounds(found: dict[str, Any]) -> None:
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in found and not isinstance(found[exclusive], bool):
            found[bound], found[exclusive] = found[exclusive], True


def _rest(found: dict[str, Any]) -> None:
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if found.pop("contentMediaType", None):
        found["format"] = "binary"
    if "prefixItems" in found:
        found["items"] = {"anyOf": found.pop("prefixItems")}
